"""Samples have the mean and the variance that their distribution says."""

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise

NUM = 20_000


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_samples_of_a_layer_have_its_mean_and_variance(spec):
    layer = cases.layer(spec, (2, 3))
    params = cases.params_of(layer, 1)
    samples = layer.sample(
        np.repeat(params, NUM, axis=0), noise.row_seeds(noise.seed_of(1), NUM)
    ).numpy()
    assert samples.shape == (NUM, *layer.event_shape)
    assert samples.dtype == np.float32
    distribution = layer(params)
    expected = cases.LAYERS[cases.name_of(spec)].correlation
    correlation = None if expected is None else expected(layer, params[0])
    _check(samples, distribution.mean()[0], distribution.stddev()[0], correlation)
    np.testing.assert_allclose(distribution.stddev() ** 2, distribution.variance(), rtol=1e-6)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_samples_of_a_prior_have_its_mean_and_variance(spec):
    prior = cases.BoundPrior(spec, 2)
    samples = prior.sample(noise.row_seeds(noise.seed_of(1), NUM)).numpy()
    assert samples.shape == (NUM, 2)
    assert samples.dtype == np.float32
    distribution = prior.distribution()
    assert distribution.batch_shape == ()
    assert distribution.event_shape == (2,)
    # By the density itself, over a square that holds all but a millionth of its mass.
    points = np.linspace(-12, 12, 241, dtype=np.float32)
    z = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(np.float64(distribution.log_prob(z)))
    mass /= mass.sum()
    mean = mass @ z
    covariance = np.einsum("n,ni,nj->ij", mass, z - mean, z - mean)
    _check_moments(samples, mean, covariance)


@pytest.mark.parametrize("spec", cases.posteriors())
def test_samples_of_a_posterior_have_its_mean_and_variance(spec):
    layer = cases.layer(spec)
    params = cases.params_of(layer, 1)
    seeds = noise.row_seeds(noise.seed_of(1), NUM)
    samples = layer.sample(np.repeat(params, NUM, axis=0), seeds).numpy()
    distribution = layer(params)
    mean, stddev = np.float64(distribution.mean()[0]), np.float64(distribution.stddev()[0])
    # Exact, or of the 64 pairs of draws that a flow takes its moments from: five standard errors.
    num = 128 if cases.POSTERIORS.get(cases.name_of(spec), True) is None else NUM
    np.testing.assert_array_less(np.abs(samples.mean(0) - mean), 5 * stddev / num**0.5)
    spread = np.abs(samples.std(0) / stddev - 1)
    np.testing.assert_array_less(spread, 5 * (0.5 / num) ** 0.5)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_draws_of_a_prior_are_made_of_the_noise_that_it_names(spec):
    prior = cases.BoundPrior(spec, 2)
    seeds = noise.row_seeds(noise.seed_of(1), 50)
    made = prior.prior.noise_of(seeds)
    assert {name: array.shape[1:] for name, array in made.items()} == prior.prior.noise_shapes
    assert set(made) <= {"eps", "u"}
    np.testing.assert_array_equal(prior.draw(made), prior.sample(seeds))
    for name, array in made.items():  # each is of use
        other = {**made, name: tf.reverse(array, [0])}
        assert np.any(prior.draw(other) != prior.draw(made)), name


def _check_moments(samples, mean, covariance):
    """Compares means and the whole covariance with five standard errors of each."""
    error = (np.diag(covariance) / NUM) ** 0.5
    np.testing.assert_array_less(np.abs(samples.mean(0) - mean), 5 * error)
    offset = samples - mean
    products = offset[:, :, None] * offset[:, None, :]
    error = products.std(axis=0) / NUM**0.5
    np.testing.assert_array_less(np.abs(products.mean(axis=0) - covariance), 5 * error)


def _check(samples, mean, stddev, correlation=None):
    """Compares with five standard errors of the sample mean and of the sample variance."""
    mean, variance = np.float64(mean), np.float64(stddev) ** 2
    squares = (samples - mean) ** 2
    np.testing.assert_array_less(np.abs(samples.mean(0) - mean), 5 * (variance / NUM) ** 0.5)
    np.testing.assert_array_less(np.abs(squares.mean(0) - variance), 5 * squares.std(0) / NUM**0.5)
    # No axis repeats the noise of another: correlations within five errors of what they should be.
    flat = samples.reshape(NUM, -1)
    wanted = np.eye(flat.shape[1]) if correlation is None else correlation
    np.testing.assert_allclose(np.corrcoef(flat.T), wanted, atol=5 / NUM**0.5)
