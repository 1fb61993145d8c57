"""The images of the benchmark, without TensorFlow: peers run in processes that don't load it."""

import pathlib

import numpy as np

import tfvae
from tfvae.datasets.idx_files import read_idx

_FOLDER = pathlib.Path(tfvae.__file__).parent / "datasets" / "data" / "mnist"


def training_images(num):
    """Returns the first images of the training split, float32 `[num, 28, 28, 1]` in [0, 1]."""
    return _read("train-images-idx3-ubyte.gz", num)


def test_images(num, binarized):
    """Returns test images, float32 `[num, 28, 28, 1]`; if `binarized`, the same draw each time."""
    grey = _read("t10k-images-idx3-ubyte.gz", num)
    if not binarized:
        return grey
    return (np.random.default_rng(0).random(grey.shape) < grey).astype(np.float32)


def _read(name, num):
    images = read_idx(_FOLDER / name)[:num, ..., np.newaxis]
    return images.astype(np.float32) / np.float32(255)
