"""p(x) sums or integrates to one."""

import cases
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_the_mass_of_a_layer_is_one(spec):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.layer(spec, (1,))
    points = case.points_of(layer).astype(np.float32)
    if points.ndim == 2:
        return  # events of several columns: tests/test_likelihoods.py
    log_prob = layer(cases.params_of(layer, 8)).log_prob(points[:, None, None])
    assert log_prob.shape == (len(points), 8)
    _check(np.exp(log_prob.numpy().astype(np.float64)), points, case.discrete)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_the_mass_of_a_prior_is_one(spec):
    points = np.linspace(-20, 20, 16_001, dtype=np.float32)
    log_prob = cases.BoundPrior(spec, 1).distribution().log_prob(points[:, tf.newaxis])
    _check(np.exp(log_prob.numpy().astype(np.float64)), points, discrete=False)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_the_mass_of_a_prior_over_two_latents_is_one(spec):
    prior = cases.BoundPrior(spec, 2)
    _check_square(prior.distribution().log_prob)


@pytest.mark.parametrize("spec", cases.posteriors())
def test_the_mass_of_a_posterior_over_two_latents_is_one(spec):
    layer = cases.layer(spec, (2,))
    posterior = layer(cases.params_of(layer, 1))  # a density of codes that it has not drawn
    _check_square(posterior.log_prob)


def _check_square(log_prob):
    points = np.linspace(-12, 12, 241, dtype=np.float32)
    z = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(np.float64(log_prob(z))).reshape(len(points), -1)
    mass = integrate.trapezoid(integrate.trapezoid(density, points), points)
    # As below, with a step of 0.1 for densities whose narrowest scale is some tenths.
    np.testing.assert_allclose(mass, 1, rtol=1e-4)


def _check(density, points, discrete):
    mass = density.sum(axis=0) if discrete else integrate.trapezoid(density, points, axis=0)
    # The trapezoidal rule is exact for a smooth density on a fine grid that holds its tails:
    # what is left are the seven digits of float32, of the points too.
    np.testing.assert_allclose(mass, 1, rtol=2e-5)
