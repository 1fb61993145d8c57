"""The family of data sets: named data as tf.data."""

import abc

from tfvae import components


class Dataset(components.Component, abc.ABC):
    """Data with named splits that share no example.

    A member sets `event_shape` and overrides `_split` and `num_examples`, and `labels` where the
    data has them. Constructing a member checks that its files are there and whole.

    Attributes:
        event_shape: Shape of one example, a tuple of ints.
        splits: Names of the splits: always "train" and "validation", and "test" where there is
            one that training never sees.
    """

    event_shape: tuple[int, ...]
    splits: tuple[str, ...] = ("train", "validation", "test")

    @abc.abstractmethod
    def num_examples(self, split):
        """Returns how many examples a split holds."""

    @abc.abstractmethod
    def _split(self, name, batch_size, shuffle_seed):
        """Returns the `tf.data.Dataset`; the arguments have been checked."""

    def split(self, name, batch_size, *, shuffle_seed=None):
        """Returns one split as batches.

        Args:
            name: One of `splits`.
            batch_size: Number of examples a batch; the last one may be smaller.
            shuffle_seed: Int for training: each pass over the data set is a new epoch, shuffled
                over the whole split, and its order and noise follow from this seed and the
                number of the epoch alone. None for one fixed order and fixed noise.

        Returns:
            `tf.data.Dataset` of float32 `[batch, *event_shape]`.

        Raises:
            ValueError: If there is no such split.
        """
        self._check_split(name)
        return self._split(name, batch_size, shuffle_seed)

    def labels(self, split):
        """Returns int labels `[num_examples]` in the order of the split, or None."""
        self._check_split(split)

    def _check_split(self, name):
        if name not in self.splits:
            raise ValueError(
                f"The data set `{self.spec}` has the splits {', '.join(self.splits)}. "
                f"Received {name!r}."
            )
