"""KL(q || p) in closed form is the mean of log q - log p, never negative, zero at equality."""

import itertools

import cases
import numpy as np
import pytest

from tfvae import noise
from tfvae.distributions import reparameterize

NUM = 50_000
LATENTS = 3


def _posterior(spec, batch=6):
    layer = cases.layer(spec, (LATENTS,))
    return layer(cases.params_of(layer, batch))


@pytest.mark.parametrize(
    ("posterior", "prior"), list(itertools.product(cases.posteriors(), cases.specs("priors")))
)
def test_the_closed_form_agrees_with_monte_carlo(posterior, prior):
    q = _posterior(posterior)
    p = cases.build("priors", prior, LATENTS).distribution()
    z = reparameterize(q, noise.row_seeds(noise.seed_of(0), 6), NUM)
    ratio = np.float64(q.log_prob(z) - p.log_prob(z))
    kl = q.kl_divergence(p)
    assert kl.shape == (6,)
    assert np.all(kl > 0)
    np.testing.assert_array_less(np.abs(ratio.mean(0) - kl), 5 * ratio.std(0) / NUM**0.5)


@pytest.mark.parametrize("posterior", cases.posteriors())
def test_the_divergence_from_itself_is_zero(posterior):
    divergence = _posterior(posterior).kl_divergence(_posterior(posterior))
    # A triangular solve may multiply by a rounded reciprocal, whose square this is.
    np.testing.assert_allclose(divergence, 0, atol=1e-12)


@pytest.mark.parametrize("posterior", cases.posteriors())
def test_the_divergence_between_posteriors_agrees_with_monte_carlo(posterior):
    layer = cases.layer(posterior, (LATENTS,))
    q, p = (layer(cases.params_of(layer, 6, seed)) for seed in (0, 1))
    z = reparameterize(q, noise.row_seeds(noise.seed_of(0), 6), NUM)
    ratio = np.float64(q.log_prob(z) - p.log_prob(z))
    difference = np.abs(ratio.mean(0) - q.kl_divergence(p))
    np.testing.assert_array_less(difference, 5 * ratio.std(0) / NUM**0.5)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_the_divergence_of_a_prior_from_itself_is_zero(spec):
    prior = cases.build("priors", spec, LATENTS)
    assert prior.distribution().kl_divergence(prior.distribution()).numpy() == 0
