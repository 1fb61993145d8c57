"""Nothing of a distribution layer overflows, far out."""

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_values_and_gradients_are_finite_at_large_parameters(spec):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.build("distribution_layers", spec, (1,))
    (num,) = layer.params_shape
    corners = np.array(np.meshgrid(*[[-case.extreme, 0, case.extreme]] * num)).reshape(num, -1).T
    params = tf.constant(corners, tf.float32)
    points = [case.points[0], case.points[len(case.points) // 2], case.points[-1]]
    x = tf.constant(points, tf.float32)[:, tf.newaxis, tf.newaxis]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        distribution = layer(params)
        values = {
            "log_prob": distribution.log_prob(x),
            "mean": distribution.mean(),
            "stddev": distribution.stddev(),
            "sample": layer.sample(params, noise.row_seeds(noise.seed_of(0), len(corners))),
        }
    for name, value in values.items():
        assert np.isfinite(value).all(), name
    gradient = tape.gradient(values["log_prob"], params)
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient) > 0).any(axis=0).all()
