"""The family of data sets: named data as tf.data."""

import abc

from tfvae import components


class Dataset(components.Component, abc.ABC):
    """Data with named splits that share no example.

    A member sets `event_shape` and overrides `_split`, `_training`, `num_examples`,
    `value_range` and `fingerprint`, and `labels` where the data has them; `stored.StoredDataset`
    does all of it for examples in arrays. Constructing a member checks that its files are there
    and whole.

    Attributes:
        event_shape: Shape of one example, a tuple of ints.
        splits: Names of the splits: always "train" and "validation", and "test" where there is
            one that training never sees.
        notes: Sentences on what was done to the data on the way in: what was rescaled, cast,
            resized or left out, and how often. Programs show them.
        transform: How rows as they came map to examples, a `tfvae.transforms.Columns`, where
            examples are other than the rows; or None. A model carries it into its exports.
    """

    event_shape: tuple[int, ...]
    splits: tuple[str, ...] = ("train", "validation", "test")
    notes: tuple[str, ...] = ()
    transform = None

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
    def _training(self, batch_size, seed, start_epoch):
        """Returns the endless `tf.data.Dataset`; the arguments have been checked."""

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
        return self._split(name, batch_size)

    def training(self, batch_size, seed=0, start_epoch=0):
        """Returns the training split, shuffled, one epoch after another without end.

        Args:
            batch_size: Number of examples a batch; an epoch's last one may be smaller.
            seed: Int; order and noise of each epoch follow from it and the epoch's number.
            start_epoch: Number of the first epoch: a resumed run goes on where it was.

        Returns:
            `tf.data.Dataset` of float32 `[batch, *event_shape]`, without end: give `fit`
            `steps_per_epoch=dataset.steps_per_epoch(batch_size)`.

        Raises:
            ValueError: If the batch size is not positive, or the split is smaller than a batch.
        """
        self._check_batch_size(batch_size)
        if batch_size > self.num_examples("train"):
            raise ValueError(
                f"A batch is drawn from the training split, so it is no larger. Received "
                f"batch_size={batch_size} for the {self.num_examples('train')} training examples "
                f"of `{self.spec}`. Choose `--batch-size {self.num_examples('train')}` or less."
            )
        return self._training(batch_size, seed, start_epoch)

    def steps_per_epoch(self, batch_size):
        """Returns how many batches an epoch of training has."""
        return -(-self.num_examples("train") // batch_size)

    def labels(self, split):
        """Returns int labels `[num_examples]` in the order of the split, or None."""
        self._check_split(split)

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
