"""KL(q || p) in closed form is the mean of log q - log p, never negative, zero at equality."""

import itertools

import cases
import numpy as np
import pytest

from tfvae import noise
from tfvae.distributions import reparameterize
from tfvae.divergences import closed_kl

NUM = 50_000
LATENTS = 3


def _posterior(spec, batch=6, seed=0):
    layer = cases.layer(spec, (LATENTS,))
    return layer(cases.params_of(layer, batch, seed))


PAIRS = list(itertools.product(cases.posteriors(), cases.specs("priors")))
CLOSED = [
    (posterior, prior)
    for posterior, prior in PAIRS
    if closed_kl(_posterior(posterior), cases.BoundPrior(prior, LATENTS).distribution()) is not None
]


def test_gaussian_pairs_have_a_closed_form():
    others = ("hierarchical", "iaf", "ladder")
    gaussian = [spec for spec in cases.posteriors() if cases.name_of(spec) not in others]
    assert set(itertools.product(gaussian, ["standard_normal"])) <= set(CLOSED)
    assert set(CLOSED) < set(PAIRS)


@pytest.mark.parametrize(("posterior", "prior"), CLOSED)
def test_the_closed_form_agrees_with_monte_carlo(posterior, prior):
    q = _posterior(posterior)
    p = cases.BoundPrior(prior, LATENTS).distribution()
    z = reparameterize(q, noise.row_seeds(noise.seed_of(0), 6), NUM)
    ratio = np.float64(q.log_prob(z) - p.log_prob(z))
    kl = q.kl_divergence(p)
    assert kl.shape == (6,)
    assert np.all(kl > 0)
    np.testing.assert_array_less(np.abs(ratio.mean(0) - kl), 5 * ratio.std(0) / NUM**0.5)


WITHIN = [
    spec
    for spec in cases.posteriors()
    if closed_kl(_posterior(spec), _posterior(spec, seed=1)) is not None
]


@pytest.mark.parametrize("posterior", WITHIN)
def test_the_divergence_from_itself_is_zero(posterior):
    divergence = _posterior(posterior).kl_divergence(_posterior(posterior))
    # A triangular solve may multiply by a rounded reciprocal, whose square this is.
    np.testing.assert_allclose(divergence, 0, atol=1e-12)


@pytest.mark.parametrize("posterior", WITHIN)
def test_the_divergence_between_posteriors_agrees_with_monte_carlo(posterior):
    layer = cases.layer(posterior, (LATENTS,))
    q, p = (layer(cases.params_of(layer, 6, seed)) for seed in (0, 1))
    z = reparameterize(q, noise.row_seeds(noise.seed_of(0), 6), NUM)
    ratio = np.float64(q.log_prob(z) - p.log_prob(z))
    difference = np.abs(ratio.mean(0) - q.kl_divergence(p))
    np.testing.assert_array_less(difference, 5 * ratio.std(0) / NUM**0.5)


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_the_divergence_of_a_prior_from_itself_is_zero_where_it_is_known(spec):
    prior = cases.BoundPrior(spec, LATENTS)
    kl = closed_kl(prior.distribution(), prior.distribution())
    assert kl is None or kl.numpy() == 0


@pytest.mark.parametrize("precision", [0.25, 1.0, 9.0])
def test_a_precision_of_the_prior_comes_with_its_whole_determinant(precision):
    layer = cases.build("distribution_layers", "normal", LATENTS)
    params = cases.params_of(layer, 6)
    prior = cases.build("priors", f"standard_normal(precision={precision})", LATENTS)
    loc, log_variance = np.split(np.float64(params), 2, axis=-1)
    # KL(N(m, S) || N(0, I/p)) = (p (tr S + m^T m) - n - n log p - log det S) / 2, no term dropped.
    squares = precision * (np.exp(log_variance) + loc**2)
    expected = 0.5 * (squares - 1 - np.log(precision) - log_variance).sum(axis=-1)
    kl = layer(params).kl_divergence(prior.distribution())
    np.testing.assert_allclose(kl, expected, rtol=1e-5)  # a few terms in float32
