"""MNIST, which comes with the package."""

import functools
import pathlib

import numpy as np

from tfvae.datasets.idx_files import DataFileError, read_idx
from tfvae.datasets.parts import Part
from tfvae.datasets.splits import Shares, size_of
from tfvae.datasets.stored import StoredDataset

_FOLDER = pathlib.Path(__file__).parent / "data" / "mnist"
_NUM_TRAINING, _NUM_TEST = 60000, 10000
_IMAGE = (28, 28)
_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


class MNIST(StoredDataset, name="mnist"):
    """Handwritten digits, 28 x 28: 60,000 to train and validate on, 10,000 to test.

    Args:
        binarize: 'dynamic' draws x ~ Bernoulli(grey value) anew each epoch, and once for
            validation and test; 'static' draws each image once; 'threshold' cuts at one half;
            'none' keeps the grey values in [0, 1].
        validation: Number or fraction of the training images that are set aside for validation:
            the last ones.
        limit: Keep only the first so many images of each split, to try things out; None keeps all.

    Raises:
        ValueError: If an option is out of range.
        DataFileError: If a data file is missing or damaged.

    References:
        [1] LeCun, Cortes and Burges. The MNIST database of handwritten digits. CC BY-SA 3.0.
        [2] Salakhutdinov and Murray 2008, and Burda et al., section 5, on the binarizations.
            https://arxiv.org/abs/1509.00519
    """

    def __init__(self, *, binarize="dynamic", validation=5000, limit=None):
        Shares(validation)  # refuses what is neither a number nor a fraction
        num_aside = size_of(validation, _NUM_TRAINING)
        if num_aside >= _NUM_TRAINING:
            raise ValueError(
                f"`validation` is how many of the 60,000 training images are set aside: a whole "
                f"number from 1 to 59,999, or a fraction. Received {validation!r}."
            )
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ValueError(
                f"`limit` is None or how many images of each split to keep: a positive int. "
                f"Received {limit!r}."
            )
        first = _NUM_TRAINING - num_aside
        bounds = {"train": (0, first), "validation": (first, _NUM_TRAINING), "test": (0, _NUM_TEST)}
        ranges = {
            split: (begin, end if limit is None else min(end, begin + limit))
            for split, (begin, end) in bounds.items()
        }
        splits = {split: self._part(split, *ranges[split]) for split in ranges}
        self._hold(splits, binarize=binarize, notes=["MNIST: uint8 values were divided by 255."])

    def _part(self, split, begin, end):
        files = _FILES["test" if split == "test" else "train"]
        num = _NUM_TEST if split == "test" else _NUM_TRAINING
        images, labels = (
            _read(_FOLDER / file, shape)
            for file, shape in zip(files, ((num, *_IMAGE), (num,)), strict=True)
        )
        start = _NUM_TRAINING if split == "test" else 0
        places = start + np.arange(begin, end)
        examples = images[begin:end, ..., np.newaxis]
        return Part(examples, labels[begin:end], f"MNIST, {split}", places=places)


@functools.cache
def _read(path, shape):
    """Returns what a file of MNIST holds; one of another shape is some other file."""
    array = read_idx(path)
    if (array.shape, array.dtype) != (shape, np.uint8):
        raise DataFileError(
            f"MNIST's file {path.name} holds uint8 of shape {shape}. That in {path.parent} holds "
            f"{array.dtype} of shape {array.shape}. Install the package again; files of your own "
            f"are read by `idx(path='folder')`."
        )
    return array
