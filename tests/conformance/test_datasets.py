"""A data set: named splits in one fixed order, and endless shuffled epochs for training."""

import functools

import cases
import numpy as np
import pytest
from sources import build, examples, rows

from tfvae import components, noise

SEED = 11
BATCH = 7


class Seen:
    """A data set with what all laws look at, read once: reading it is most of their time."""

    def __init__(self, spec):
        self.dataset = cases.build("datasets", spec)
        self.splits = self.dataset.splits
        self.steps = self.dataset.steps_per_epoch(BATCH)
        self.num = self.dataset.num_examples("train")

    @functools.cached_property
    def again(self):
        """The same data set, built another time."""
        return build(str(self.dataset.spec))

    @functools.cached_property
    def batches(self):
        """Name of a split -> its batches."""
        return {
            name: list(self.dataset.split(name, BATCH).as_numpy_iterator()) for name in self.splits
        }

    @functools.cached_property
    def examples(self):
        """Name of a split -> its examples."""
        return {name: np.concatenate(batches) for name, batches in self.batches.items()}

    @functools.cached_property
    def training(self):
        """The batches of two epochs of training, and one more."""
        batches = self.dataset.training(BATCH, seed=SEED).take(2 * self.steps + 1)
        return list(batches.as_numpy_iterator())

    def epoch(self, number):
        """Returns the examples of an epoch of training, 0 or 1."""
        return np.concatenate(self.training[number * self.steps :][: self.steps])


@pytest.fixture(scope="module", params=cases.small_datasets())
def seen(request):
    return Seen(request.param)


def test_a_data_set_has_the_splits_of_the_contract(seen):
    assert {"train", "validation"} <= set(seen.splits) <= {"train", "validation", "test"}


