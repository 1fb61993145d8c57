"""What requests are made of: seeds, conditions, and arrays in the types that exports take."""

import numpy as np


def seeds(num, seed=0):
    """Returns a seed for each of `num` rows.

    Args:
        num: Number of rows.
        seed: Int of 32 bits; other seeds give other rows.

    Examples:
        >>> seeds(2, seed=7).tolist()
        [[7, 0], [7, 1]]
    """
    return _int32("seed", np.stack([np.full(num, seed), np.arange(num)], axis=-1))


def named(condition, **inputs):
    """Returns the inputs of a request, with the condition of each row if there is one."""
    if condition is None:
        return inputs
    values = np.asarray(condition)
    whole = values.dtype.kind in "iu" and values.ndim == 1
    return {**inputs, "condition": values if whole else values.astype(np.float32)}


def floats(array):
    """Returns an array as float32."""
    return np.asarray(array, np.float32)


def checked_seeds(array):
    """Returns the seeds of rows; refuses what is none."""
    array = np.asarray(array)
    if array.ndim != 2 or array.shape[-1] != 2 or array.dtype.kind not in "iu":
        raise ValueError(
            f"A seed is a pair of integers for each row, int32 [batch, 2]. Received "
            f"{array.dtype}{list(array.shape)}. Make them with `seeds(num)`."
        )
    return _int32("seed", array)


def image_name(images):
    """Returns the name of the input that images go by; refuses what is neither.

    Args:
        images: Array.
    """
    if images.dtype.kind == "S":
        return "image_bytes"
    if images.dtype == np.uint8:
        return "image"
    raise ValueError(
        f"Images are uint8 arrays, or PNG files as bytes. Received "
        f"{images.dtype}{list(images.shape)}. Give examples in [0, 1] to `encode`."
    )


def typed(inputs):
    """Returns the inputs of a request in the types that exports take: none has 64 bits.

    Args:
        inputs: Dict of name to array.

    Raises:
        ValueError: If one has no such type.
    """
    return {name: _typed(name, np.asarray(values)) for name, values in inputs.items()}


def _typed(name, array):
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "S" or array.dtype == np.uint8:
        return array
    if array.dtype.kind in "iu":
        return _int32(name, array)
    raise ValueError(
        f"`{name}` is an array of floats, integers or bytes. Received "
        f"{array.dtype}{list(array.shape)}."
    )


def _int32(name, array):
    """Returns integers as int32; refuses those that don't fit, which would become others."""
    limits = np.iinfo(np.int32)
    if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
        raise ValueError(
            f"`{name}` holds integers of 32 bits, from {limits.min} to {limits.max}. Received "
            f"values from {array.min()} to {array.max()}."
        )
    return array.astype(np.int32)
