"""The family of data sets: named data as tf.data."""

import abc
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import components, noise
from tfvae.datasets.epochs import cut_epoch, shuffled_blocks
from tfvae.noise import Stream


def _pipeline(make):
    """Decorates a method that makes a `tf.data.Dataset`: what all of them need.

    AutoGraph would rewrite each function in it, which takes longer than the rest of the start of
    a run, and none of them has control flow of Python's. The thread by which tf.data tunes
    itself sleeps for longer and longer, up to seconds, and an iterator isn't gone before it
    wakes: `fit` and `evaluate` would return late. Nothing here is left for it to tune.
    """
    as_written = tf.autograph.experimental.do_not_convert(make)

    @functools.wraps(make)
    def pipeline(*args, **kwargs):
        options = tf.data.Options()
        options.autotune.enabled = False
        return as_written(*args, **kwargs).with_options(options)

    return pipeline


class Dataset(components.Component, abc.ABC):
    """Data with named splits that share no example.

    A member sets `event_shape` and overrides `_split`, `_blocks`, `num_examples`, `value_range`
    and `fingerprint`, `_prepare` where stored examples aren't what a model sees, and `labels` and
    `factors` where the data has them; `stored.StoredDataset` does all of it but the factors for
    examples in arrays. Constructing a member checks that its files are there and whole.

    Attributes:
        event_shape: Shape of one example, a tuple of ints.
        splits: Names of the splits: always "train" and "validation", and "test" where there is
            one that training never sees.
        notes: Sentences on what was done to the data on the way in: what was rescaled, cast,
            resized or left out, and how often. Programs show them.
        transform: How rows as they came map to examples, a `tfvae.transforms.Columns`, where
            examples are other than the rows; or None. A model carries it into its exports.
        masks_missing: Whether NaN in an example is a missing value, which the likelihood of
            `VAE(mask_missing=True)` leaves out.
        condition: The `Condition` whose values come with the examples, as pairs; or None, and
            then the examples come alone.
        factor_names: Names of the factors that examples were made from, where they are known.
        class_factors: Those of them that are classes without an order.
    """

    event_shape: tuple[int, ...]
    splits: tuple[str, ...] = ("train", "validation", "test")
    notes: tuple[str, ...] = ()
    transform = None
    masks_missing: bool = False
    condition: Any = None
    factor_names: tuple[str, ...] = ()
    class_factors: tuple[str, ...] = ()

    @property
    def binarization(self):
        """How examples were made binary, and how that is held fixed in an evaluation: a text."""
        return "none"

    @abc.abstractmethod
    def num_examples(self, split):
        """Returns how many examples a split holds."""

    @abc.abstractmethod
    def value_range(self):
        """Returns the least and the greatest value of all examples, two floats."""

    @abc.abstractmethod
    def fingerprint(self):
        """Returns a hexadecimal digest of the examples of all splits and of their order."""

    @abc.abstractmethod
    def _split(self, name, batch_size):
        """Returns the `tf.data.Dataset`; the arguments have been checked."""

    @abc.abstractmethod
    def _blocks(self, batch_size, num_steps, seed, start_step):
        """Returns the endless `tf.data.Dataset`; the arguments have been checked."""

    def _prepare(self, x, seed):
        """Returns float32 examples; the default takes them as they are stored."""
        del seed
        return tf.cast(x, tf.float32)

    def _draws(self):
        """Says whether `_prepare` draws, and needs its seeds: making them takes time."""
        return True

    @_pipeline
    def split(self, name, batch_size):
        """Returns one split as batches, in one fixed order and with fixed noise.

        Args:
            name: One of `splits`.
            batch_size: Number of examples a batch; the last one may be smaller.

        Returns:
            `tf.data.Dataset` of float32 `[batch, *event_shape]`. An example's value doesn't
            depend on the batch size.

        Raises:
            ValueError: If there is no such split, or the batch size is not positive.
        """
        self._check_split(name)
        self._check_batch_size(batch_size)
        batches = self._split(name, batch_size)
        if batches.cardinality() >= 0:
            return batches
        # Keras warns of an end that it wasn't told of.
        num = -(-self.num_examples(name) // batch_size)
        return batches.apply(tf.data.experimental.assert_cardinality(num))

    @_pipeline
    def training(self, batch_size, seed=0, start_step=0):
        """Returns the training split, shuffled, one epoch after another without end.

        Args:
            batch_size: Number of examples a batch; an epoch's last one may be smaller.
            seed: Int; order and noise of each epoch follow from it and the epoch's number.
            start_step: Batches that have been seen before: a resumed run goes on where it was.

        Returns:
            `tf.data.Dataset` of float32 `[batch, *event_shape]`, without end: give `fit`
            `steps_per_epoch=dataset.steps_per_epoch(batch_size)`.

        Raises:
            ValueError: If the batch size is not positive, or the split is smaller than a batch.
        """
        blocks = self.blocks(batch_size, 1, seed, start_step)
        steps = blocks.map(lambda *block: tf.nest.map_structure(lambda part: part[0], _one(block)))
        if not self._draws():
            return steps.map(lambda *x: self.prepare(_one(x), None)).prefetch(2)

        def prepare(step, x):
            num = tf.shape(tf.nest.flatten(x)[0])[0]
            return self.prepare(x, noise.row_seeds(noise.seed_of(seed, Stream.DATA, step), num))

        batches = steps.enumerate(start_step).map(prepare, num_parallel_calls=2)
        return batches.prefetch(2)

    @_pipeline
    def blocks(self, batch_size, num_steps, seed=0, start_step=0):
        """Returns the training split as stored, in blocks of several batches without end.

        The fastest way to train: `VAE.compile(prepare=dataset.prepare)` prepares each batch
        within its step, and `fit` runs the steps of a block in one go.

        Args:
            batch_size: Number of examples a batch; an epoch's last one may be smaller.
            num_steps: Batches a block; an epoch's last ones may have fewer.
            seed: Int; the order of each epoch follows from it and the epoch's number.
            start_step: Steps that have been taken before.

        Returns:
            `tf.data.Dataset` of `[steps, batch, *event_shape]` in the stored dtype.

        Raises:
            ValueError: If the batch size is not positive.
        """
        self._check_batch_size(batch_size)
        if batch_size > self.num_examples("train"):
            raise ValueError(
                f"A batch is drawn from the training split, so it is no larger. Received "
                f"batch_size={batch_size} for the {self.num_examples('train')} training examples "
                f"of `{self.spec}`. Choose `--batch-size {self.num_examples('train')}` or less."
            )
        return self._blocks(batch_size, num_steps, seed, start_step)

    def pair_blocks(self, values, batch_size, num_steps, seed, start_step):
        """Returns `blocks` in pairs: examples, and what belongs to each of them.

        Args:
            values: Array `[num_examples, ...]` in the order of the training split.
            batch_size: As of `blocks`.
            num_steps: As of `blocks`.
            seed: As of `blocks`.
            start_step: As of `blocks`.

        Returns:
            `tf.data.Dataset` of pairs of the examples and `[steps, batch, ...]`.

        Raises:
            ValueError: If the data set draws its examples in a way that it alone knows.
        """
        raise ValueError(
            f"A condition is drawn along with its example. `{type(self).__name__}` doesn't say "
            f"which example it draws: override `pair_blocks`, or leave out `--condition`."
        )

    @_pipeline
    def row_blocks(self, batch_size, num_steps, seed=0, start_step=0):
        """Returns which rows of `examples_in_memory` the blocks are made of.

        Args:
            batch_size: As of `blocks`.
            num_steps: As of `blocks`.
            seed: As of `blocks`.
            start_step: As of `blocks`.

        Returns:
            `tf.data.Dataset` of int32 `[steps, batch]`.
        """
        rows = np.arange(self.num_examples("train"), dtype=np.int32)
        return shuffled_blocks(rows, batch_size, num_steps, seed, start_step)

    def block_steps(self, batch_size, num_steps, start_step=0):
        """Returns how many steps each block of an epoch has.

        Args:
            batch_size: Number of examples a batch.
            num_steps: Batches a block.
            start_step: Steps of the epoch that have been taken before.

        Returns:
            List of ints: what `blocks` yields until the end of the epoch.
        """
        cuts = cut_epoch(self.num_examples("train"), batch_size, num_steps, start_step)
        return [steps for _, steps, _ in cuts]

    def prepare(self, x, seed):
        """Makes of stored examples what a model sees: the part of the data that is drawn anew.

        Args:
            x: `[batch, *event_shape]` in the stored dtype.
            seed: int32 `[batch, 2]`, one seed for each example.

        Returns:
            float32 `[batch, *event_shape]`.
        """
        return self._prepare(x, seed)

    def steps_per_epoch(self, batch_size):
        """Returns how many batches an epoch of training has."""
        return -(-self.num_examples("train") // batch_size)

    def labels(self, split):
        """Returns int labels `[num_examples]` in the order of the split, or None."""
        self._check_split(split)

    def conditions(self, split):
        """Returns the numbers that are known of each example beside it, or None.

        Args:
            split: One of `splits`.

        Returns:
            float32 `[num_examples, size]` in the order of the split, or None.
        """
        self._check_split(split)

    @property
    def unconditioned(self):
        """The data set of the examples alone; itself unless it yields pairs."""
        return self

    def examples_in_memory(self):
        """Returns the training examples as `blocks` draws them, an array; or None.

        None where they aren't in memory as a whole, or come with something beside them.
        """

    def factors(self, split):
        """Returns what each example was made from, numbers `[num_examples, num_factors]`, or None.

        The columns are those of `factor_names`, the rows in the order of the split. Whole numbers
        are values of a factor that takes only these, others lie on a scale.
        """
        self._check_split(split)

    def examples_of(self, factors, start=0):
        """Makes examples of any factors anew, or returns None where they can't be made.

        Args:
            factors: `[num, num_factors]`, as `factors` gives them.
            start: Number of the first; the noise of an example, if there is any, follows from its
                number and is that of none of the splits.

        Returns:
            x: float32 NumPy array `[num, *event_shape]`, as a model sees examples.
        """
        del factors, start

    def adopt(self, transform):
        """Makes examples of rows as a model does that was trained on others: by its transform.

        A table standardises its rows with its own statistics, which hide how they differ from the
        rows that a model was trained on.

        Args:
            transform: The `tfvae.transforms.Columns` of a model, or None.

        Raises:
            ValueError: If it is of other columns.
        """
        if transform != self.transform:
            has = "as they came" if self.transform is None else "as rows of a table"
            raise ValueError(
                f"Examples are of the kind that the model was trained on. `{self.spec}` has them "
                f"{has}, and the model takes {'none' if transform is None else 'rows'} of a table. "
                f"Give data like those that it was trained on."
            )

    def _check_split(self, name):
        if name not in self.splits:
            raise ValueError(
                f"The data set `{self.spec}` has the splits {', '.join(self.splits)}. "
                f"Received {name!r}."
            )

    @staticmethod
    def _check_batch_size(batch_size):
        if batch_size < 1:
            raise ValueError(f"`batch_size` is a positive int. Received {batch_size!r}.")


def _one(elements):
    """Returns what tf.data hands to a function in parts, as the one thing that it is."""
    return elements[0] if len(elements) == 1 else elements
