"""A saved VAE loads as it was: parts, weights, optimizer, and what it says of the data."""

import cases
import keras
import numpy as np
import pytest


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


def _same_weights(model, expected):
    assert model.optimizer.get_config() == expected.optimizer.get_config()
    pairs = zip(
        [*model.variables, *model.optimizer.variables],
        [*expected.variables, *expected.optimizer.variables],
        strict=True,
    )
    for variable, other in pairs:
        np.testing.assert_array_equal(variable, other, err_msg=variable.path)
