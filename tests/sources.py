"""What tests of data sets ask of a source."""

import numpy as np
import pytest

from tfvae import components
from tfvae.datasets.base import Dataset


def build(spec):
    """Returns the data set of a spec."""
    return components.build(Dataset, spec)


def refused(spec, error=ValueError):
    """Returns the message with which a spec is refused."""
    with pytest.raises(error) as caught:
        build(spec)
    return str(caught.value)


def examples(batches):
    """Returns the examples of batches as one array."""
    return np.concatenate(list(batches.as_numpy_iterator()))


def everything(dataset):
    """Returns the examples of all splits, one split after the other."""
    return np.concatenate([examples(dataset.split(name, 50)) for name in dataset.splits])


def rows(x):
    """Returns examples as a sorted list of bytes: a multiset, to the last bit."""
    return sorted(row.tobytes() for row in np.asarray(x, np.float32))
