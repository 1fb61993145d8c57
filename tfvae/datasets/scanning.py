"""Looking through all examples of a source for what no model can learn from."""

import numpy as np

from tfvae.datasets.values import chunks

_MOST_NAMED = 5


class Scan:
    """Looks at examples chunk by chunk for what can't be learnt from.

    Args:
        name: Names the source in messages.
        where: Function of an index, that names the example in messages.
        missing: Whether NaN is a missing value, which is no harm as long as an example has others.
    """

    def __init__(self, name, where, missing=False):
        self._name, self._where, self._missing = name, where, missing
        self._num, self._low, self._high = 0, np.inf, -np.inf
        self._bad: list = []
        self._empty: list = []

    def add(self, chunk):
        """Takes the next stored examples, `[num, *event]`."""
        found = chunk if chunk.dtype == np.uint8 else self._observed(chunk)
        self._num += len(chunk)
        if found.size:
            self._low, self._high = min(self._low, found.min()), max(self._high, found.max())

    def _observed(self, chunk):
        """Returns the values that aren't missing, and notes the examples that are refused."""
        rows = chunk.reshape(len(chunk), -1)
        missing = np.isnan(rows) & self._missing
        good = (np.isfinite(rows) | missing).all(axis=1)
        self._bad += (self._num + np.flatnonzero(~good)).tolist()
        self._empty += (self._num + np.flatnonzero(missing.all(axis=1))).tolist()
        return rows[~missing] if missing.any() else rows

    def bounds(self):
        """Returns the least and the greatest stored value, two floats.

        Raises:
            ValueError: If there is none, a value is not finite, or all are the same.
        """
        if not self._num:
            raise ValueError(f"{self._name} holds no example. Point it at data that has some.")
        if self._bad:
            raise ValueError(_not_finite(self._bad, self._name, self._where))
        if self._empty:
            raise ValueError(
                f"{self._name} has examples without any value: {_named(self._empty, self._where)}. "
                f"Leave them out."
            )
        if self._low == self._high and self._num > 1:
            raise ValueError(
                f"{self._name} is constant: every value is {self._low + 0:g}, so there is nothing "
                f"to learn. Check that it is the right file and key."
            )
        return float(self._low), float(self._high)


def scan(examples, name, where, missing=False):
    """Reads all examples once, in chunks, and refuses what can't be learnt from.

    Args:
        examples: Has a length and gives stored examples for slices, or has been scanned before
            and has `bounds`.
        name: Names the source in messages.
        where: Function of an index, that names the example in messages.
        missing: Whether NaN is a missing value.

    Returns:
        The least and the greatest stored value.

    Raises:
        ValueError: If there is none, a value is not finite, or all are the same.
    """
    if hasattr(examples, "bounds"):
        return examples.bounds
    found = Scan(name, where, missing)
    for _, chunk in chunks(examples):
        found.add(chunk)
    return found.bounds()


def count_missing(examples):
    """Returns how many values are NaN."""
    return sum(
        int(np.isnan(chunk).sum()) for _, chunk in chunks(examples) if chunk.dtype != np.uint8
    )


def constant(examples):
    """Returns the indices of the elements of vectors `[num, size]` that never vary, int64."""
    low, high = np.full(examples.shape[1], np.inf), np.full(examples.shape[1], -np.inf)
    for _, chunk in chunks(examples):
        low = np.fmin(low, np.fmin.reduce(chunk, axis=0))
        high = np.fmax(high, np.fmax.reduce(chunk, axis=0))
    return np.flatnonzero(high <= low)


def _not_finite(bad, name, where):
    return (
        f"{name} holds values that are NaN, infinite or beyond float32: {_named(bad, where)}. "
        f"Leave these examples out, or replace the values, as in `numpy.nan_to_num(x)`. `arrays`, "
        f"`tfds` and `FromPython` take NaN as missing with `missing='mask'`."
    )


def _named(indices, where):
    named = ", ".join(where(index) for index in indices[:_MOST_NAMED])
    more = len(indices) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
