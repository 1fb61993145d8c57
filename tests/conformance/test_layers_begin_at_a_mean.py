"""Decoders begin at the mean of data: a likelihood has parameters for it, a network a bias."""

import cases
import numpy as np
import pytest
import tensorflow as tf
from test_networks import _inputs, _models

from tfvae.networks.base import begin_at

# Without those whose elements differ in kind, which `test_likelihoods.py` asks.
ALIKE = [s for s in cases.likelihoods() if len(cases.LAYERS[cases.name_of(s)].event_shapes) > 1]
MEAN = np.array([[0.25, 0.5, 0.9], [0.01, 0.75, 0.99]])


@pytest.mark.parametrize("spec", ALIKE)
def test_the_parameters_at_a_mean_have_it_where_they_are_known(spec):
    layer = cases.layer(spec, (2, 3))
    params = layer.params_at(MEAN)
    if not layer.begins_at_mean:
        assert params is None
        return
    assert params.shape == layer.params_shape
    mean = layer(params[np.newaxis].astype(np.float32)).mean()[0]
    np.testing.assert_allclose(mean, MEAN, rtol=1e-5)  # a logarithm and back, in float32


@pytest.mark.parametrize("spec", cases.likelihoods())
@pytest.mark.parametrize("border", [0.0, 1.0])
def test_a_mean_at_the_border_of_the_support_leaves_room_to_learn(spec, border):
    layer = cases.layer(spec, (2, 3))
    if layer.begins_at_mean:
        params = layer.params_at(np.full(layer.event_shape, border))
        assert np.all(np.abs(params) < 8)  # where a sigmoid still has a gradient


@pytest.mark.parametrize("spec", cases.specs("networks"))
def test_a_decoder_begins_at_parameters_or_at_those_of_the_mean_place(spec):
    _, decoder = _models(spec, (4, 4, 1))
    mean = np.random.default_rng(0).uniform(size=(4, 4, 1))

    def params_of(mean):
        return np.concatenate([mean, 2 * mean**2], axis=-1)

    assert begin_at(decoder, params_of, mean)
    kernel = decoder.weights[-2]
    kernel.assign(tf.zeros_like(kernel))
    flat = np.broadcast_to(mean.mean(axis=(0, 1)), mean.shape)
    found = decoder(_inputs(decoder, 1))[0]
    assert any(np.allclose(found, params_of(each), rtol=1e-6) for each in (mean, flat))
