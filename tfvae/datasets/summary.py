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
    """

    num: int
    mean: float
    stddev: float
    counts: np.ndarray
    edges: np.ndarray
    num_distinct: int
    constant: np.ndarray


def summarize(x):
    """Returns the `Summary` of examples, float32 `[num, *event]`."""
    low, high = float(x.min()), float(x.max())
    counts, edges = np.histogram(x, _BINS, (low, high if high > low else low + 1))
    flat = x.reshape(len(x), -1)
    return Summary(
        num=len(x),
        mean=float(x.mean(dtype=np.float64)),
        stddev=float(x.std(dtype=np.float64)),
        counts=counts,
        edges=edges,
        num_distinct=len(np.unique(x)),
        constant=np.flatnonzero((flat == flat[:1]).all(axis=0)),
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
