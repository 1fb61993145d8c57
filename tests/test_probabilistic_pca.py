"""A linear VAE reaches the maximum likelihood of probabilistic PCA, which is known."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae import components, noise
from tfvae.evaluation import ppca
from tfvae.objectives.base import Objective
from tfvae.vae import VAE

SIZE, LATENTS, NUM = 5, 2, 200


@pytest.fixture(scope="module")
def x():
    """Data of a linear-Gaussian model, with latents of different importance.

    A posterior with a diagonal covariance is exact where the loadings are orthogonal, and turning
    them there is slow if the latents are alike.
    """
    rng = np.random.default_rng(3)
    loadings = np.linalg.qr(rng.normal(size=(SIZE, LATENTS))).Q * [3.0, 1.2]
    z = rng.normal(size=(NUM, LATENTS))
    x = z @ loadings.T + rng.normal(size=SIZE) + 0.7 * rng.normal(size=(NUM, SIZE))
    return x.astype(np.float32)


def test_the_density_is_that_of_scipy(x):
    model = ppca.fit([x[:150], x[150:]], LATENTS)
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
    with pytest.raises(
        ValueError, match=f"it has fewer latents. Received latent_size={latent_size}"
    ):
        ppca.fit([x], latent_size)


def test_a_linear_vae_reaches_the_maximum_likelihood_of_probabilistic_pca(x):
    best = ppca.fit([x], LATENTS).log_prob(x).mean()
    one_variance = "normal(covariance='shared')"
    vae = VAE((SIZE,), LATENTS, network="mlp(hidden=())", likelihood=one_variance)
    num_steps = 1200
    rate = keras.optimizers.schedules.CosineDecay(0.1, num_steps)
    vae.compile(keras.optimizers.Adam(rate), jit_compile=False)
    blocks = np.broadcast_to(x, (50, *x.shape))  # steps on all examples
    data = tf.data.Dataset.from_tensors(blocks).repeat()
    vae.fit(data, steps_per_epoch=num_steps // 50, shuffle=False, verbose=0)
    # Near the exact posterior log p(x|z) + log p(z) - log q(z|x) hardly depends on z.
    monte_carlo = components.build(Objective, "elbo(kl='monte_carlo', num_samples=100)")
    seeds = noise.row_seeds(noise.seed_of(9), NUM)
    parts = (vae.posterior(x), vae.prior(), vae.likelihood)
    elbo = monte_carlo(x, *parts, step=0, seed=seeds).bound.numpy().mean()
    # A bound on a likelihood that is no higher than the best; float32 has 1e-5 of some nats.
    assert best - 0.01 < elbo < best + 1e-3
    # And log p(x) itself, of the learned decoder in closed form.
    weights, bias = vae.decoder.get_weights()
    variance = float(vae.likelihood(tf.zeros([1, LATENTS])).variance()[0, 0])
    model = ppca.ProbabilisticPCA(bias, np.float64(weights).T, variance)
    assert best - 0.01 < model.log_prob(x).mean() <= best + 1e-5
