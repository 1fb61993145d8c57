"""Arrays in .npy, .npz and HDF5 files."""

import numpy as np

from tfvae.datasets import array_files, files, memory, values
from tfvae.datasets.mapped import Mapped
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options


class Arrays(StoredDataset, name="arrays"):
    """An array of examples in a .npy, .npz, .h5 or .hdf5 file, one example a row.

    What is neither chunked nor compressed stays on disk and is mapped where it is larger than an
    eighth of the memory: a .npy file, what `numpy.savez` writes, an array of an HDF5 file. uint8
    arrays of rank 3 are grey images and get an axis for their channel.

    Args:
        path: The file.
        key: Name of the array in a .npz or HDF5 file; None takes the only one.
        labels: Name of the array of int labels in the same file, or path of a .npy file; or None.
        condition: The same for an array of numbers that are known of each example, `[num]` or
            `[num, size]`: what `--condition vector` takes.
        scale: What values are divided by; None for 255 of uint8, 65535 of uint16, else 1.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for values in [0, 1] then.
        validation: Fraction or number of the examples to validate on.
        test: Fraction or number of the examples to test on; None for 0.1, 0 for no test split.
        seed: Which examples are set aside follows from it.
        map_file: Whether the array stays on disk; None decides by its size.
        missing: What becomes of NaN: 'refuse', or 'mask': the encoder sees 0 for it, and the
            likelihood, whose elements are independent, leaves it out.

    Raises:
        ValueError: If an option is out of range, or the file is damaged, lacks the array, or
            holds what can't be learnt from.
        OSError: If the file is not there or may not be read.
    """

    def __init__(
        self,
        *,
        path,
        key=None,
        labels=None,
        condition=None,
        scale=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
        map_file=None,
        missing="refuse",
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        self.masks_missing = values.check_missing(missing)
        if map_file not in (None, True, False):
            raise ValueError(f"`map_file` is True, False or None. Received {map_file!r}.")
        path = files.existing(path)
        array = array_files.read(path, key, map_file)
        name = f"The array {path}" if key is None else f"The array {key!r} of {path}"
        values.check_dtype(array, name)
        notes = [values.note(array.dtype, scale, name)]
        if array.ndim == 3 and array.dtype == np.uint8:
            array = array[..., np.newaxis]
            notes.append(f"{name}: rank 3 was read as grey images, {array.shape[1:]} each.")
        examples, tags = _stored(array, scale, map_file, name), _read_labels(path, labels)
        part = Part(examples, tags, name, conditions=_read_condition(path, condition))
        self._divide({"train": part}, shares, binarize=binarize, notes=filter(None, notes))


def _stored(array, scale, map_file, name):
    """Returns the examples: in memory, or mapped if asked or too large."""
    mapped = array_files.is_mapped(array)
    if map_file and not mapped:
        raise ValueError(
            f"`map_file=True` needs an array that lies in the file as in memory. {name} does "
            f"not. Store it with `numpy.save('x.npy', x)`."
        )
    values.check_whole(array, name)
    if mapped and (map_file or (map_file is None and not memory.fits(4 * array.nbytes))):
        return Mapped(array, scale)
    return values.stored(np.array(array), scale)


def _read_labels(path, labels):
    if labels is None:
        return None
    array = _read_beside(path, labels, "labels")
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` names an array of ints, one for each example. {labels!r} holds "
            f"{array.dtype}."
        )
    return np.array(array).astype(np.int64)


def _read_condition(path, condition):
    if condition is None:
        return None
    array = _read_beside(path, condition, "condition")
    values.check_dtype(array, f"`condition={condition!r}`")
    array = np.array(array, np.float32)
    return array[:, np.newaxis] if array.ndim == 1 else array


def _read_beside(path, name, option):
    """Returns an array of the same file by its name, or that of a .npy file."""
    if str(name).endswith(".npy"):
        return array_files.read(files.existing(name, option), None)
    return array_files.read(path, name)
