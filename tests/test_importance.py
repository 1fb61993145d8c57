"""The importance-weighted estimate of log p(x), against models whose log p(x) is known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise, side_by_side
from tfvae.evaluation import importance

pytestmark = pytest.mark.xla

# float32 with terms of up to twenty nats that cancel.
DIGITS = 1e-4


@pytest.fixture(scope="module")
def vae(linear_gaussian):
    """The known model, with the exact posterior."""
    return linear_gaussian.vae()


@pytest.fixture(scope="module")
def off(linear_gaussian):
    """The known model, with a posterior that is off."""
    return linear_gaussian.vae(shift=0.2, widen=0.5)


def seeds_for(x, seed=0):
    return noise.row_seeds(noise.seed_of(seed), len(x))


def test_each_weight_is_the_likelihood_at_the_exact_posterior(linear_gaussian, vae):
    x = linear_gaussian.x
    seeds = noise.fold_in(seeds_for(x)[tf.newaxis], tf.range(50)[:, tf.newaxis])
    weights = importance.log_weights(vae, x, seeds)
    assert weights.shape == (50, len(x))
    # log p(x|z) + log p(z) - log q(z|x) = log p(x) for every z, by Bayes.
    expected = np.broadcast_to(linear_gaussian.log_prob, weights.shape)
    np.testing.assert_allclose(weights, expected, atol=DIGITS)


def test_weights_average_to_the_likelihood_away_from_it(linear_gaussian, off):
    num = 20_000
    seeds = noise.fold_in(seeds_for(linear_gaussian.x)[tf.newaxis], tf.range(num)[:, tf.newaxis])
    weights = np.exp(importance.log_weights(off, linear_gaussian.x, seeds) - np.float64(0))
    ratio = weights / np.exp(linear_gaussian.log_prob)
    error = ratio.std(axis=0) / num**0.5
    assert np.all(error < 0.02)
    assert np.all(np.abs(ratio.mean(axis=0) - 1) < 5 * error)


@pytest.mark.parametrize("num_samples", [1, 3000])
def test_the_estimate_is_exact_at_the_exact_posterior(linear_gaussian, vae, num_samples):
    x = linear_gaussian.x
    estimate = importance.log_likelihood(vae, x, seeds_for(x), num_samples)
    assert estimate.shape == (len(x),)
    np.testing.assert_allclose(estimate, linear_gaussian.log_prob, atol=DIGITS)


def test_the_estimate_is_the_log_of_the_mean_weight(linear_gaussian, off):
    x = linear_gaussian.x
    seeds = seeds_for(x)
    weights = importance.log_weights(
        off, x, noise.fold_in(seeds[tf.newaxis], tf.range(9)[:, tf.newaxis])
    )
    expected = np.log(np.exp(np.float64(weights)).mean(axis=0))
    estimate = importance.log_likelihood(off, x, seeds, 9)
    np.testing.assert_allclose(estimate, expected, atol=DIGITS)


def test_the_estimate_converges_to_the_likelihood(linear_gaussian, off):
    x = linear_gaussian.x
    estimate = importance.log_likelihood(off, x, seeds_for(x), 20_000)
    # The standard error of the mean weight above is below 0.02 of it; here as there.
    np.testing.assert_allclose(estimate, linear_gaussian.log_prob, atol=0.1)


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_chunks_do_not_change_the_estimate(linear_gaussian, off, monkeypatch, rows):
    x = linear_gaussian.x
    whole = importance.log_likelihood(off, x, seeds_for(x), 5)
    chunks = []

    def add_weights(*arguments):
        begin, num, chunk = map(int, arguments[-3:])
        chunks.extend(range(begin + i * chunk, begin + (i + 1) * chunk) for i in range(num))
        return python(*arguments)

    python = importance._add_weights.python_function  # without XLA
    monkeypatch.setattr(importance, "_add_weights", add_weights)
    monkeypatch.setattr(importance, "_ROWS", rows)
    estimate = importance.log_likelihood(off, x, seeds_for(x), 5)
    assert sorted(index for chunk in chunks for index in chunk) == list(range(5))
    assert max(map(len, chunks)) == max(1, min(5, rows // 5))
    # The same five weights, added up in another order.
    np.testing.assert_allclose(estimate, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 7, 12])
def test_the_decoder_sees_exactly_k_codes_of_each_example(
    linear_gaussian, off, monkeypatch, num_samples
):
    x = linear_gaussian.x
    seen, told = [], []
    decode = type(off).decode

    def counting(model, z):
        seen.append(np.reshape(z, [-1, 2]))
        return decode(model, z)

    monkeypatch.setattr(type(off), "decode", counting)
    monkeypatch.setattr(importance, "_add_weights", importance._add_weights.python_function)
    monkeypatch.setattr(importance, "_ROWS", 3 * len(x))  # chunks of three samples and a rest
    monkeypatch.setattr(importance, "_CALL_ROWS", 6 * len(x))
    importance.log_likelihood(off, x, seeds_for(x), num_samples, told.append)
    assert max(map(len, seen)) <= 3 * len(x)  # whatever K is
    codes = np.concatenate(seen)
    assert len(codes) == num_samples * len(x) == sum(told)
    assert len(np.unique(codes, axis=0)) == len(codes)  # no code counts twice


def test_calls_side_by_side_have_the_bits_of_one_after_the_other(off, monkeypatch):
    """Compiled: threads trace and run one program."""
    x = np.random.default_rng(0).normal(size=[9, 4]).astype(np.float32)  # of a shape of its own
    monkeypatch.setattr(importance, "_CALL_ROWS", 9 * 40)
    monkeypatch.setattr(importance, "_ROWS", 9 * 20)
    monkeypatch.setattr(side_by_side, "num_cores", lambda: 2)
    together = importance.log_likelihood(off, x, seeds_for(x), 1000)
    monkeypatch.setattr(side_by_side, "_has_accelerator", lambda: True)
    np.testing.assert_array_equal(together, importance.log_likelihood(off, x, seeds_for(x), 1000))


def test_an_example_has_the_same_estimate_in_a_batch_of_any_size(linear_gaussian, off, monkeypatch):
    monkeypatch.setattr(importance, "_add_weights", importance._add_weights.python_function)
    x, seeds = linear_gaussian.x, seeds_for(linear_gaussian.x)
    whole = importance.log_likelihood(off, x, seeds, 300)
    parts = [importance.log_likelihood(off, x[i : i + 2], seeds[i : i + 2], 300) for i in (0, 2)]
    np.testing.assert_allclose(np.concatenate(parts), whole[:4], rtol=1e-5, atol=1e-5)


def relative_variance(model, shift, widen):
    """Var(w / p(x)) of Gaussian weights, in closed form: the chi-squared divergence of p from q."""
    distance = shift / np.sqrt(model.posterior_variance)
    c = np.exp(widen)  # variance of q over that of p
    terms = c**0.5 / np.sqrt(2 - 1 / c) * np.exp(distance**2 / (2 * c - 1))
    return np.prod(terms) - 1


@pytest.mark.parametrize("num_samples", [16, 64])
def test_the_bias_falls_as_the_variance_of_a_weight_over_2_k(linear_gaussian, off, num_samples):
    """E[log p(x) - estimate] = Var(w / p(x)) / (2 k) + O(1 / k**2) (Domke and Sheldon)."""
    runs = 20_000
    x = np.tile(linear_gaussian.x, (runs, 1))
    estimate = importance.log_likelihood(off, x, seeds_for(x), num_samples)
    truth = np.tile(linear_gaussian.log_prob, runs)
    lack = truth - np.float64(estimate)
    error = lack.std() / len(lack) ** 0.5
    expected = relative_variance(linear_gaussian, 0.2, 0.5) / (2 * num_samples)
    # What is of order 1 / k**2 is a tenth of it at k = 16, by the skewness of the weights.
    assert lack.mean() == pytest.approx(expected, abs=5 * error + expected * 2 / num_samples)
    # From below: the mean over the runs never passes the truth, for any example.
    assert np.all(lack.reshape(runs, -1).mean(axis=0) > -5 * lack.std() / runs**0.5)


@dataclasses.dataclass(frozen=True)
class Offset:
    """Something with a `log_prob`, plus a constant."""

    distribution: object
    offset: float

    def log_prob(self, x):
        return self.distribution.log_prob(x) + self.offset


@dataclasses.dataclass(frozen=True)
class OffsetModel:
    """A model whose likelihood is a constant factor off."""

    vae: object
    offset: float

    def posterior(self, x):
        return self.vae.posterior(x)

    def prior(self):
        return self.vae.prior()

    def likelihood(self, z):
        return Offset(self.vae.likelihood(z), self.offset)


@pytest.mark.parametrize("offset", [-5000.0, 5000.0])  # far outside what exp can hold
def test_no_weight_is_too_small_or_too_large(linear_gaussian, vae, offset):
    x = linear_gaussian.x
    model = OffsetModel(vae, offset)
    estimate = importance.log_likelihood(model, x, seeds_for(x), 7)
    # float32 has three decimals left at 5000.
    np.testing.assert_allclose(estimate - offset, linear_gaussian.log_prob, atol=5e-3)


@pytest.mark.parametrize("num_samples", [0, -3, 2.5, "7"])
def test_a_number_of_samples_that_is_not_positive_is_refused(linear_gaussian, vae, num_samples):
    x = linear_gaussian.x
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        importance.log_likelihood(vae, x, seeds_for(x), num_samples)
    assert str(caught.value) == f"`num_samples` is a positive int. Received {num_samples!r}."
