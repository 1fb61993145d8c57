"""A ladder of stochastic layers: densities by hand, and the path that q, p and decoder share."""

import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae import components, noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.objectives.base import Objective
from tfvae.priors.base import Prior
from tfvae.vae import VAE

EVENT, SIZES, HIDDEN = (3, 2, 1), (2, 2, 1), 4
LATENTS = sum(SIZES)
OPTIONS = f"sizes={SIZES}, hidden={HIDDEN}"


def make(prior=f"ladder({OPTIONS})", posterior="ladder", **kwargs):
    """Returns a small VAE, its biases other than zero."""
    network = "mlp(hidden=(6,), activation='tanh')"
    vae = VAE(EVENT, LATENTS, network=network, prior=prior, posterior=posterior, **kwargs)
    rng = np.random.default_rng(4)
    for weight in vae.weights:
        weight.assign_add(rng.normal(scale=0.3, size=weight.shape))
    return vae


@pytest.fixture(scope="module")
def vae():
    """A VAE of three layers that no test trains."""
    return make()


@pytest.fixture(scope="module")
def x():
    """Five binary examples."""
    return np.random.default_rng(0).integers(0, 2, (5, *EVENT)).astype(np.float32)


@pytest.fixture(scope="module")
def z():
    """Codes that nobody has drawn."""
    return np.random.default_rng(1).normal(size=(7, 5, LATENTS)).astype(np.float32)


def by_hand(networks, z, loc=None, log_variance=None):
    """Returns the log density of codes, the sum over the layers, in float64 from the top down.

    Args:
        networks: The weights from each layer to the one below it, in the order of `get_weights`.
        z: Codes.
        loc: What the encoder says of each latent: its loc if the prior were N(0, 1); None for the
            prior.
        log_variance: The logarithm of the variance with which it says so, like `loc`.
    """
    z, starts = np.float64(z), np.cumsum([0, *SIZES])
    parts = [slice(a, b) for a, b in itertools.pairwise(starts)]
    mean, variance, path, total = np.zeros(SIZES[-1]), np.ones(SIZES[-1]), None, 0.0
    for layer in (2, 1, 0):
        part = parts[layer]
        if loc is not None:
            of_encoder = np.exp(-log_variance[..., part])
            precision = of_encoder + 1 / variance
            said = loc[..., part] * (1 + 1 / of_encoder)
            mean = (of_encoder * said + mean / variance) / precision
            variance = 1 / precision
        total = total + scipy.stats.norm.logpdf(z[..., part], mean, variance**0.5).sum(axis=-1)
        if layer == 0:
            return total
        kernels, biases = networks[layer - 1][::2], networks[layer - 1][1::2]
        given = z[..., part] if path is None else np.concatenate([path, z[..., part]], axis=-1)
        hidden = np.tanh(np.tanh(given @ kernels[0] + biases[0]) @ kernels[1] + biases[1])
        path = hidden if path is None else path + hidden
        mean, log_prior = np.split(path @ kernels[2] + biases[2], 2, axis=-1)
        variance = np.exp(log_prior)
    raise AssertionError


def networks_of(layer):
    weights = [np.float64(w) for w in layer.get_weights()]
    return [weights[:6], weights[6:]]


def test_the_density_of_the_prior_is_that_of_its_layers_together(vae, z):
    expected = by_hand(networks_of(vae.prior_layer), z)
    np.testing.assert_allclose(vae.prior().log_prob(z), expected, rtol=1e-5)  # float32


def test_the_posterior_weighs_encoder_and_prior_by_their_precisions(vae, x, z):
    params = np.float64(vae.encode(x))
    expected = by_hand(networks_of(vae.prior_layer), z, *np.split(params, 2, axis=-1))
    np.testing.assert_allclose(vae.posterior(x).log_prob(z), expected, rtol=1e-5)


def test_two_layers_have_the_density_of_the_prior_hierarchical(z):
    ladder = components.build(Prior, "ladder(sizes=(3, 2), hidden=4)", LATENTS)
    hierarchical = components.build(Prior, "hierarchical(top=2, hidden=4)", LATENTS)
    hierarchical.set_weights(ladder.get_weights())
    expected = hierarchical.distribution().log_prob(z)
    np.testing.assert_allclose(ladder.distribution().log_prob(z), expected, rtol=1e-6)


def test_an_encoder_that_says_nothing_leaves_the_prior_to_the_last_digit(vae, z):
    zeros = np.zeros((5, LATENTS), np.float32)
    posterior = vae.posterior_layer(np.concatenate([zeros, zeros + 1e4], axis=-1))
    np.testing.assert_array_equal(posterior.log_prob(z), vae.prior().log_prob(z))
    eps = np.random.default_rng(2).normal(size=(5, LATENTS)).astype(np.float32)
    expected = vae.prior_layer.draw({"eps": eps})
    np.testing.assert_array_equal(posterior.bijector.forward(eps), expected)


def test_an_encoder_that_is_sure_has_its_way(vae):
    loc = np.random.default_rng(2).normal(size=(5, LATENTS)).astype(np.float32)
    params = tf.constant(np.concatenate([loc, np.full_like(loc, -60.0)], axis=-1))
    eps = np.ones((5, LATENTS), np.float32)
    with tf.GradientTape() as tape:
        tape.watch(params)
        z = vae.posterior_layer(params).bijector.forward(eps)
    np.testing.assert_allclose(z, loc, rtol=1e-6)
    gradient = tape.gradient(z, params)[:, :LATENTS]
    np.testing.assert_allclose(gradient, np.ones_like(loc), rtol=1e-6)  # finite, and the mean's own


