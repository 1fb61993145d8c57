"""Numbers as condition."""

import math

import numpy as np
import tensorflow as tf

from tfvae.conditions.base import Condition
from tfvae.options import check_count


class Vector(Condition, name="vector"):
    """Some numbers that are known of an example, standardised.

        c = (value - mean) / stddev

    Exports take values float32 `[batch, size]`, in the units that they came in.

    Args:
        size: How many numbers; None for those of the data.
        mean: What is taken off each: a number, or a tuple of one for each.
        stddev: What they are divided by then: positive, a number or a tuple.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Sohn, Lee and Yan. Learning structured output representation using deep conditional
            generative models, section 4. NeurIPS 2015.
    """

    meaning = "what is known of the example, in the units it came in"

    def __init__(self, *, size=None, mean=0.0, stddev=1.0):
        self._size = None if size is None else check_count("size", size)
        self._mean = _numbers("mean", mean, size)
        self._stddev = _numbers("stddev", stddev, size, positive=True)

    @property
    def shape(self):
        """`(size,)`."""
        return (self.size,)

    @property
    def size(self):
        """The number of numbers."""
        if self._size is None:
            raise ValueError(
                "A model is built for so many numbers. Received the condition `vector` without. "
                "Write `vector(size=2)`; `--condition vector` counts those of the data."
            )
        return self._size

    @property
    def range(self):
        """All numbers."""
        return "the reals"

    def _vector(self, values):
        return (values - self._mean) / self._stddev

    def _values(self, dataset, split):
        values = dataset.conditions(split)
        if values is None:
            raise ValueError(
                f"The condition `vector` is made of numbers that belong to an example. The data "
                f"set `{dataset.spec}` names none. Name them, as in `arrays(..., condition='c')` "
                f"or `table(..., condition=('age',))`, or leave out `--condition`."
            )
        return values

    def _fitted(self, splits):
        if self._size is not None:
            return self
        train = np.asarray(splits["train"], np.float64)
        mean, stddev = train.mean(axis=0), train.std(axis=0)
        same = np.flatnonzero(stddev == 0)
        if len(same):
            raise ValueError(
                f"A condition tells examples apart. Number {same[0]} of it is {mean[same[0]]:g} in "
                f"every example of the training split. Leave it out."
            )
        return Vector(size=train.shape[1], mean=tuple(mean.tolist()), stddev=tuple(stddev.tolist()))

    def _examples(self, num):
        # Within a standard deviation of the mean, with few digits: they are written as text.
        steps = np.arange(num * self.size).reshape(num, self.size) % 7 / 3 - 1
        return np.round(self._mean + self._stddev * steps, 3)

    def _problem(self, values):
        if not np.isfinite(values).all():
            return "The numbers of a condition are finite. Received NaN or infinity among them."
        return None


def _numbers(option, given, size, positive=False):
    """Returns a number, or a tuple of `size` numbers, as float32."""
    listed = given if isinstance(given, list | tuple) else (given,)
    good = all(
        type(value) in (int, float) and math.isfinite(value) and (value > 0 or not positive)
        for value in listed
    )
    if not good or (listed is given and len(listed) != size):
        kind = "positive number" if positive else "number"
        raise ValueError(
            f"`{option}` of the condition `vector` is a {kind}, or a tuple of one for each of its "
            f"size={size}. Received {given!r}."
        )
    return tf.constant(given, tf.float32).numpy()
