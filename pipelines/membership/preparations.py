"""MNIST in the forms that likelihoods are of: the same images each time, and the same splits.

    binary    1 with the probability of the grey value, drawn anew each epoch
    levels    k / 255, k = 0, 1, ..., 255
    counts    k
    density   (k + u) / 256, u uniform on [0, 1): real values. A density of the levels themselves
              would grow without bound where a pixel is always black

The mass of level k is the integral of a density over its bin, so that by Jensen's inequality

    log P(k) >= E_u[log p((k + u) / 256)] - log 256        for each pixel

and all but the binary images can be told in one unit, bits a dimension.

References:
    [1] Theis, van den Oord and Bethge. A note on the evaluation of generative models, section
        3.1. https://arxiv.org/abs/1511.01844
"""

import math
import pathlib
import struct

from tfvae.files import write_atomically
from tfvae.lazy import numpy as np

_LEVELS = 256
_VALIDATION = 1000
_CODES = {"uint8": 0x08, "float32": 0x0D}


def write(folder, num_train, num_test):
    """Writes MNIST as IDX files, as it came and as real values, unless it is there.

    Args:
        folder: `pathlib.Path`; made if need be.
        num_train: Training images; 1,000 more are written to validate on.
        num_test: Test images.
    """
    from tfvae.datasets import idx_files, mnist

    rng = np.random.default_rng(0)
    source = pathlib.Path(mnist.__file__).parent / "data" / "mnist"
    for prefix, num in (("train", num_train + _VALIDATION), ("t10k", num_test)):
        images = idx_files.read_idx(source / f"{prefix}-images-idx3-ubyte.gz")[:num]
        labels = idx_files.read_idx(source / f"{prefix}-labels-idx1-ubyte.gz")[:num]
        noise = rng.random(images.shape, np.float32)
        # The largest sums would be rounded up to 1.
        real = np.minimum((images + noise) / np.float32(_LEVELS), np.float32(1 - 2**-24))
        for kind, values in (("levels", images), ("density", real)):
            _write_idx(_place(folder, kind, num_train, num_test) / f"{prefix}-images", values)
            _write_idx(_place(folder, kind, num_train, num_test) / f"{prefix}-labels", labels)


def specs(folder, num_train, num_test):
    """Returns the spec of the data set of each form, by its name.

    Args:
        folder: Where `write` has written.
        num_train: What it was asked for.
        num_test: As `num_train`.
    """
    levels, real = (_place(folder, kind, num_train, num_test) for kind in ("levels", "density"))

    def spec(place, options=""):
        return f"idx(path={str(place)!r}, validation={_VALIDATION}{options})"

    return {
        "binary": spec(levels, ", binarize='dynamic'"),
        "levels": spec(levels),
        "counts": spec(levels, ", scale=1"),
        "density": spec(real),
    }


def choose(layer):
    """Returns the name of the form that a likelihood is of.

    Args:
        layer: A `DistributionLayer` that is a likelihood.

    Returns:
        "density" for densities, and for masses the first of "levels", "counts" and "binary" whose
        values all have one.

    Raises:
        ValueError: If none has.
    """
    if not layer.discrete:
        return "density"
    values = np.arange(_LEVELS, dtype=np.float32)
    ranges = {"levels": values / np.float32(_LEVELS - 1), "counts": values, "binary": values[:2]}
    for name, x in ranges.items():
        try:
            layer.check_data(x.reshape(-1, *[1] * len(layer.event_shape)))
        except ValueError:
            continue
        return name
    raise ValueError(f"`{layer.spec}` gives none of the forms of MNIST a mass.")


def bits_per_dimension(nll, form, size):
    """Returns an NLL in bits for each of the 256 levels of an image, or None for binary images.

    Args:
        nll: Nats an image.
        form: Name of the form.
        size: Elements of an image.

    Examples:
        >>> bits_per_dimension(0.0, "density", 784)  # a uniform density
        8.0
    """
    if form == "binary":
        return None
    nats = nll / size + (math.log(_LEVELS) if form == "density" else 0.0)
    return nats / math.log(2)


def _place(folder, kind, num_train, num_test):
    return pathlib.Path(folder) / f"{kind}-{num_train}-{num_test}"


def _write_idx(path, values):
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">BBBB", 0, 0, _CODES.get(values.dtype.name, 0x08), values.ndim)
    header += struct.pack(f">{values.ndim}i", *values.shape)
    with write_atomically(path) as file:
        file.write(header)
        file.write(np.ascontiguousarray(values, values.dtype.newbyteorder(">")).tobytes())
