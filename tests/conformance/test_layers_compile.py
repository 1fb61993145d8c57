"""A distribution layer gives the same with XLA as without."""

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_a_layer_agrees_in_eager_mode_and_xla(spec):
    layer = cases.layer(spec, (2, 3))
    x = cases.LAYERS[cases.name_of(spec)].data(layer, 5)
    params = tf.constant(cases.params_of(layer, 5))
    seeds = noise.row_seeds(noise.seed_of(0), 5)

    def everything(params, x, seeds):
        distribution = layer(params)
        values = distribution.log_prob(x), distribution.mean(), distribution.stddev()
        # Training compiles the draws of posteriors; those of other layers cost most to compile.
        return (*values, layer.sample(params, seeds)) if layer.reparameterized else values

    # As a graph without XLA it is exported, and compared there.
    compiled = tf.function(everything, jit_compile=True, autograph=False)(params, x, seeds)
    for value, expected in zip(compiled, everything(params, x, seeds), strict=True):
        # XLA fuses multiplications with additions: a few units in the last place.
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_a_prior_agrees_in_eager_graph_and_xla(spec):
    prior = cases.BoundPrior(spec, 3)
    seeds = noise.row_seeds(noise.seed_of(0), 5)

    def everything(seeds):
        z = prior.sample(seeds)
        return z, prior.distribution().log_prob(z)

    eager = everything(seeds)
    for jit_compile in (False, True):
        compiled = tf.function(everything, jit_compile=jit_compile, autograph=False)(seeds)
        for value, expected in zip(compiled, eager, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)  # as above


@pytest.mark.parametrize("spec", [s for s in cases.posteriors() if s not in cases.likelihoods()])
def test_a_posterior_agrees_in_eager_graph_and_xla(spec):
    layer = cases.layer(spec)
    params = tf.constant(cases.params_of(layer, 5))
    seeds = noise.row_seeds(noise.seed_of(0), 5)

    def everything(params, seeds):
        posterior = layer(params)
        z = layer.sample(params, seeds)
        return z, posterior.log_prob(z), posterior.mean(), posterior.stddev()

    compiled = tf.function(everything, jit_compile=True, autograph=False)(params, seeds)
    for value, expected in zip(compiled, everything(params, seeds), strict=True):
        # As above, through a network and exponentials of its outputs.
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", [s for s in cases.posteriors() if s not in cases.likelihoods()])
def test_the_gradient_of_a_density_compiles_in_a_loop_over_batches_of_any_size(spec):
    layer = cases.layer(spec, (2,))

    def gradient(params, z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            log_prob = layer(params).log_prob(z)  # of codes that it has not drawn
        return tape.gradient(log_prob, z)

    any_size = [tf.TensorSpec([None, *layer.params_shape]), tf.TensorSpec([None, 2])]

    @tf.function(jit_compile=True, autograph=False, input_signature=any_size)
    def last(params, z):  # as the steps of a block, of batches that may differ in size
        body = lambda step, _: (step + 1, gradient(params, z))  # noqa: E731
        return tf.while_loop(lambda step, _: step < 2, body, (0, tf.zeros_like(z)))[1]

    params = tf.constant(cases.params_of(layer, 3))
    z = tf.constant(np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32))
    # Through exponentials of a network's outputs, twice.
    np.testing.assert_allclose(last(params, z), gradient(params, z), rtol=1e-4, atol=1e-4)
