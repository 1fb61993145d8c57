"""Each measure of disentanglement against closed forms and other ways to the same number."""

import importlib.util
import itertools

import numpy as np
import pytest
import scipy.stats

from tfvae import components
from tfvae.disentanglement import dci, mig, sap
from tfvae.disentanglement.base import Metric, bins


def measure(spec, codes, factors, **kwargs):
    return components.build(Metric, spec).measure(codes, factors, **kwargs)


def grid(*sizes, times=1):
    """Returns every combination of factors, equally often."""
    index = np.arange(np.prod(sizes))
    return np.tile(np.stack(np.unravel_index(index, sizes), axis=1), (times, 1))


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# MIG


def test_the_gap_of_a_noisy_channel_is_its_capacity():
    # A bit that arrives wrong once in four times: I = log 2 - H(1/4), exactly, of 8 examples.
    sent = np.array([0, 0, 0, 0, 1, 1, 1, 1])[:, np.newaxis]
    received = np.array([0, 0, 0, 1, 1, 1, 1, 0])[:, np.newaxis]
    entropy = scipy.stats.entropy([0.25, 0.75])
    found = measure("mig", np.hstack([received, 0 * received]), sent)["mig"]
    assert found.value == pytest.approx(1 - entropy / np.log(2), abs=1e-12)


def test_the_gap_closes_where_two_latents_say_the_same():
    factors = grid(4, 5)
    found = measure("mig", np.hstack([factors, factors[:, :1]]), factors)["mig"]
    np.testing.assert_allclose(found.by_factor, [0, 1], atol=1e-12)


def test_the_gap_closes_under_a_rotation_by_45_degrees():
    factors = grid(5, 5)
    turned = factors @ np.array([[1, 1], [-1, 1]])  # by symmetry both latents know the same
    assert measure("mig", turned, factors)["mig"].value == pytest.approx(0, abs=1e-12)


def test_a_latent_of_noise_seems_to_know_what_the_docstring_says():
    factors, num = grid(5, times=4000), 20_000
    known = mig.information(bins(noise((num, 30)), 20), factors)
    # Bins at the ends of a Gaussian are empty or rare, so the number of bins that count is lower.
    assert 0.4 < known.mean() / ((20 - 1) * (5 - 1) / (2 * num)) < 1.05


def test_bins_are_those_of_a_histogram():
    values = noise((1000, 3))
    found = bins(values, 7)
    for column, binned in zip(values.T, found.T, strict=True):
        np.testing.assert_array_equal(np.bincount(binned, minlength=7), np.histogram(column, 7)[0])


# SAP


def test_the_scores_of_a_scale_are_those_of_a_regression():
    factors = grid(6, 7, times=3)
    codes = factors @ noise((2, 3)) + noise((len(factors), 3))
    for values in factors.T:
        expected = [scipy.stats.linregress(z, values).rvalue ** 2 for z in codes.T]
        np.testing.assert_allclose(sap._r_squared(codes, values), expected, rtol=1e-9)


def balanced_accuracy(cuts, order, z, classes):
    given = order[np.searchsorted(cuts, z, side="right")]
    return np.mean([(given[classes == c] == c).mean() for c in np.unique(classes)])


@pytest.mark.parametrize("seed", range(5))
def test_no_thresholds_are_better(seed):
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(14) % 3)
    z = np.round(classes * 0.7 + rng.normal(size=14), 1)  # with ties
    cuts, order = sap.thresholds(z, classes, 3)
    places = np.concatenate([[-np.inf], np.unique(z), [np.inf]])
    every = itertools.combinations_with_replacement(places, 2)
    best = max(balanced_accuracy(np.array(pair), order, z, classes) for pair in every)
    assert balanced_accuracy(cuts, order, z, classes) == pytest.approx(best, abs=1e-12)


