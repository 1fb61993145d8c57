"""Samples have the mean and the variance that their distribution says."""

import cases
import numpy as np
import pytest

from tfvae import noise

NUM = 20_000


@pytest.mark.parametrize("spec", cases.specs("distribution_layers"))
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
    prior = cases.build("priors", spec, 3)
    samples = prior.sample(noise.row_seeds(noise.seed_of(1), NUM)).numpy()
    assert samples.shape == (NUM, 3)
    assert samples.dtype == np.float32
    distribution = prior.distribution()
    assert distribution.batch_shape == ()
    assert distribution.event_shape == (3,)
    _check(samples, distribution.mean(), distribution.stddev())


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
