"""p(x) sums or integrates to one."""

import cases
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate


@pytest.mark.parametrize("spec", cases.specs("distribution_layers"))
def test_the_mass_of_a_layer_is_one(spec):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.layer(spec, (1,))
    points = case.points_of(layer).astype(np.float32)
    if points.ndim == 2:
        return  # events of several columns: tests/test_mixed.py
    log_prob = layer(cases.params_of(layer, 8)).log_prob(points[:, None, None])
    assert log_prob.shape == (len(points), 8)
    _check(np.exp(log_prob.numpy().astype(np.float64)), points, case.discrete)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_the_mass_of_a_prior_is_one(spec):
    points = np.linspace(-20, 20, 16_001, dtype=np.float32)
    log_prob = cases.build("priors", spec, 1).distribution().log_prob(points[:, tf.newaxis])
    _check(np.exp(log_prob.numpy().astype(np.float64)), points, discrete=False)


def _check(density, points, discrete):
    mass = density.sum(axis=0) if discrete else integrate.trapezoid(density, points, axis=0)
    # The trapezoidal rule is exact for a smooth density on a fine grid that holds its tails:
    # what is left are the seven digits of float32, of the points too.
    np.testing.assert_allclose(mass, 1, rtol=2e-5)
