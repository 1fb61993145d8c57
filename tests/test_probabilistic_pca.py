"""A linear VAE reaches the maximum likelihood of probabilistic PCA, which is known."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distributions import DiagonalNormal, reparameterize
from tfvae.evaluation import ppca
from tfvae.vae import VAE

SIZE, LATENTS, NUM = 6, 2, 500


@pytest.fixture(scope="module")
def x():
    """Data of a linear-Gaussian model, with latents of different importance."""
    rng = np.random.default_rng(3)
    loadings = rng.normal(size=(SIZE, LATENTS)) * [1.5, 0.8]
    z = rng.normal(size=(NUM, LATENTS))
    x = z @ loadings.T + rng.normal(size=SIZE) + 0.5 * rng.normal(size=(NUM, SIZE))
    return x.astype(np.float32)


def test_the_density_is_that_of_scipy(x):
    model = ppca.fit([x[:200], x[200:]], LATENTS)
    covariance = model.loadings @ model.loadings.T + model.variance * np.eye(SIZE)
    expected = scipy.stats.multivariate_normal(model.mean, covariance).logpdf(x)
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-8)


def test_the_fit_is_the_maximum(x):
    model = ppca.fit([x], LATENTS)
    best = model.log_prob(x).mean()
    # log p = -1/2 (n log 2 pi + log det C + tr(C^-1 S)), with tr(C^-1 S) = n at the maximum.
    covariance = model.loadings @ model.loadings.T + model.variance * np.eye(SIZE)
    log_det = np.linalg.slogdet(covariance).logabsdet
    assert best == pytest.approx(-0.5 * (SIZE * (np.log(2 * np.pi) + 1) + log_det), rel=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = ppca.ProbabilisticPCA(
            model.mean + 0.02 * rng.normal(size=SIZE),
            model.loadings + 0.02 * rng.normal(size=(SIZE, LATENTS)),
            model.variance * np.exp(0.02 * rng.normal()),
        )
        assert other.log_prob(x).mean() < best


@pytest.mark.parametrize("latent_size", [0, SIZE])
def test_a_number_of_latents_that_leaves_nothing_over_is_refused(x, latent_size):
    with pytest.raises(ValueError, match=f"it has fewer latents. Received latent_size={latent_size}"):
        ppca.fit([x], latent_size)


class OneVariance(DistributionLayer, name="one_variance_of_this_test"):
    """p(x|z) = N(params, exp(2 log_scale) I), with one scale for all data."""

    reparameterized = True

    def __init__(self, event_shape, **kwargs):
        super().__init__(event_shape, **kwargs)
        self.log_scale = self.add_weight(shape=(), initializer="zeros", name="log_scale")

    @property
    def params_shape(self):
        return self.event_shape

    def _distribution(self, params):
        return DiagonalNormal(params, tf.fill(tf.shape(params), self.log_scale.value))

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)


@pytest.mark.parametrize("objective", ["elbo", "stl"])
def test_a_linear_vae_reaches_the_maximum_likelihood_of_probabilistic_pca(x, objective):
    best = ppca.fit([x], LATENTS).log_prob(x).mean()
    vae = VAE(
        (SIZE,),
        LATENTS,
        network="mlp(hidden=())",
        likelihood=OneVariance((SIZE,)),
        objective=objective,
    )
    num_steps = 1500
    rate = keras.optimizers.schedules.CosineDecay(0.03, num_steps)
    vae.compile(keras.optimizers.Adam(rate))
    blocks = np.broadcast_to(x, (50, *x.shape))  # steps on all examples, in one XLA program
    data = tf.data.Dataset.from_tensors(blocks).repeat()
    vae.fit(data, steps_per_epoch=num_steps // 50, shuffle=False, verbose=0)
    seeds = noise.fold_in(noise.row_seeds(noise.seed_of(0), NUM), 1)
    elbos = [
        vae.terms(x, noise.fold_in(seeds, i)).metrics["elbo"].numpy().mean() for i in range(200)
    ]
    error = np.std(elbos) / len(elbos) ** 0.5
    assert error < 1e-3
    # A bound on a likelihood that is no higher than the best; float32 has 1e-5 of some nats.
    assert best - 0.01 < np.mean(elbos) < best + 3 * error
    # And log p(x) itself, of the learned decoder in closed form.
    weights, bias = vae.decoder.get_weights()
    scale = float(vae.likelihood_layer.log_scale.value)
    model = ppca.ProbabilisticPCA(bias, np.float64(weights).T, np.exp(2 * scale))
    assert best - 0.01 < model.log_prob(x).mean() <= best + 1e-5
