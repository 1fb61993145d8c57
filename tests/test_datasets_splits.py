"""Splits are disjoint, deterministic, of the size asked for, and keep copies together."""

import numpy as np
import pytest

from tfvae.datasets.splits import Shares, twins


def _divide(num, validation=0.1, test=None, seed=0, **brings):
    has = {"has_validation": False, "has_test": False, **brings}
    return Shares(validation, test, seed).divide(np.arange(num), name="The data", **has)


@pytest.mark.parametrize("num", [10, 101, 5000])
@pytest.mark.parametrize(("validation", "test"), [(0.1, None), (0.25, 0.5), (1, 1), (1, 0)])
def test_every_example_is_in_one_split(num, validation, test):
    found = _divide(num, validation, test)
    everything = np.concatenate(list(found.values()))
    np.testing.assert_array_equal(np.sort(everything), np.arange(num))
    expected = validation if isinstance(validation, int) else max(1, round(num * validation))
    assert len(found["validation"]) == expected
    assert ("test" in found) == (test != 0)


def test_splits_follow_from_the_seed():
    first, again, other = _divide(100), _divide(100), _divide(100, seed=1)
    for name, rows in first.items():
        np.testing.assert_array_equal(rows, again[name])
    assert not np.array_equal(first["test"], other["test"])


def test_splits_are_the_same_on_each_machine():
    # SplitMix64 in whole numbers: these hold wherever this runs.
    assert _divide(20)["validation"].tolist() == [6, 18]


def test_splits_don_t_follow_the_order_of_the_source():
    rows = _divide(10_000)["validation"]
    # The mean of 1,000 uniform places; its standard deviation is 10,000 / sqrt(12 * 1,000) = 91.
    assert abs(rows.mean() - 5000) < 5 * 91


def test_copies_stay_together():
    first = twins(np.arange(1000) % 50)  # 20 copies of each
    found = Shares(0.1, 0.1).divide(first, False, False, "The data")
    kinds = [set(first[rows].tolist()) for rows in found.values()]
    assert sum(map(len, kinds)) == len(set.union(*kinds)) == 50


def test_a_test_split_of_the_source_is_left_alone():
    assert "test" not in _divide(100, has_test=True)
    with pytest.raises(ValueError, match=r"stays as it is.*Leave `test` out"):
        _divide(100, test=0.2, has_test=True)
    assert "validation" not in _divide(100, has_validation=True)
    with pytest.raises(ValueError, match=r"stays as it is.*Leave `validation` out"):
        _divide(100, 0.2, has_validation=True)


@pytest.mark.parametrize("share", [0.0, 1.0, -1, True, "a", 1.5, None])
def test_a_share_is_a_fraction_or_a_count(share):
    with pytest.raises(ValueError, match=r"^`validation` is a fraction of the examples"):
        Shares(share)


def test_an_array_is_no_share():
    for num in (0, 1, 2):
        with pytest.raises(ValueError, match=r"^`test` is a fraction of the examples"):
            Shares(test=np.zeros([num, 4]))


@pytest.mark.parametrize("num", [1, 2])
def test_too_few_examples_are_refused(num):
    with pytest.raises(ValueError, match=rf"^The data has {num} example.* leave none to train on"):
        _divide(num)
    with pytest.raises(ValueError, match=r"^The data has 20 examples, and 12 for test and 10 for"):
        _divide(20, 10, 12)


def test_too_few_different_examples_are_refused():
    with pytest.raises(ValueError, match=r"^The data has 1 different examples among 9"):
        Shares().divide(np.zeros(9, int), False, False, "The data")
