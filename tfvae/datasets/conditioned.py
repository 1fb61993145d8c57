"""A data set with the condition of each example beside it."""

import functools
import hashlib

import tensorflow as tf

from tfvae.datasets import epochs
from tfvae.datasets.base import Dataset


class Conditioned(Dataset):
    """A data set that yields pairs: examples, and the values of their condition.

    Order, noise and splits are those of the data set. It has no spec of its own: `spec` is that of
    the data set, and `condition.spec` says the rest.

    Args:
        dataset: A `Dataset`.
        condition: A `Condition`; what it leaves open is taken from the data.

    Attributes:
        condition: The `Condition` with everything that the data say.

    Raises:
        ValueError: If the data set has no such values, or if they are out of range.

    Examples:
        ```
        data = Conditioned(components.build(Dataset, "digits"), Label())
        for x, label in data.split("train", 100): ...
        VAE(data.event_shape, 8, condition=data.condition)
        ```
    """

    def __init__(self, dataset, condition):
        self._dataset = dataset
        for name in ("event_shape", "splits", "notes", "transform", "masks_missing"):
            setattr(self, name, getattr(dataset, name))
        self._values = {split: condition.values_of(dataset, split) for split in dataset.splits}
        self.condition = condition.fitted(self._values)

    @property
    def spec(self):
        """The spec of the data set."""
        return self._dataset.spec

    @property
    def binarization(self):
        """That of the data set."""
        return self._dataset.binarization

    @property
    def unconditioned(self):
        """The data set of the examples alone."""
        return self._dataset

    def values(self, split):
        """Returns the values of the condition in the order of a split, a NumPy array."""
        self._check_split(split)
        return self._values[split]

    def num_examples(self, split):
        """Returns how many examples a split holds."""
        return self._dataset.num_examples(split)

    def value_range(self):
        """Returns the least and the greatest value of all examples, two floats."""
        return self._dataset.value_range()

    def labels(self, split):
        """Returns int labels `[num_examples]` in the order of the split, or None."""
        return self._dataset.labels(split)

    def conditions(self, split):
        """Returns the numbers that are known of each example beside it, or None."""
        return self._dataset.conditions(split)

    @functools.cached_property
    def _digest(self):
        """The SHA-256 of the data set's own, of the condition and of its values."""
        digest = hashlib.sha256(f"{self._dataset.fingerprint()} {self.condition.spec}".encode())
        for values in self._values.values():
            digest.update(values.tobytes())
        return digest.hexdigest()

    def fingerprint(self):
        """Returns a digest of the examples and of their conditions."""
        return self._digest

    def _split(self, name, batch_size):
        values = epochs.in_order(self._values[name], batch_size)
        return tf.data.Dataset.zip((self._dataset.split(name, batch_size), values))

    def _blocks(self, batch_size, num_steps, seed, start_step):
        values = self._values["train"]
        return self._dataset.pair_blocks(values, batch_size, num_steps, seed, start_step)

    def _draws(self):
        return self._dataset._draws()

    def _prepare(self, x, seed):
        examples, values = x
        return self._dataset.prepare(examples, seed), values
