"""Examples that stay on disk: an array that is mapped, and tf.data over it.

What has been read stays in the page cache of the operating system as long as there is room, so
from the second epoch on a set that fits into memory is read at the speed of memory.
"""

import numpy as np
import tensorflow as tf

from tfvae.datasets import epochs, values


class Mapped:
    """Rows of an array on disk, read where they are asked for.

    Args:
        array: NumPy array `[num, *event]`, mapped.
        scale: What values are divided by, or None: see `values.stored`.
        indices: Which rows, int64 `[num]`, or None for all.
    """

    def __init__(self, array, scale=None, indices=None):
        self._array, self._scale, self._indices = array, scale, indices
        sample = values.stored(np.zeros([1], array.dtype), scale)
        self.dtype = sample.dtype

    def __len__(self):
        return len(self._array) if self._indices is None else len(self._indices)

    @property
    def shape(self):
        """`[num, *event]`."""
        return (len(self), *self._array.shape[1:])

    def __getitem__(self, rows):
        """Returns stored examples for a slice or for indices."""
        if self._indices is None:
            return values.stored(np.asarray(self._array[rows]), self._scale)
        wanted = self._indices[rows]
        order = np.argsort(wanted)  # from the front of the file to its end
        block = np.empty((len(wanted), *self._array.shape[1:]), self._array.dtype)
        block[order] = self._array[wanted[order]]
        return values.stored(block, self._scale)

    def take(self, indices):
        """Returns a `Mapped` of some of the rows."""
        old = self._indices
        return Mapped(self._array, self._scale, indices if old is None else old[indices])


class Prepared:
    """A `Mapped` whose rows are prepared as they are read.

    Args:
        examples: A `Mapped`.
        prepare: Function (stored NumPy examples, their indices int64 `[num]`) -> float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, examples, prepare):
        self._examples, self._prepare = examples, prepare
        self.shape = examples.shape

    def __len__(self):
        return len(self._examples)

    def __getitem__(self, rows):
        """Returns float32 examples for indices."""
        return self._prepare(self._examples[rows], rows)


def in_order(examples, batch_size):
    """Returns batches in order, the last one as short as it comes.

    Args:
        examples: A `Mapped` or `Prepared`.
        batch_size: Positive int.

    Returns:
        `tf.data.Dataset` of `[batch, *event]`.
    """
    num = len(examples)

    def batch(index):
        start = index * batch_size
        return _read(examples, tf.range(start, tf.minimum(start + batch_size, num)))

    batches = tf.data.Dataset.range(-(-num // batch_size))
    return batches.map(batch).prefetch(tf.data.AUTOTUNE)


def shuffled_blocks(examples, batch_size, num_steps, seed, start_step=0):
    """Returns endless blocks as `epochs.shuffled_blocks` does, in the same order.

    Args:
        examples: A `Mapped` or `Prepared`.
        batch_size: Positive int.
        num_steps: Batches a block.
        seed: Int.
        start_step: Steps that have been taken before.

    Returns:
        `tf.data.Dataset` of `[steps, batch, *event]`.
    """

    def gather(rows):
        return _read(examples, tf.cast(rows, tf.int64))

    shape = (len(examples), *examples.shape[1:])
    return epochs.blocks_of(gather, shape, batch_size, num_steps, seed, start_step)


def _read(examples, rows):
    x = tf.numpy_function(examples.__getitem__, [rows], examples.dtype, stateful=False)
    return tf.ensure_shape(x, [None, *examples.shape[1:]])
