"""Batches as they travel: examples, or pairs of examples and the values of their condition.

It imports nothing: what reads batches may load no TensorFlow before it has to.
"""


def examples(batch):
    """Returns the examples of a batch or block.

    Examples:
        >>> examples(([[0.5], [0.25]], [4, 5]))
        [[0.5], [0.25]]
    """
    return batch[0] if isinstance(batch, tuple) else batch


def each(function, batch):
    """Returns a batch with a function applied to its examples, and to their conditions alike.

    Examples:
        >>> each(lambda part: part[:1], ([[0.5], [0.25]], [4, 5]))
        ([[0.5]], [4])
    """
    return tuple(map(function, batch)) if isinstance(batch, tuple) else function(batch)


def packed(parts):
    """Returns the parts that `tf.data` hands to a function as one batch.

    Args:
        parts: Tuple of the examples alone, or of examples and conditions.

    Examples:
        >>> packed(([0.5],)), packed(([0.5], [4]))
        ([0.5], ([0.5], [4]))
    """
    return parts if len(parts) > 1 else parts[0]
