"""Examples that stay on disk: an array that is mapped, and tf.data over it.

What has been read stays in the page cache of the operating system as long as there is room, so
from the second epoch on a set that fits into memory is read at the speed of memory.
"""

import abc

import numpy as np
import tensorflow as tf

from tfvae.datasets import epochs, values
from tfvae.datasets.python_calls import numpy_function


class OnDisk(abc.ABC):
    """Examples on disk, in the place of an array `[num, *event]`.

    Attributes:
        shape: `(num, *event)`.
        dtype: Of the examples as they are read.
        sequential: Whether they can only be read in the order of their files, so that `take` wants
            indices that increase.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    sequential = False

    def __len__(self):
        return self.shape[0]

    @abc.abstractmethod
    def take(self, indices):
        """Returns some of the examples, by their indices, int64 `[num]`."""

    @abc.abstractmethod
    def prepared(self, prepare):
        """Returns the examples, each prepared as it is read.

        Args:
            prepare: Function (stored NumPy examples, their indices int64 `[num]`) -> float32.
        """

    @abc.abstractmethod
    def in_order(self, batch_size):
        """Returns batches in order, as `epochs.in_order` does."""

    @abc.abstractmethod
    def shuffled_blocks(self, batch_size, num_steps, seed, start_step=0):
        """Returns endless blocks, as `epochs.shuffled_blocks` does."""


class Mapped(OnDisk):
    """Rows of an array on disk, read where they are asked for.

    Args:
        array: NumPy array `[num, *event]`, mapped.
        scale: What values are divided by, or None: see `values.stored`.
        indices: Which rows, int64 `[num]`, or None for all.
        prepare: As of `prepared`, or None.
    """

    def __init__(self, array, scale=None, indices=None, prepare=None):
        self._array, self._scale, self._indices, self._prepare = array, scale, indices, prepare
        stored = values.stored(np.zeros([1], array.dtype), scale)
        self.dtype = stored.dtype if prepare is None else np.dtype(np.float32)
        self.shape = (len(array if indices is None else indices), *array.shape[1:])

    def __getitem__(self, rows):
        """Returns stored examples for a slice or for indices."""
        x = values.stored(self._read(rows), self._scale)
        return x if self._prepare is None else self._prepare(x, rows)

    def take(self, indices):
        """Returns a `Mapped` of some of the rows."""
        old = self._indices
        return type(self)(self._array, self._scale, indices if old is None else old[indices])

    def prepared(self, prepare):
        """Returns the rows, each prepared as it is read."""
        return type(self)(self._array, self._scale, self._indices, prepare)

    def in_order(self, batch_size):
        """Returns batches in order, the last one as short as it comes."""
        num = len(self)

        def batch(index):
            start = index * batch_size
            return self._rows(tf.range(start, tf.minimum(start + batch_size, num)))

        batches = tf.data.Dataset.range(-(-num // batch_size))
        return batches.map(batch).prefetch(2)

    def shuffled_blocks(self, batch_size, num_steps, seed, start_step=0):
        """Returns endless blocks, in the same order as if the examples were in memory."""

        def gather(rows):
            return self._rows(tf.cast(rows, tf.int64))

        return epochs.blocks_of(gather, self.shape, batch_size, num_steps, seed, start_step)

    def _read(self, rows):
        if self._indices is None:
            return np.asarray(self._array[rows])
        wanted = self._indices[rows]
        order = np.argsort(wanted)  # from the front of the file to its end
        block = np.empty((len(wanted), *self._array.shape[1:]), self._array.dtype)
        block[order] = self._array[wanted[order]]
        return block

    def _rows(self, rows):
        x = numpy_function(self.__getitem__, [rows], self.dtype)
        return tf.ensure_shape(x, [None, *self.shape[1:]])
