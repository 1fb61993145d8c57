"""Annealing in the latent space, against a model whose log p(x) is known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise
from tfvae.evaluation import annealing, tightness

pytestmark = pytest.mark.xla

# One size for all, so that one program is compiled.
CHAINS, EXAMPLES, STEPS = 8, 100, 12


@pytest.fixture(scope="module")
def vae(linear_gaussian):
    """The known model, with a posterior that is off, which annealing doesn't use."""
    return linear_gaussian.vae(shift=0.2, widen=0.5)


@pytest.fixture(scope="module")
def drawn(vae):
    """Examples of the model, and the codes that they were drawn from."""
    return vae.generate(noise.row_seeds(noise.seed_of(1), EXAMPLES))


@pytest.fixture(scope="module")
def truth(linear_gaussian, drawn):
    return dataclasses.replace(linear_gaussian, x=drawn["x"].numpy()).log_prob


def seeds_of(number):
    seeds = noise.row_seeds(noise.seed_of(number), CHAINS * EXAMPLES)
    return tf.reshape(seeds, [CHAINS, EXAMPLES, 2])


@pytest.fixture(scope="module")
def given():
    return {
        "betas": annealing.temperatures(STEPS),
        "step_sizes": np.full([STEPS, EXAMPLES], 0.3, np.float32),
    }


def is_one_on_average(weights):
    """Says whether weights average to 1; those of the chains of an example aren't independent."""
    means = np.exp(weights).mean(axis=0)
    error = means.std() / len(means) ** 0.5
    assert error < 0.1
    return abs(means.mean() - 1) < 5 * error


def test_weights_of_chains_from_the_prior_average_to_the_likelihood(vae, drawn, truth, given):
    z = noise.normal(seeds_of(2), (2,))
    weights, _ = annealing.forward(vae, drawn["x"], z, seeds_of(3), **given)
    assert weights.shape == (CHAINS, EXAMPLES)
    assert is_one_on_average(np.float64(weights) - truth)


def test_inverse_weights_of_chains_back_from_the_posterior_average_to_its_inverse(
    vae, drawn, truth, given
):
    z = tf.repeat(drawn["z"][tf.newaxis], CHAINS, axis=0)
    weights = annealing.reverse(vae, drawn["x"], z, seeds_of(4), **given)
    assert is_one_on_average(truth - np.float64(weights))


def test_log_p_lies_between_the_bounds_which_close_with_more_steps(linear_gaussian, vae):
    gaps = {}
    for num_steps in (5, 100):
        found = tightness.bracket(vae, EXAMPLES, num_steps=num_steps)
        known = dataclasses.replace(linear_gaussian, x=found["x"].numpy()).log_prob
        below, above = known - found["lower"].numpy(), found["upper"].numpy() - known
        for side in (below, above):
            assert side.mean() > -4 * side.std() / len(side) ** 0.5
        gaps[num_steps] = (below + above).mean()
    assert gaps[100] < 0.1 < gaps[5]  # nats


def test_examples_in_parts_have_the_bounds_of_all_at_once(vae, monkeypatch):
    monkeypatch.setattr(annealing, "_take_steps", annealing._take_steps.python_function)
    whole = tightness.bracket(vae, 5, num_steps=8)
    monkeypatch.setattr(tightness, "_AT_ONCE", 2)
    parts = tightness.bracket(vae, 5, num_steps=8)
    assert tightness.num_steps_of(5, 8) == 3 * 3 * 8
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5, atol=1e-5)


def test_step_sizes_are_found_that_accept_most_moves(vae, drawn):
    betas = annealing.temperatures(60)
    z = noise.normal(seeds_of(5), (2,))
    _, sizes = annealing.forward(vae, drawn["x"], z, seeds_of(6), betas)
    assert sizes.shape == (60, EXAMPLES)
    assert np.all(sizes[-1] > sizes[0])  # it begins with small ones, and finds larger ones


def test_the_bound_is_placed_between_what_it_lacks_at_least_and_at_most(vae):
    told = []
    options = {"num_samples": 2, "num_steps": 60}
    found = tightness.tightness(vae, EXAMPLES, **options, on_steps=told.append)
    assert sum(told) == tightness.num_steps_of(EXAMPLES, 60) == 2 * 3 * 60  # 50 at once
    assert found["gap"] == pytest.approx(found["upper"] - found["lower"], abs=1e-4)
    lack = found["log_likelihood"] + np.array([found["lack_at_least"], found["lack_at_most"]])
    np.testing.assert_allclose(lack, [found["lower"], found["upper"]], atol=1e-4)
    # With two samples from a posterior that is off, a bound lacks a tenth of a nat or so.
    assert found["lack_at_most"] > 0.03
    assert found == tightness.tightness(vae, EXAMPLES, **options)