def test_where_the_prior_is_standard_the_encoder_gives_the_mean_itself(vae, x):
    top = slice(LATENTS - SIZES[-1], LATENTS)
    loc, log_variance = np.split(vae.encode(x), 2, axis=-1)
    mean = vae.posterior(x).mean()[:, top]  # exact: of draws and their mirror images
    np.testing.assert_allclose(mean, loc[:, top], rtol=1e-5, atol=1e-6)
    stddev = 1 / np.sqrt(1 + np.exp(-log_variance[:, top]))
    stretch = vae.posterior(x).stddev()[:, top] / stddev
    np.testing.assert_allclose(stretch, stretch[0, 0], rtol=1e-5)  # of draws that are the same
    assert 0.7 < stretch[0, 0] < 1.3  # more than 3 standard errors of that of 64 pairs


def test_the_decoder_hears_every_layer(vae, x):
    assert vae.decoder.input_shape == (None, SIZES[0] + HIDDEN)
    z = vae.posterior(x).mean().numpy()
    before = vae.likelihood(z).mean().numpy()
    for latent in range(LATENTS):
        other = z.copy()
        other[:, latent] += 1.0
        assert np.all(np.any(vae.likelihood(other).mean() != before, axis=(1, 2, 3))), latent


def test_posterior_and_prior_have_the_same_weights_and_the_model_has_each_once(vae):
    prior, posterior = vae.prior_layer, vae.posterior_layer
    assert posterior.weights == []
    assert list(map(id, posterior.shared_variables)) == list(map(id, prior.variables))
    assert len({id(v) for v in vae.variables}) == len(vae.variables)
    networks = (vae.encoder, vae.decoder)
    assert len(vae.variables) == len(prior.variables) + sum(len(n.variables) for n in networks)


@pytest.mark.parametrize("objective", ["elbo", "stl", "dreg(num_samples=3)"])
def test_the_gradient_of_a_shared_weight_is_that_of_both_its_uses(vae, x, objective):
    apart = components.build(DistributionLayer, f"ladder({OPTIONS})", LATENTS)
    apart.build((None, *apart.params_shape))
    apart.set_weights(vae.prior_layer.get_weights())
    objective = components.build(Objective, objective)
    seeds, step = noise.row_seeds(noise.seed_of(0), len(x)), tf.constant(0)

    def gradients(layer, sources):
        with tf.GradientTape() as tape:
            posterior = layer(vae.encode(x))
            terms = objective(x, posterior, vae.prior(), vae.likelihood, step, seeds)
            bound = tf.reduce_mean(terms.bound)
        return bound, tape.gradient(bound, sources)

    shared = vae.prior_layer.trainable_variables
    bound, together = gradients(vae.posterior_layer, [*shared, *vae.encoder.trainable_variables])
    bound_apart, each = gradients(apart, [*shared, *apart.trainable_variables])
    assert bound == bound_apart
    for i, variable in enumerate(shared):
        of_prior, of_posterior = each[i], each[i + len(shared)]
        assert np.any(of_prior), variable.path
        assert np.any(of_posterior), variable.path
        expected = of_prior + of_posterior
        np.testing.assert_allclose(together[i], expected, rtol=1e-4, atol=1e-5)  # another order
    assert all(np.any(gradient) for gradient in together)


def test_with_another_prior_the_posterior_has_a_path_of_its_own():
    one, other = (
        VAE(EVENT, LATENTS, posterior=f"ladder({OPTIONS})", prior="mixture") for _ in range(2)
    )
    assert len(one.posterior_layer.trainable_variables) == 12
    assert one.posterior_layer.shared_variables == ()
    assert len({id(v) for v in one.variables}) == len(one.variables)
    for weight, again in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)  # of the seed of the model


def test_a_saved_model_shares_its_path_again(x, z, tmp_path):
    vae = make(objective="iwae(num_samples=2)")
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae.fit(x, verbose=0)
    vae.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.prior().log_prob(z), vae.prior().log_prob(z))
    np.testing.assert_array_equal(again.posterior(x).log_prob(z), vae.posterior(x).log_prob(z))
    shared = again.posterior_layer.shared_variables
    assert list(map(id, shared)) == list(map(id, again.prior_layer.variables))
    assert len(again.optimizer.variables) == len(vae.optimizer.variables)


@pytest.mark.parametrize("option", ["sizes=(1, 2, 2)", "sizes=(3, 2)", "hidden=5"])
def test_a_posterior_of_other_layers_than_the_prior_is_refused(option):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        make(posterior=f"ladder({option})")
    assert str(caught.value) == (
        f"The posterior `ladder` goes down the path of the prior `ladder({OPTIONS})`, so their "
        f"layers are the same. Received {option}. Leave the options of the posterior out: "
        f"`--posterior ladder`."
    )


@pytest.mark.parametrize("base", [DistributionLayer, Prior])
@pytest.mark.parametrize("sizes", [(), (2, 2), (5, 0), (2.5, 2.5), 5, "ab", (6, -1)])
def test_sizes_that_are_none_are_refused(base, sizes):
    with pytest.raises(ValueError, match="positive ints that add up to these 5, such as"):
        components.build(base, f"ladder(sizes={sizes!r})", LATENTS)
