"""Nothing of a distribution layer overflows, far out."""

import math

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import divergences, noise
from tfvae.distributions import DiagonalNormal


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_values_and_gradients_are_finite_at_large_parameters(spec):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.layer(spec, (1,))
    corners = _corners(math.prod(layer.params_shape), case.extreme)
    params = tf.reshape(tf.constant(corners, tf.float32), (-1, *layer.params_shape))
    points = case.points_of(layer)
    x = tf.constant(points[[0, len(points) // 2, -1]], tf.float32)
    x = tf.reshape(x, (3, 1, *layer.event_shape))
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


@pytest.mark.parametrize("spec", cases.posteriors())
def test_a_posterior_is_finite_at_large_parameters(spec):
    """Its draws, their density as drawn and as found, and the KL divergence from N(0, I)."""
    layer = cases.layer(spec, (2,))
    layer.build((None, *layer.params_shape))
    rng = np.random.default_rng(0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    corners = rng.choice([-20.0, 0.0, 20.0], (50, math.prod(layer.params_shape)))
    params = tf.reshape(tf.constant(corners, tf.float32), (-1, *layer.params_shape))
    eps = noise.normal(noise.row_seeds(noise.seed_of(0), len(corners)), (2,))
    prior = DiagonalNormal(tf.zeros([2]), tf.zeros([2]))
    with tf.GradientTape() as tape:
        tape.watch(params)
        q = layer(params)
        z = q.bijector.forward(eps)
        values = {"z": z, "log_prob": q.log_prob(z), "by inversion": q.log_prob(tf.identity(z))}
        kl = divergences.closed_kl(q, prior)
        values |= {} if kl is None else {"kl": kl}
        total = tf.add_n([tf.reduce_sum(value) for value in values.values()])
    for name, value in values.items():
        assert np.isfinite(value).all(), name
    assert np.isfinite(tape.gradient(total, params)).all()


def _corners(num, extreme):
    """Returns all corners of a cube and the middles of its sides, or some where there are many."""
    values = [-extreme, 0, extreme]
    if num <= 4:
        return np.array(np.meshgrid(*[values] * num)).reshape(num, -1).T
    return np.random.default_rng(0).choice(values, (200, num))
