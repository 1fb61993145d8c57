"""IDX files, the form that MNIST and its kin come in."""

import numpy as np

from tfvae.datasets import files, values
from tfvae.datasets.idx_files import read_idx
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options

_PREFIXES = {"train": ("train", "training"), "test": ("t10k", "test", "testing")}


class Idx(StoredDataset, name="idx"):
    """A folder of IDX files named as MNIST's are, compressed by gzip or not.

        train-images-idx3-ubyte.gz   train-labels-idx1-ubyte.gz
        t10k-images-idx3-ubyte.gz    t10k-labels-idx1-ubyte.gz      (or `test-...`)

    What is named `images` or `data` is read; `labels` may be missing, and the test files too.
    Files of rank 3 hold grey images and get an axis for their channel. Fashion-MNIST, KMNIST
    and EMNIST come so.

    Args:
        path: The folder.
        prefix: What the names of the files begin with, such as 'emnist-letters-'; '' for nothing.
        scale: What values are divided by; None for 255 of uint8, else 1.
        binarize: 'none', 'threshold', 'static' or 'dynamic'.
        validation: Fraction or number of the training examples to validate on.
        test: Fraction or number to test on, where there are no test files; 0 for no test split.
        seed: Which examples are set aside follows from it.

    Raises:
        ValueError: If an option is out of range, or a file is damaged or missing.
        OSError: If the folder is not there or may not be read.

    References:
        [1] LeCun, Cortes and Burges. The MNIST database of handwritten digits.
    """

    def __init__(
        self,
        *,
        path,
        prefix="",
        scale=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        folder = files.existing(path, folder=True)
        names = sorted(item.name for item in folder.iterdir() if item.is_file())
        parts, notes = {}, []
        for split, prefixes in _PREFIXES.items():
            starts = tuple(f"{prefix}{start}-" for start in prefixes)
            file = _one(names, starts, ("images", "data"), folder)
            if file is None:
                continue
            labels_file = _one(names, starts, ("labels",), folder)
            parts[split], note = _read(folder / file, labels_file and folder / labels_file, scale)
            notes.append(note)
        if "train" not in parts:
            raise ValueError(_no_images(folder, names, prefix))
        self._divide(parts, shares, binarize=binarize, notes=filter(None, notes))


def _one(names, starts, kinds, folder):
    """Returns the one name that begins with a start, a kind after it, or None."""
    wanted = tuple(start + kind for start in starts for kind in kinds)
    found = [name for name in names if name.startswith(wanted)]
    if len(found) > 1:
        raise ValueError(
            f"The folder {folder} holds one file of each kind. Received {', '.join(found)}. Move "
            f"all but one elsewhere."
        )
    return found[0] if found else None


def _read(path, labels_path, scale):
    """Returns the `Part` of a file of images, and what has been done to its values."""
    for file in filter(None, (path, labels_path)):
        files.check_readable(file)
    examples = read_idx(path)
    values.check_whole(examples, f"The data file {path}")
    note = values.note(examples.dtype, scale, str(path))
    examples = examples[..., np.newaxis] if examples.ndim == 3 else examples
    labels = read_idx(labels_path) if labels_path else None
    return Part(values.stored(examples, scale), labels, f"The data file {path}"), note


def _no_images(folder, names, prefix):
    labels = any("labels" in name for name in names)
    have = "labels only" if labels else ", ".join(names[:5]) or "nothing"
    return (
        f"A folder of IDX files holds `{prefix}train-images-idx3-ubyte`, or the same with .gz. "
        f"{folder} holds {have}. Rename the file of images so, or give `prefix`."
    )