def test_a_split_yields_as_many_float32_examples_as_it_says(seen):
    for name, batches in seen.batches.items():
        num = seen.dataset.num_examples(name)
        assert sum(len(batch) for batch in batches) == num
        assert [len(batch) for batch in batches[:-1]] == [BATCH] * ((num - 1) // BATCH)
        for batch in batches:
            assert batch.dtype == np.float32
            assert batch.shape[1:] == seen.dataset.event_shape
    assert seen.dataset.split("train", BATCH).element_spec.shape[1:] == seen.dataset.event_shape


def test_nothing_is_tuned_so_that_an_iterator_can_end_at_once(seen):
    dataset = seen.dataset
    pipelines = dataset.split("train", BATCH), dataset.training(BATCH), dataset.blocks(BATCH, 3)
    assert [pipeline.options().autotune.enabled for pipeline in pipelines] == [False] * 3


def test_a_split_is_the_same_each_time_and_for_each_batch_size(seen):
    for name, expected in seen.examples.items():
        np.testing.assert_array_equal(examples(seen.dataset.split(name, 1000)), expected)
        np.testing.assert_array_equal(examples(seen.again.split(name, 13)), expected)


def test_splits_share_no_example(seen):
    if seen.dataset.spec.options.get("binarize") not in (None, "none"):
        return  # two digits may turn into the same black and white ones
    found = [set(rows(x)) for x in seen.examples.values()]
    assert sum(map(len, found)) == len(set.union(*found))


def test_values_lie_in_the_range_that_is_said(seen):
    low, high = seen.dataset.value_range()
    assert low == pytest.approx(min(map(np.nanmin, seen.examples.values())), rel=1e-6)
    assert high == pytest.approx(max(map(np.nanmax, seen.examples.values())), rel=1e-6)


def test_the_fingerprint_is_that_of_the_data(seen):
    assert seen.again.fingerprint() == seen.dataset.fingerprint()
    assert len(seen.dataset.fingerprint()) == 64


def test_an_example_has_the_same_noise_however_the_source_is_divided(seen):
    options = seen.dataset.spec.options
    if options.get("binarize") != "static" or "seed" not in options:
        return
    if seen.dataset.member_name == "synthetic":
        return  # its data follow from the seed
    spec = components.Spec(seen.dataset.member_name, {**options, "seed": 1})
    other = cases.build("datasets", spec)
    found = np.concatenate([examples(other.split(name, 9)) for name in other.splits])
    assert rows(found) == rows(np.concatenate(list(seen.examples.values())))


def test_a_batch_larger_than_the_training_split_is_refused(seen):
    with pytest.raises(ValueError, match=f"Choose `--batch-size {seen.num}` or less"):
        seen.dataset.blocks(seen.num + 1, 1)
    assert seen.dataset.blocks(seen.num, 1).element_spec.shape[2:] == seen.dataset.event_shape


def test_labels_are_ints_one_for_each_example(seen):
    for name in seen.splits:
        labels = seen.dataset.labels(name)
        if labels is None:
            continue
        assert labels.shape == (seen.dataset.num_examples(name),)
        assert np.issubdtype(labels.dtype, np.integer)
        np.testing.assert_array_equal(seen.again.labels(name), labels)


def test_an_epoch_of_training_holds_each_example_once(seen):
    assert seen.steps == -(-seen.num // BATCH)
    sizes = [len(batch) for batch in seen.training]
    last = seen.num - BATCH * (seen.steps - 1)
    assert sizes == [*([BATCH] * (seen.steps - 1)), last] * 2 + [BATCH]
    for batch in seen.training:
        assert batch.dtype == np.float32
        assert batch.shape[1:] == seen.dataset.event_shape
    assert not np.array_equal(seen.epoch(0), seen.epoch(1))
    if not cases.draws_anew(seen.dataset):
        assert rows(seen.epoch(0)) == rows(seen.epoch(1)) == rows(seen.examples["train"])


def test_training_follows_from_the_seed(seen):
    again = examples(seen.again.training(BATCH, seed=SEED).take(seen.steps))
    np.testing.assert_array_equal(again, seen.epoch(0))
    other = examples(seen.dataset.training(BATCH, seed=SEED + 1).take(seen.steps))
    assert not np.array_equal(other, seen.epoch(0))
    if not cases.draws_anew(seen.dataset):
        assert rows(other) == rows(seen.epoch(0))


def test_training_is_shuffled_over_the_whole_split(seen):
    if cases.draws_anew(seen.dataset):
        return  # an example can't be recognised
    place = {row.tobytes(): i for i, row in enumerate(seen.examples["train"])}
    order = np.array([place[row.tobytes()] for row in seen.epoch(0)])
    # The mean distance between two random places of n is n / 3; of a local shuffle, the buffer.
    assert np.abs(order - np.arange(len(order))).mean() > len(order) / 5


def test_training_that_starts_anywhere_goes_on_as_if_it_had_not_stopped(seen):
    start = seen.steps - 2  # from within an epoch over its short end into the next
    resumed = seen.dataset.training(BATCH, seed=SEED, start_step=start).take(seen.steps)
    wanted = seen.training[start : start + seen.steps]
    for batch, expected in zip(resumed.as_numpy_iterator(), wanted, strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_an_unknown_split_is_refused(seen):
    dataset = seen.dataset
    for ask in (dataset.labels, dataset.num_examples, lambda name: dataset.split(name, BATCH)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
            ask("training")
        assert str(caught.value) == (
            f"The data set `{dataset.spec}` has the splits {', '.join(dataset.splits)}. "
            "Received 'training'."
        )


def test_a_batch_has_an_example_at_least(seen):
    for batch_size in (0, -1):
        for ask in (seen.dataset.training, lambda size: seen.dataset.split("train", size)):
            with pytest.raises(
                ValueError, match=f"^`batch_size` is a positive int. Received {batch_size}"
            ):
                ask(batch_size)


def test_each_batch_of_each_epoch_is_prepared_with_a_seed_of_its_own():
    dataset = build("mnist(limit=10)")
    dataset.prepare = lambda x, seed: seed  # what is drawn from is what is looked at

    def seeds(num, start_step=0, seed=SEED):
        batches = dataset.training(4, seed, start_step).take(num)
        return [tuple(row) for batch in batches for row in batch.numpy()]

    every = seeds(12)  # four epochs of batches of 4, 4 and 2
    assert len(set(every)) == len(every) == 40
    assert seeds(3, start_step=9) == every[30:]
    assert not set(seeds(12, seed=SEED + 1)) & set(every)


def test_blocks_are_the_batches_of_training_before_they_are_prepared(seen):
    dataset = seen.dataset
    sizes = dataset.block_steps(BATCH, 3)
    blocks = list(dataset.blocks(BATCH, 3, SEED).take(len(sizes)))
    assert [len(block) for block in blocks] == sizes
    assert sum(dataset.block_steps(BATCH, 3, start_step=2)) == seen.steps - 2
    batches = [batch for block in blocks for batch in block]
    for step, (batch, expected) in enumerate(zip(batches, seen.training, strict=False)):
        seed = None
        if cases.draws_anew(dataset):
            if 0 < step < seen.steps - 1:
                continue  # drawing outside of a graph is slow: the first one and the short last one
            seed = noise.row_seeds(noise.seed_of(SEED, noise.Stream.DATA, step), len(batch))
        np.testing.assert_array_equal(dataset.prepare(batch, seed), expected)
