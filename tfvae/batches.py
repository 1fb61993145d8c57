"""Batches as they travel: examples, or pairs of examples and the values of their condition."""

import tensorflow as tf


def examples(batch):
    """Returns the examples of a batch or block.

    Examples:
        >>> examples((tf.zeros([2, 3]), tf.constant([4, 5]))).shape
        TensorShape([2, 3])
    """
    return batch[0] if isinstance(batch, tuple) else batch


def each(function, batch):
    """Returns a batch with a function applied to its examples, and to their conditions alike.

    Examples:
        >>> each(lambda part: part[:1], (tf.zeros([2, 3]), tf.constant([4, 5])))[1].numpy()
        array([4], dtype=int32)
    """
    return tf.nest.map_structure(function, batch)


def packed(parts):
    """Returns the parts that `tf.data` hands to a function as one batch.

    Args:
        parts: Tuple of the examples alone, or of examples and conditions.
    """
    return parts if len(parts) > 1 else parts[0]
