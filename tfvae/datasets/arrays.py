"""Arrays in .npy, .npz and HDF5 files."""

import zipfile
import zlib

import numpy as np

from tfvae.datasets import files, memory, values
from tfvae.datasets.mapped import Mapped
from tfvae.datasets.stored import Part, StoredDataset, check_options

_HDF5 = (".h5", ".hdf5")


class Arrays(StoredDataset, name="arrays"):
    """An array of examples in a .npy, .npz, .h5 or .hdf5 file, one example a row.

    A .npy file, and an array of an HDF5 file that is neither chunked nor compressed, stays on
    disk and is mapped where it is larger than an eighth of the memory. uint8 arrays of rank 3 are
    grey images and get an axis for their channel.

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
        path = files.existing(path)
        array = _read(path, key)
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
    is_mapped = isinstance(array, np.memmap) or isinstance(array.base, np.memmap)
    if map_file and not is_mapped:
        raise ValueError(
            f"`map_file=True` needs an array that lies in the file as in memory. {name} does "
            f"not. Store it with `numpy.save('x.npy', x)`."
        )
    values.check_whole(array, name)
    if is_mapped and (map_file or (map_file is None and not memory.fits(4 * array.nbytes))):
        return Mapped(array, scale)
    return values.stored(np.array(array), scale)


def _read(path, key):
    """Returns an array of a file, mapped where the file allows it."""
    if path.suffix in _HDF5:
        return _read_hdf5(path, key)
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(
            f"`arrays` reads .npy, .npz, .h5 and .hdf5 files. Received {path}. Save the array with "
            f"`numpy.save('x.npy', x)`; images, tables and other kinds have data sets of their own."
        )
    try:
        if path.suffix == ".npy":
            if key is not None:
                raise KeyError(f"A .npy file holds one array, without a name. {_leave(path, key)}")
            return np.load(path, mmap_mode="r")
        # Opened here: NumPy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file) as archive:
            return _of_archive(archive, key, path)
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(files.damaged(path, error)) from error
    except ValueError as error:
        if path.suffix == ".npz" and not zipfile.is_zipfile(path):
            raise ValueError(files.damaged(path, "it is no archive")) from error
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise ValueError(
                f"The data file {path} holds Python objects, perhaps examples of mixed shapes. "
                f"Store one array of numbers: `numpy.save('x.npy', numpy.stack(examples))`."
            ) from error
        raise ValueError(files.damaged(path, error)) from error


def _of_archive(archive, key, path):
    name = _choose(key, dict.fromkeys(archive.files), path)
    sizes = {info.filename: info.file_size for info in archive.zip.infolist()}
    if f"{name}.npy" not in sizes:
        raise KeyError(f"{path} is an archive, but {name!r} in it is no array. Take another file.")
    if not memory.fits(2 * sizes[f"{name}.npy"]):
        raise KeyError(_too_large(name, path, "in an archive"))
    return archive[name]


def _read_hdf5(path, key):
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found: dict = {}
            file.visititems(lambda name, item: _collect(found, name, item, h5py.Dataset))
            item = file[_choose(key, found, path)]
            values.check_dtype(item, f"The array {item.name} of {path}")
            if item.shape is None or 0 in item.shape:
                return np.empty(item.shape or [0], item.dtype)  # nothing that could be mapped
            if item.id.get_offset() is not None and item.dtype.isnative:
                shape, dtype, offset = item.shape, item.dtype, item.id.get_offset()
                return np.memmap(path, dtype, "r", offset, shape)
            if not memory.fits(4 * item.size):
                raise KeyError(_too_large(item.name, path, "chunked or compressed"))
            return item[()]
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    except OSError as error:
        raise ValueError(files.damaged(path, error)) from error


def _too_large(name, path, state):
    return (
        f"The array {name} of {path} is {state}, and too large for the memory. Store it so that it "
        f"can be mapped: `numpy.save('x.npy', x)`, or in HDF5 without chunks and compression."
    )


def _collect(found, name, item, kind):
    if isinstance(item, kind):
        found[name] = item.shape


def _choose(key, found, path):
    """Returns the key to read, or raises a `KeyError` with what there is."""
    listed = ", ".join(map(repr, found)) or "no array"
    if key is not None and key in found:
        return key
    if key is None and len(found) == 1:
        return next(iter(found))
    if key is None:
        hint = f" Write `key={next(iter(found))!r}`." if found else " Take another file."
        raise KeyError(f"{path} holds {listed}, and `key` names the one to learn.{hint}")
    raise KeyError(f"`key` names an array of {path}, which holds {listed}. Received {key!r}.")


def _leave(path, key):
    return f"Received key={key!r} for {path}. Leave `key` out."


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
        return _read(files.existing(name, option), None)
    return _read(path, name)
