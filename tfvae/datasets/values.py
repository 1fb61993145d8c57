"""Values of examples: what becomes of a dtype, which ones are refused, and their digests."""

import hashlib

import numpy as np

#: What a dtype is divided by: levels of light become fractions of the full one.
SCALES = {"uint8": 255, "uint16": 65535}

_CHUNK_BYTES = 2**26
_LARGEST_WHOLE = 2**24  # up to here float32 holds every whole number


def check_scale(scale):
    """Returns the option `scale` if it is None or a positive number."""
    if scale is None or (type(scale) in (int, float) and 0 < scale < float("inf")):
        return scale
    raise ValueError(
        f"`scale` is what values are divided by, a positive number, or None for the usual one of "
        f"their dtype. Received {scale!r}."
    )


def check_dtype(array, name):
    """Refuses an array that holds no numbers.

    Raises:
        ValueError: If the dtype is no number.
    """
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} holds {_what(array.dtype)}, and examples are numbers of one shape. Store them "
            f"as one array of floats or ints, as in `numpy.stack(examples).astype('float32')`."
        )


def stored(array, scale=None):
    """Returns values as they are kept: uint8 that stands for levels / 255, or float32.

    Args:
        array: NumPy array of bools, ints or floats.
        scale: Positive number to divide by; None for that of `SCALES`, or 1.

    Returns:
        uint8 where the array is uint8 and is divided by 255, else float32.
    """
    scale = SCALES.get(array.dtype.name, 1) if scale is None else scale
    if array.dtype == np.uint8 and scale == 255:
        return array
    with np.errstate(over="ignore"):  # what becomes infinite is found by `scan`
        values = array.astype(np.float32)
    return values if scale == 1 else values / np.float32(scale)


def note(dtype, scale, name):
    """Returns a sentence on what `stored` does to a dtype, or None where it does nothing."""
    divisor = SCALES.get(dtype.name, 1) if scale is None else scale
    if divisor != 1:
        return f"{name}: {dtype.name} values were divided by {divisor:g}."
    if dtype.newbyteorder("=") != np.float32:
        return f"{name}: {dtype.name} values were cast to float32."
    return None


def filled(x):
    """Returns examples with an observed value in the place of each that is missing.

    For questions that only what is there can answer, such as whether it lies in a support. The
    value is the element's own in the first example that has it: elements that are missing together,
    as those of a category, come from one example.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    first = np.argmin(missing, axis=0)[np.newaxis]
    found = np.where(missing, np.take_along_axis(x, first, axis=0), x)
    return np.where(np.isnan(found), x[~missing].max(initial=-np.inf), found)


def check_missing(missing):
    """Returns whether missing values are masked, of the option `missing`.

    Raises:
        ValueError: If it is none of its values.
    """
    if missing not in ("refuse", "mask"):
        raise ValueError(
            f"`missing` is 'refuse', or 'mask': the likelihood leaves missing values out. Received "
            f"{missing!r}."
        )
    return missing == "mask"


def check_labels(labels, name):
    """Refuses labels that are no whole numbers.

    Raises:
        ValueError: If their dtype is another one.
    """
    if labels.dtype.kind not in "iub":
        raise ValueError(
            f"Labels are whole numbers, the numbers of classes. {name} has labels that are "
            f"{_what(labels.dtype)}. Number them, as in `numpy.unique(labels, "
            f"return_inverse=True)[1]`."
        )


def chunks(examples):
    """Yields (start, stored examples) over all examples, some 64 MB at a time."""
    step = max(1, _CHUNK_BYTES // max(1, examples[:1].nbytes)) if len(examples) else 1
    for start in range(0, len(examples), step):
        yield start, examples[start : start + step]


def digests(examples):
    """Returns a digest of each example, uint64 pairs as one structured array `[num]`."""
    if hasattr(examples, "digests"):
        return examples.digests
    return np.concatenate([digests_of(chunk) for _, chunk in chunks(examples)])


def digests_of(chunk):
    """Returns a digest of each example of a NumPy array, as `digests` does."""
    found = np.empty([len(chunk), 2], np.uint64)
    rows = np.ascontiguousarray(chunk).reshape(len(chunk), -1).view(np.uint8)
    for i, row in enumerate(rows):
        digest = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        found[i] = np.frombuffer(digest, "<u8")
    return found.view([("a", np.uint64), ("b", np.uint64)])[:, 0]


def content(examples):
    """Yields the bytes that a fingerprint is made of: of the examples, or of their digests."""
    if hasattr(examples, "digests"):
        yield np.ascontiguousarray(examples.digests).view(np.uint8).data
        return
    for _, chunk in chunks(examples):
        yield np.ascontiguousarray(chunk).data


def check_whole(array, name):
    """Refuses whole numbers that float32 would round.

    Raises:
        ValueError: If there is one beyond 2**24.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2 and array.size:
        largest = max(int(array.max()), -int(array.min()))
        if largest > _LARGEST_WHOLE:
            raise ValueError(
                f"{name} holds whole numbers up to {largest:,}, and float32 holds them exactly up "
                f"to 16,777,216 only. Store them as floats in smaller units."
            )


def _what(dtype):
    kinds = {"O": "Python objects, perhaps of mixed shapes", "U": "text", "S": "bytes"}
    return kinds.get(dtype.kind, f"values of type {dtype.name}")
