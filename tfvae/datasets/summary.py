"""What is worth knowing of a data set before training on it."""

import dataclasses

import numpy as np

_BINS = 10


@dataclasses.dataclass(frozen=True)
class Summary:
    """Statistics of the first examples of the training split.

    Attributes:
        num: How many examples they are of.
        mean: Mean of all values.
        stddev: Standard deviation of all values.
        counts: How many values lie in each bin, int64 `[bins]`.
        edges: Edges of the bins, `[bins + 1]`.
        num_distinct: How many different values there are.
        constant: Indices of elements of the flattened event that are the same in every example.
        num_missing: How many values are NaN, which the others of these don't count.
    """

    num: int
    mean: float
    stddev: float
    counts: np.ndarray
    edges: np.ndarray
    num_distinct: int
    constant: np.ndarray
    num_missing: int


def summarize(x):
    """Returns the `Summary` of examples, float32 `[num, *event]`, NaN where a value is missing."""
    values = x[~np.isnan(x)]
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, _BINS, (low, high if high > low else low + 1))
    flat = x.reshape(len(x), -1)
    # The greatest and the least of what is there; -inf and inf where nothing is.
    highest = np.where(np.isnan(flat), -np.inf, flat).max(axis=0)
    lowest = np.where(np.isnan(flat), np.inf, flat).min(axis=0)
    return Summary(
        num=len(x),
        mean=float(values.mean(dtype=np.float64)),
        stddev=float(values.std(dtype=np.float64)),
        counts=counts,
        edges=edges,
        num_distinct=len(np.unique(values)),
        constant=np.flatnonzero(highest <= lowest),
        num_missing=x.size - values.size,
    )


def first(dataset, split, num):
    """Returns the first examples of a split, float32 `[at most num, *event_shape]`."""
    found, missing = [], num
    for batch in dataset.split(split, min(num, 500)):
        found.append(np.asarray(batch)[:missing])
        missing -= len(found[-1])
        if not missing:
            break
    return np.concatenate(found)
