"""Missing values: a likelihood leaves them out or refuses to, and every objective bears them."""

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import masking

NETWORK = "mlp(hidden=(6,), activation='tanh')"


def _holes(x, missing):
    return np.where(missing, np.float32("nan"), x)


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_a_likelihood_leaves_out_what_is_missing_or_refuses_to(spec):
    layer = cases.layer(spec)
    distribution = layer(cases.params_of(layer, 4))
    x = cases.LAYERS[cases.name_of(spec)].data(layer, 4)
    try:
        observed = masking.Observed(distribution)
    except ValueError as error:
        assert "its elements are independent given z" in str(error)  # noqa: PT017 - or the law
        assert cases.name_of(spec) == "full_normal"
        return
    whole = distribution.log_prob(x)
    np.testing.assert_array_equal(observed.log_prob(x), whole)
    missing = np.random.default_rng(0).uniform(size=x.shape) < 0.5
    some, others = observed.log_prob(_holes(x, missing)), observed.log_prob(_holes(x, ~missing))
    # Sums of a few float32 in another order.
    np.testing.assert_allclose(some + others, whole, rtol=1e-5, atol=1e-5)
    assert (observed.log_prob(_holes(x, np.ones_like(missing))).numpy() == 0).all()


@pytest.mark.parametrize("spec", cases.specs("objectives"))
def test_an_objective_is_the_same_with_nothing_missing_and_finite_with_holes(spec):
    parts = {"network": NETWORK, "likelihood": "normal", "objective": spec}
    masked, plain = (cases.model(mask_missing=mask, **parts) for mask in (True, False))
    x = cases.data_for(plain)
    seeds = tf.constant(np.arange(2 * len(x)).reshape(-1, 2), tf.int32)
    np.testing.assert_array_equal(masked.terms(x, seeds).bound, plain.terms(x, seeds).bound)
    holes = _holes(x, np.random.default_rng(1).uniform(size=x.shape) < 0.4)
    with tf.GradientTape() as tape:
        terms = masked.terms(holes, seeds)
        loss = -tf.reduce_mean(terms.bound)
    assert np.isfinite(terms.bound).all()
    for gradient in tape.gradient(loss, masked.trainable_variables):
        assert gradient is None or np.isfinite(gradient).all()
