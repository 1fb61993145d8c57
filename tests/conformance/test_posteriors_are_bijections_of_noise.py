"""z = bijector.forward(eps), eps ~ N(0, 1), and log q(z) = log N(eps) - log |dz / deps|."""

import cases
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distributions import reparameterize
from tfvae.divergences import frozen

tfd = tfp.distributions

LATENTS = 3


@pytest.fixture(params=cases.posteriors())
def layer(request):
    return cases.layer(request.param, (LATENTS,))


@pytest.fixture
def posterior(layer):
    return layer(cases.params_of(layer, 5))


def test_a_posterior_draws_its_samples_from_standard_normal_noise(layer, posterior):
    seeds = noise.row_seeds(noise.seed_of(1), 5)
    z = posterior.bijector.forward(noise.normal(seeds, (LATENTS,)))
    np.testing.assert_array_equal(reparameterize(posterior, seeds), z)
    np.testing.assert_array_equal(layer.sample(cases.params_of(layer, 5), seeds), z)


def test_log_prob_is_that_of_the_noise_less_the_log_determinant(posterior):
    eps = np.random.default_rng(0).normal(size=(5, LATENTS)).astype(np.float32)
    z = posterior.bijector.forward(eps)
    log_determinants = []
    for row in (0, 4):  # by the Jacobian itself, one row at a time
        with tf.GradientTape() as tape:
            noise_of_row = tf.constant(eps[row])
            tape.watch(noise_of_row)
            batch = tf.tensor_scatter_nd_update(eps, [[row]], noise_of_row[tf.newaxis])
            z_of_row = posterior.bijector.forward(batch)[row]
        jacobian = tape.jacobian(z_of_row, noise_of_row).numpy().astype(np.float64)
        log_determinants.append(np.linalg.slogdet(jacobian).logabsdet)
    expected = scipy.stats.norm.logpdf(eps[::4]).sum(axis=-1) - log_determinants
    # A few terms of a few nats in float32.
    np.testing.assert_allclose(posterior.log_prob(z)[::4], expected, rtol=1e-5, atol=1e-5)
    # Without the bijector's cache too: z as a number that it has not made.
    without = posterior.log_prob(z.numpy())[::4]
    np.testing.assert_allclose(without, expected, rtol=1e-5, atol=1e-5)


def test_the_bijector_has_an_inverse(posterior):
    eps = np.random.default_rng(0).normal(size=(5, LATENTS)).astype(np.float32)
    z = posterior.bijector.forward(eps).numpy()
    # Scales of a few units: the subtraction of the mean costs a digit.
    np.testing.assert_allclose(posterior.bijector.inverse(z), eps, rtol=1e-5, atol=1e-5)


def test_the_base_is_standard_normal(posterior):
    eps = np.random.default_rng(0).normal(size=(5, LATENTS)).astype(np.float32)
    base = posterior.distribution
    assert base.event_shape == (LATENTS,)
    np.testing.assert_allclose(base.log_prob(eps), scipy.stats.norm.logpdf(eps).sum(-1), rtol=1e-5)


def test_gradients_pass_through_a_sample_to_the_parameters(layer):
    params = tf.constant(cases.params_of(layer, 5))
    with tf.GradientTape() as tape:
        tape.watch(params)
        z = reparameterize(layer(params), noise.row_seeds(noise.seed_of(1), 5))
    # In one row at least: a variance at its floor has no gradient.
    assert np.all(np.any(tape.gradient(tf.reduce_sum(z**2), params) != 0, axis=0))


def test_a_frozen_copy_has_the_density_and_no_gradient_but_by_the_code(layer):
    params = tf.constant(cases.params_of(layer, 5))
    z = tf.constant(np.random.default_rng(9).normal(size=(5, LATENTS)).astype(np.float32))
    sources = [params, *layer.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([params, z])
        live = layer(params).log_prob(z)
        stopped = frozen(layer(params)).log_prob(z)
    np.testing.assert_array_equal(stopped, live)
    assert all(gradient is None for gradient in tape.gradient(stopped, sources))
    assert all(np.any(gradient) for gradient in tape.gradient(live, sources))
    np.testing.assert_allclose(tape.gradient(stopped, z), tape.gradient(live, z), rtol=1e-5)


@pytest.mark.parametrize("spec", cases.specs("distribution_layers"))
def test_a_layer_says_whether_it_can_be_a_posterior(spec):
    layer = cases.layer(spec, (LATENTS,))
    is_bijection = isinstance(layer(cases.params_of(layer, 1)), tfd.TransformedDistribution)
    assert layer.reparameterized == is_bijection
