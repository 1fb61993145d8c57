"""A data set: named splits in one fixed order, and endless shuffled epochs for training."""

import cases
import numpy as np
import pytest

from tfvae import components, noise

SEED = 11


@pytest.fixture(scope="module", params=cases.small_datasets())
def dataset(request):
    return cases.build("datasets", request.param)


def _examples(batches):
    return np.concatenate(list(batches.as_numpy_iterator()))


def _epoch(dataset, batch_size, **kwargs):
    """Returns the first epoch of training as one array."""
    steps = dataset.steps_per_epoch(batch_size)
    return _examples(dataset.training(batch_size, **kwargs).take(steps))


def _rows(examples):
    """Returns the examples as a sorted list of bytes: a multiset."""
    return sorted(example.tobytes() for example in examples)


def test_a_data_set_has_the_splits_of_the_contract(dataset):
    assert {"train", "validation"} <= set(dataset.splits) <= {"train", "validation", "test"}


def test_a_split_yields_as_many_float32_examples_as_it_says(dataset):
    for name in dataset.splits:
        batches = list(dataset.split(name, 7))
        num = dataset.num_examples(name)
        assert sum(len(batch) for batch in batches) == num
        assert [len(batch) for batch in batches[:-1]] == [7] * ((num - 1) // 7)
        for batch in batches:
            assert batch.dtype == np.float32
            assert batch.shape[1:] == dataset.event_shape
        assert dataset.split(name, 7).element_spec.shape[1:] == dataset.event_shape


def test_a_split_is_the_same_each_time_and_for_each_batch_size(dataset):
    again = components.build(cases.base("datasets"), str(dataset.spec))
    for name in dataset.splits:
        batches = dataset.split(name, 7)
        expected = _examples(batches)
        np.testing.assert_array_equal(_examples(batches), expected)
        np.testing.assert_array_equal(_examples(dataset.split(name, 1000)), expected)
        np.testing.assert_array_equal(_examples(again.split(name, 13)), expected)


def test_splits_share_no_example(dataset):
    if dataset.spec.options.get("binarize") not in (None, "none"):
        return  # two digits may turn into the same black and white ones
    rows = [set(_rows(_examples(dataset.split(name, 100)))) for name in dataset.splits]
    assert sum(map(len, rows)) == len(set.union(*rows))


def test_values_lie_in_the_range_that_is_said(dataset):
    low, high = dataset.value_range()
    everything = [_examples(dataset.split(name, 100)) for name in dataset.splits]
    assert low == pytest.approx(min(x.min() for x in everything), rel=1e-6)
    assert high == pytest.approx(max(x.max() for x in everything), rel=1e-6)


def test_the_fingerprint_is_that_of_the_data(dataset):
    again = components.build(cases.base("datasets"), str(dataset.spec))
    assert again.fingerprint() == dataset.fingerprint()
    assert len(dataset.fingerprint()) == 64


def test_an_example_has_the_same_noise_however_the_source_is_divided(dataset):
    options = dataset.spec.options
    if options.get("binarize") != "static" or "seed" not in options:
        return
    rows = []
    for seed in (0, 1):
        spec = components.Spec(dataset.member_name, {**options, "seed": seed})
        if dataset.member_name == "synthetic":
            return  # its data follow from the seed
        other = components.build(cases.base("datasets"), spec)
        rows.append(_rows(np.concatenate([_examples(other.split(s, 9)) for s in other.splits])))
    assert rows[0] == rows[1]


def test_a_batch_larger_than_the_training_split_is_refused(dataset):
    num = dataset.num_examples("train")
    with pytest.raises(ValueError, match=f"Choose `--batch-size {num}` or less"):
        dataset.training(num + 1)
    assert dataset.training(num).element_spec.shape[1:] == dataset.event_shape


def test_labels_are_ints_one_for_each_example(dataset):
    for name in dataset.splits:
        labels = dataset.labels(name)
        if labels is None:
            continue
        assert labels.shape == (dataset.num_examples(name),)
        assert np.issubdtype(labels.dtype, np.integer)
        np.testing.assert_array_equal(dataset.labels(name), labels)


def test_an_epoch_of_training_holds_each_example_once(dataset):
    steps = dataset.steps_per_epoch(7)
    num = dataset.num_examples("train")
    assert steps == -(-num // 7)
    batches = list(dataset.training(7, seed=SEED).take(2 * steps + 1))
    sizes = [len(batch) for batch in batches]
    assert sizes == [*([7] * (steps - 1)), num - 7 * (steps - 1)] * 2 + [7]
    for batch in batches:
        assert batch.dtype == np.float32
        assert batch.shape[1:] == dataset.event_shape
    first, second = np.concatenate(batches[:steps]), np.concatenate(batches[steps:-1])
    assert not np.array_equal(first, second)
    if not cases.draws_anew(dataset):
        expected = _rows(_examples(dataset.split("train", 7)))
        assert _rows(first) == _rows(second) == expected


def test_training_follows_from_the_seed(dataset):
    first = _epoch(dataset, 7, seed=SEED)
    np.testing.assert_array_equal(_epoch(dataset, 7, seed=SEED), first)
    again = components.build(cases.base("datasets"), str(dataset.spec))
    np.testing.assert_array_equal(_epoch(again, 7, seed=SEED), first)
    other = _epoch(dataset, 7, seed=SEED + 1)
    assert not np.array_equal(other, first)
    if not cases.draws_anew(dataset):
        assert _rows(other) == _rows(first)


def test_training_is_shuffled_over_the_whole_split(dataset):
    if cases.draws_anew(dataset):
        return  # an example can't be recognised
    place = {row.tobytes(): i for i, row in enumerate(_examples(dataset.split("train", 100)))}
    order = np.array([place[row.tobytes()] for row in _epoch(dataset, 7, seed=SEED)])
    # The mean distance between two random places of n is n / 3; of a local shuffle, the buffer.
    assert np.abs(order - np.arange(len(order))).mean() > len(order) / 5


def test_training_that_starts_at_an_epoch_goes_on_as_if_it_had_not_stopped(dataset):
    steps = dataset.steps_per_epoch(7)
    whole = list(dataset.training(7, seed=SEED).take(3 * steps).as_numpy_iterator())
    resumed = dataset.training(7, seed=SEED, start_step=2 * steps).take(steps).as_numpy_iterator()
    for batch, expected in zip(resumed, whole[2 * steps :], strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_an_unknown_split_is_refused(dataset):
    for ask in (dataset.labels, dataset.num_examples, lambda name: dataset.split(name, 7)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
            ask("training")
        assert str(caught.value) == (
            f"The data set `{dataset.spec}` has the splits {', '.join(dataset.splits)}. "
            "Received 'training'."
        )


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_has_an_example_at_least(dataset, batch_size):
    for ask in (dataset.training, lambda size: dataset.split("train", size)):
        with pytest.raises(
            ValueError, match=f"^`batch_size` is a positive int. Received {batch_size}"
        ):
            ask(batch_size)


def test_each_batch_of_each_epoch_is_prepared_with_a_seed_of_its_own():
    dataset = components.build(cases.base("datasets"), "mnist(limit=10)")
    dataset.prepare = lambda x, seed: seed  # what is drawn from is what is looked at

    def seeds(num, start_step=0, seed=SEED):
        batches = dataset.training(4, seed, start_step).take(num)
        return [tuple(row) for batch in batches for row in batch.numpy()]

    every = seeds(12)  # four epochs of batches of 4, 4 and 2
    assert len(set(every)) == len(every) == 40
    assert seeds(3, start_step=9) == every[30:]
    assert not set(seeds(12, seed=SEED + 1)) & set(every)


def test_blocks_are_the_batches_of_training_before_they_are_prepared(dataset):
    steps = dataset.steps_per_epoch(7)
    blocks = list(dataset.blocks(7, 3, SEED).take(len(dataset.block_steps(7, 3))))
    assert [len(block) for block in blocks] == dataset.block_steps(7, 3)
    assert sum(dataset.block_steps(7, 3, start_step=2)) == steps - 2
    batches = [batch for block in blocks for batch in block]
    for step, (batch, expected) in enumerate(zip(batches, dataset.training(7, SEED), strict=False)):
        seed = noise.seed_of(SEED, noise.Stream.DATA, step)
        prepared = dataset.prepare(batch, noise.row_seeds(seed, len(batch)))
        np.testing.assert_array_equal(prepared, expected)