def test_a_class_in_a_latent_of_its_own_is_ahead_of_chance():
    factors = grid(4, 3, times=10)
    constant = np.zeros((len(factors), 1))
    codes = np.hstack([factors[:, :1], constant, factors[:, 1:]])
    found = measure("sap", codes, factors)["sap"]
    # A latent that knows nothing is right in one class out of all, and chance helps it a little.
    np.testing.assert_allclose(found.by_factor, [1 - 1 / 4, 1 - 1 / 3], atol=0.15)
    alone = measure("sap", np.hstack([factors[:, :1], constant]), factors[:, :1])["sap"]
    assert alone.value == pytest.approx(1 - 1 / 4, abs=1e-12)


# The score of FactorVAE


def test_a_latent_that_is_there_twice_takes_nothing_from_the_vote():
    factors = grid(4, 5, times=5)
    codes = np.hstack([factors, factors[:, :1]])
    assert measure("factor_vae", codes, factors)["factor_vae"].value == 1.0


@pytest.mark.parametrize("blur", [0.0, 0.8])
def test_votes_on_examples_made_anew_agree_where_all_combinations_are_equally_frequent(blur):
    factors, rng = grid(4, 5, 3, times=40), np.random.default_rng(1)

    def codes_of(rows):
        assert np.all(rows == np.rint(rows))
        return rows + blur * rng.normal(size=rows.shape)

    codes = codes_of(factors)
    found = measure("factor_vae", codes, factors)["factor_vae"]
    anew = measure("factor_vae(anew=True)", codes, factors, codes_of=codes_of)["factor_vae"]
    # Five standard errors of the difference of two shares of 2000 votes.
    assert anew.value == pytest.approx(found.value, abs=5 * (2 * 0.25 / 2000) ** 0.5)
    assert (found.value == 1.0) == (anew.value == 1.0) == (blur == 0)


def test_examples_made_anew_vary_in_all_factors_but_one_and_cover_their_values():
    factors, seen = grid(4, 5), []
    spec = "factor_vae(anew=True, num_votes=60, num_samples=30)"
    measure(spec, factors, factors, codes_of=lambda rows: seen.append(rows) or rows)
    for rows in np.concatenate(seen).reshape(120, 30, 2):
        # That 30 draws of 4 values or more are all the same doesn't happen.
        assert sorted(np.ptp(rows, axis=0) == 0) == [False, True]
    np.testing.assert_array_equal(np.unique(np.concatenate(seen), axis=0), factors)


def test_a_measure_that_makes_examples_needs_data_that_can():
    with pytest.raises(ValueError, match="made anew, which this data set can't do"):
        measure("factor_vae(anew=True)", grid(3, 3), grid(3, 3))


def test_noise_is_right_as_often_as_the_commonest_factor():
    factors = grid(4, 5, 3, times=20)
    found = measure("factor_vae", noise((len(factors), 4)), factors)["factor_vae"]
    # Five standard errors of a share of 2000 votes.
    assert found.value == pytest.approx(1 / 3, abs=5 * (2 / 9 / 2000) ** 0.5)


def test_collapsed_latents_have_no_vote():
    factors = grid(4, 5, times=5)
    faint = 0.01 * noise((len(factors), 1))
    codes = np.hstack([faint, factors])
    assert measure("factor_vae", codes, factors)["factor_vae"].value == 1.0
    assert measure("factor_vae", faint, factors)["factor_vae"].value == 0.0


def test_a_value_that_one_example_has_is_never_held_fixed():
    # With one example nothing varies, and whichever latent comes first would have the vote.
    factors = grid(4, 5, times=5)
    factors[:50, 1] = 5 + np.arange(50)
    assert measure("factor_vae", factors, factors)["factor_vae"].value == 1.0
    factors[:, 1] = np.arange(len(factors))
    with pytest.raises(
        ValueError, match="Of factor 1, from 0 on, each of the 100 examples has a value of its"
    ):
        measure("factor_vae", factors, factors)


