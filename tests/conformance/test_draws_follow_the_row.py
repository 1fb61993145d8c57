"""A draw depends on its row's seed alone, not on the batch it travels in."""

import cases
import numpy as np
import pytest

from tfvae import noise

SEEDS = noise.row_seeds(noise.seed_of(3), 7)


def _check(sample, digits=1e-6):
    """Checks a function of an array of row numbers."""
    rows = np.arange(7)
    together = sample(rows)
    np.testing.assert_array_equal(sample(rows), together)
    _equal(sample(rows[::-1]), together[::-1], digits)
    _equal(sample(rows[2:5]), together[2:5], digits)
    ends = np.concatenate([sample(rows[i : i + 1]) for i in (0, 6)])
    _equal(ends, together[[0, 6]], digits)


def _equal(draws, expected, digits):
    # Noise is equal bit by bit (tests/test_noise.py); erfinv and exp are not: the elements at the
    # end of a tensor that fill no vector register take another path, off by a last digit.
    np.testing.assert_allclose(draws, expected, rtol=digits, atol=digits)


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_a_row_of_a_layer_draws_the_same_in_every_batch(spec):
    layer = cases.layer(spec, (2, 1, 3))
    params = cases.params_of(layer, 7)
    _check(lambda rows: layer.sample(params[rows], SEEDS.numpy()[rows]).numpy())


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_a_row_of_a_prior_draws_the_same_in_every_batch(spec):
    prior = cases.BoundPrior(spec, 3)
    _check(lambda rows: prior.sample(SEEDS.numpy()[rows]).numpy(), digits=1e-5)  # as below


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_another_seed_draws_something_else_from_a_layer(spec):
    layer = cases.layer(spec, (40,))
    params = np.repeat(cases.params_of(layer, 1), 7, axis=0)
    draws = layer.sample(params, SEEDS).numpy()
    assert len(np.unique(draws, axis=0)) == 7


@pytest.mark.parametrize("spec", cases.specs("priors"))
def test_another_seed_draws_something_else_from_a_prior(spec):
    assert len(np.unique(cases.BoundPrior(spec, 3).sample(SEEDS), axis=0)) == 7


@pytest.mark.parametrize("spec", cases.posteriors())
def test_a_row_of_a_posterior_draws_the_same_in_every_batch(spec):
    layer = cases.layer(spec)
    params = cases.params_of(layer, 7)
    # A flow's matrix products add up in another order for another batch size.
    _check(lambda rows: layer.sample(params[rows], SEEDS.numpy()[rows]).numpy(), digits=1e-5)
