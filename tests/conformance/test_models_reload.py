"""A saved VAE loads as it was: parts, weights, optimizer, and what it says of the data."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise


@pytest.mark.parametrize("parts", cases.models(), ids=cases.name_of_parts)
def test_a_model_loads_as_it_was_saved(parts, tmp_path):
    vae = cases.model(seed=3, **parts)
    x = cases.data_for(vae)
    vae.compile(keras.optimizers.Adam(0.01, beta_1=0.8), run_eagerly=True)
    vae.fit(x, verbose=0)
    vae.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")

    assert again.get_config() == vae.get_config()
    for part in ("network", "posterior_layer", "likelihood_layer", "prior_layer", "objective"):
        assert getattr(again, part).spec == getattr(vae, part).spec, part
    assert again.run_eagerly
    assert again.jit_compile == vae.jit_compile
    _same_weights(again, vae)
    assert again.evaluate(x, verbose=0) == vae.evaluate(x, verbose=0)
    np.testing.assert_array_equal(again(x), vae(x))
    np.testing.assert_array_equal(again.sample(2, seed=1), vae.sample(2, seed=1))

    # The optimizer goes on where it was, and the noise with it.
    assert int(again.optimizer.iterations) == 1
    for model in (again, vae):
        model.fit(x, shuffle=False, verbose=0)
    _same_weights(again, vae)


@pytest.mark.parametrize(
    "parts",
    [{"likelihood": spec} for spec in cases.LIKELIHOODS_WITH_WEIGHTS]
    + [{"prior": spec} for spec in cases.specs("priors")],
    ids=cases.name_of_parts,
)
def test_every_weight_that_is_trained_gets_a_gradient(parts):
    """Those of objectives, networks and posteriors have tests with each of them."""
    vae = cases.model(seed=3, network="mlp(hidden=())", event_shape=(4,), **parts)
    x = cases.data_for(vae)
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    # The first weights may be symmetric, and an identity at the start may have none.
    rng = np.random.default_rng(0)
    for weight in vae.trainable_variables:
        weight.assign_add(rng.normal(scale=0.1, size=weight.shape))
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(vae.terms(x, seeds, training=True).bound)
    weights = vae.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.any(gradient) or 0 in weight.shape, weight.path


def _same_weights(model, expected):
    assert model.optimizer.get_config() == expected.optimizer.get_config()
    pairs = zip(
        [*model.variables, *model.optimizer.variables],
        [*expected.variables, *expected.optimizer.variables],
        strict=True,
    )
    for variable, other in pairs:
        np.testing.assert_array_equal(variable, other, err_msg=variable.path)