def test_votes_by_groups_are_votes_by_pictures_with_a_factor_held_fixed():
    # The mean of Var(z_i) / Var(z_i) over votes, against draws of the factors themselves.
    sizes, metric = (4, 6), components.build(Metric, "factor_vae(num_votes=1000)")
    mix = np.array([[1.0, 0.3], [0.2, 1.0]])
    factors = grid(*sizes, times=10)
    found = metric.measure(factors @ mix, factors)["factor_vae"]
    rng = np.random.default_rng(0)
    stddev = (factors @ mix).std(axis=0)
    votes = np.zeros((2, 2), int)
    for _ in range(1500):
        k = rng.integers(2)
        drawn = np.stack([rng.integers(size, size=64) for size in sizes], axis=1)
        drawn[:, k] = drawn[0, k]
        votes[((drawn @ mix) / stddev).var(axis=0).argmin(), k] += 1
    right = votes.max(axis=1).sum() / votes.sum()
    # Two standard errors of a share of 1500 votes, and of another of 1000.
    assert found.value == pytest.approx(right, abs=2 * (0.25 / 1500 + 0.25 / 1000) ** 0.5)


# DCI


def test_spreads_are_entropies():
    importance = np.abs(noise((5, 3)))
    value, each = dci.spread(importance)
    of_latents = 1 - scipy.stats.entropy(importance.T, base=3)
    weights = importance.sum(axis=1) / importance.sum()
    assert value == pytest.approx(weights @ of_latents)
    np.testing.assert_allclose(each, 1 - scipy.stats.entropy(importance, base=5))


def test_a_latent_that_is_there_twice_is_disentangled_and_not_complete():
    factors = grid(4, 5, times=20)
    codes = np.hstack([factors, factors[:, :1]])
    found = measure("dci", codes, factors)
    assert found["dci_disentanglement"].value == pytest.approx(1, abs=1e-9)
    assert found["dci_informativeness"].value == 1
    # Shared evenly by two of three latents: 1 - log 2 / log 3 = 0.37.
    first, second = found["dci_completeness"].by_factor
    assert second == pytest.approx(1, abs=1e-9)
    assert first == pytest.approx(1 - np.log(2) / np.log(3), abs=0.1)


def test_two_factors_in_one_latent_are_complete_and_not_disentangled():
    factors = grid(4, 5, times=20)
    codes = np.hstack([5 * factors[:, :1] + factors[:, 1:], np.zeros((len(factors), 1))])
    found = measure("dci", codes, factors)
    assert found["dci_disentanglement"].value == pytest.approx(0, abs=1e-9)
    assert found["dci_completeness"].value == pytest.approx(1, abs=1e-9)


def test_a_code_that_forgets_a_factor_is_not_informative_of_it():
    factors = grid(2, 5, times=100)
    found = measure("dci", factors[:, :1].astype(float), factors)["dci_informativeness"]
    right, guessed = found.by_factor
    assert right == 1
    # One value out of five, to five standard errors of 500 examples.
    assert guessed == pytest.approx(0.2, abs=5 * (0.16 / 500) ** 0.5)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OSError, match=r"needs scikit-learn.* `pip install 'tfvae\[data\]'`"):
        components.build(Metric, "dci")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dci(model='lasso')", "`model` is one of 'forest', 'boosting'. Received 'lasso'."),
        ("dci(num_trees=0)", "`num_trees` is a positive int. Received 0."),
        ("dci(max_depth=1.5)", "`max_depth` is a positive int. Received 1.5."),
        ("mig(bins=0)", "`bins` is a positive int. Received 0."),
        ("factor_vae(num_votes=0)", "`num_votes` is a positive int. Received 0."),
        ("factor_vae(least_stddev=-1)", "`least_stddev` is a number from 0 on. Received -1."),
    ],
)
def test_options_out_of_range_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        components.build(Metric, spec)


# What is a factor


def test_a_factor_on_a_scale_is_cut_into_classes_where_classes_are_needed():
    angle = np.linspace(0, 1, 400, endpoint=False)[:, np.newaxis] ** 2
    codes = np.hstack([angle, noise((400, 1))])
    # 20 classes of equal width, and 20 bins of equal width: the same ones.
    known = measure("mig", codes, angle)["mig"].value
    by_hand = mig.information(bins(codes, 20), bins(angle, 20)) / mig.entropies(bins(angle, 20))
    assert known == pytest.approx((by_hand[0] - by_hand[1]).item(), abs=1e-12)
    assert by_hand[0] == pytest.approx(1, abs=1e-12)
