"""The family of conditions: what is known of an example beside the example itself."""

import abc

import numpy as np
import tensorflow as tf

from tfvae import components


class Condition(components.Component, abc.ABC):
    """Turns what is known of an example into the vector c that the networks and the prior read.

        p(x, z | c) = p(z|c) p(x|z, c),  q(z|x, c)

    A member sets `dtype` and `meaning`, and overrides `shape`, `size`, `range`, `_vector`,
    `_values`, `_fitted`, `_examples` and `_problem`.

    Attributes:
        dtype: Of the values, "int32" or "float32": what exports take.
        meaning: What a value is, in words.
    """

    dtype: str = "float32"
    meaning: str

    @property
    @abc.abstractmethod
    def shape(self):
        """Shape of the value of one example; () for a number."""

    @property
    @abc.abstractmethod
    def size(self):
        """Length of the vector.

        Raises:
            ValueError: If an option is left open that data say, and no data has been seen.
        """

    @property
    @abc.abstractmethod
    def range(self):
        """The values that are taken, in words."""

    @abc.abstractmethod
    def _vector(self, values):
        """Returns float32 `[batch, size]`; `values` is a tensor `[batch, *shape]` of `dtype`."""

    @abc.abstractmethod
    def _values(self, dataset, split):
        """Returns the values of the examples of a split as a NumPy array.

        Where the data set has none it raises a `ValueError` that says how to name them.
        """

    @abc.abstractmethod
    def _fitted(self, splits):
        """Returns the member with the options that follow from the values of each split."""

    @abc.abstractmethod
    def _examples(self, num):
        """Returns `[num, *shape]` values that may occur, the same ones each time."""

    @abc.abstractmethod
    def _problem(self, values):
        """Returns what is wrong with NumPy values, a sentence with a remedy, or None."""

    @property
    def input(self):
        """The input by which exports take the condition, a `tf.TensorSpec`."""
        return tf.TensorSpec((None, *self.shape), self.dtype, "condition")

    def values_of(self, dataset, split):
        """Returns the values of the examples of a split, in its order.

        Args:
            dataset: A `Dataset`.
            split: Name of a split.

        Returns:
            NumPy array `[num_examples, *shape]` of `dtype`.

        Raises:
            ValueError: If the data set has none.
        """
        return np.asarray(self._values(dataset, split)).astype(self.dtype)

    def fitted(self, splits):
        """Returns the condition with what the data say: how many classes, mean and spread.

        Args:
            splits: Dict of the name of a split to its values; "train" among them.

        Raises:
            ValueError: If nothing can be learnt from the values, or they are out of range.
        """
        found = self._fitted(splits)
        for values in splits.values():
            found.check(values)
        return found

    def examples(self, num):
        """Returns values that may occur, `[num, *shape]`, the same ones each time."""
        return np.asarray(self._examples(num), self.dtype)

    def check(self, values):
        """Refuses values out of range.

        Args:
            values: NumPy array `[num, *shape]`.

        Raises:
            ValueError: If one is.
        """
        problem = self._problem(values)
        if problem:
            raise ValueError(problem)

    def read(self, values):
        """Returns values as a tensor `[batch, *shape]`; the value of one example gets a batch of 1.

        Args:
            values: Anything that TensorFlow takes as a tensor: `[batch, *shape]`, or `[*shape]`.

        Raises:
            ValueError: If they are of another kind, or out of range.
        """
        values = tf.convert_to_tensor(values)
        if values.shape.rank == len(self.shape):
            values = values[tf.newaxis]
        is_kind = values.dtype.is_integer or not tf.as_dtype(self.dtype).is_integer
        if not is_kind or not values.shape.rank or tuple(values.shape[1:]) != self.shape:
            raise ValueError(
                f"The condition `{self.spec}` is {self.dtype}{['batch', *self.shape]}: "
                f"{self.meaning}. Received {values.dtype.name}{values.shape.as_list()}."
            )
        if tf.is_symbolic_tensor(values):  # within a program there is nothing to look at
            return tf.cast(values, self.dtype)
        self.check(values.numpy())
        return tf.cast(values, self.dtype)

    def vector(self, values):
        """Returns the vector that networks and priors read, float32 `[batch, size]`.

        Args:
            values: What `read` returns.
        """
        return self._vector(values)
