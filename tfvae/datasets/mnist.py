"""MNIST, which comes with the package."""

import functools
import pathlib

import numpy as np

from tfvae.datasets import binarization
from tfvae.datasets.base import Dataset
from tfvae.datasets.epochs import in_order, shuffled_blocks
from tfvae.datasets.idx_files import DataFileError, read_idx

_FOLDER = pathlib.Path(__file__).parent / "data" / "mnist"
_NUM_TRAINING = 60000
_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


class MNIST(Dataset, name="mnist"):
    """Handwritten digits, 28 x 28: 60,000 to train and validate on, 10,000 to test.

    Args:
        binarize: 'dynamic' draws x ~ Bernoulli(grey value) anew each epoch, and once for
            validation and test; 'static' draws each image once; 'threshold' cuts at one half;
            'none' keeps the grey values in [0, 1].
        validation: Number of training images that are set aside for validation.
        limit: Keep only the first so many images of each split, to try things out; None keeps all.

    Raises:
        ValueError: If an option is out of range.
        DataFileError: If a data file is missing or damaged.

    References:
        [1] LeCun, Cortes and Burges. The MNIST database of handwritten digits. CC BY-SA 3.0.
        [2] Salakhutdinov and Murray 2008, and Burda et al., section 5, on the binarizations.
            https://arxiv.org/abs/1509.00519
    """

    event_shape = (28, 28, 1)

    def __init__(self, *, binarize="dynamic", validation=5000, limit=None):
        self.binarize = binarization.check_mode(binarize)
        if type(validation) is not int or not 0 < validation < _NUM_TRAINING:
            raise ValueError(
                f"`validation` is how many of the 60,000 training images are set aside: a whole "
                f"number from 1 to 59,999. Received {validation!r}."
            )
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ValueError(
                f"`limit` is None or how many images of each split to keep: a positive int. "
                f"Received {limit!r}."
            )
        first = _NUM_TRAINING - validation
        bounds = {"train": (0, first), "validation": (first, _NUM_TRAINING), "test": (0, 10000)}
        self._ranges = {
            split: (begin, end if limit is None else min(end, begin + limit))
            for split, (begin, end) in bounds.items()
        }
        for split in self.splits:  # so that a damaged file is found here
            if len(self._images(split)) != len(self.labels(split)):
                raise DataFileError(
                    f"The images and labels of MNIST in {_FOLDER} don't belong together: their "
                    f"numbers differ. Install the package again."
                )

    def num_examples(self, split):
        """Returns how many images a split holds."""
        self._check_split(split)
        return len(self._images(split))

    def labels(self, split):
        """Returns the digits, int64 `[num_examples]`, in the order of the split."""
        self._check_split(split)
        return self._read(split, 1).astype(np.int64)

    def _split(self, name, batch_size):
        # Places: training images from 0 on, test images after them.
        start = _NUM_TRAINING if name == "test" else self._ranges[name][0]
        images = binarization.fixed(self._images(name), self.binarize, start)
        return in_order(images, batch_size)

    def _blocks(self, batch_size, num_steps, seed, start_step):
        images = binarization.stored(self._images("train"), self.binarize, 0)
        return shuffled_blocks(images, batch_size, num_steps, seed, start_step)

    def _prepare(self, x, seed):
        return binarization.prepare(x, self.binarize, seed)

    def _images(self, split):
        return self._read(split, 0)[..., np.newaxis]

    def _read(self, split, which):
        file = _FILES["test" if split == "test" else "train"][which]
        begin, end = self._ranges[split]
        return _cached(_FOLDER / file)[begin:end]


@functools.cache
def _cached(path):
    return read_idx(path)
