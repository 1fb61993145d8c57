"""Reading arrays from .npy, .npz and HDF5 files, mapped from disk where the file allows it."""

import zipfile

import numpy as np

from tfvae.datasets import files, memory

_HDF5 = (".h5", ".hdf5")
_HEAD = 30  # bytes of the head of a file in an archive, before its name and its extra field


class _RefusedError(Exception):
    """What a file holds, though it is whole, is not what was asked for."""


def read(path, key, map_file=None):
    """Returns an array of a file, a `numpy.memmap` where it can and should be mapped.

    Args:
        path: `pathlib.Path` of the file.
        key: Name of the array; None for the only one.
        map_file: Whether it is to be mapped; None where it can be, and in an archive, whose check
            sums only a reading in full compares, where it is large.

    Raises:
        ValueError: If the file is damaged, is of another kind, lacks the array, or holds one that
            can't be mapped and doesn't fit into memory.
    """
    if path.suffix not in (*_HDF5, ".npy", ".npz"):
        raise ValueError(
            f"`arrays` reads .npy, .npz, .h5 and .hdf5 files. Received {path}. Save the array with "
            f"`numpy.save('x.npy', x)`; images, tables and other kinds have data sets of their own."
        )
    try:
        if path.suffix in _HDF5:
            return _read_hdf5(path, key)
        if path.suffix == ".npz":
            # Opened here: NumPy leaves a file that is no archive open.
            with path.open("rb") as file, np.load(file) as archive:
                return _of_archive(archive, key, path, map_file)
        if key is not None:
            raise _RefusedError(
                f"A .npy file holds one array, without a name. Received key={key!r} for {path}. "
                f"Leave `key` out."
            )
        return np.load(path, mmap_mode="r")
    except _RefusedError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # whatever it is, the file can't be read
        raise ValueError(_unreadable(path, error)) from error


def is_mapped(array):
    """Says whether an array stays on disk."""
    return isinstance(array, np.memmap) or isinstance(array.base, np.memmap)


def _of_archive(archive, key, path, map_file):
    name = _choose(key, dict.fromkeys(archive.files), path)
    known = {info.filename: info for info in archive.zip.infolist()}
    info = known.get(f"{name}.npy")
    if info is None:
        raise _RefusedError(
            f"{path} is an archive, but {name!r} in it is no array. Take another file."
        )
    large = not memory.fits(4 * info.file_size)
    if info.compress_type == zipfile.ZIP_STORED and (map_file or (map_file is None and large)):
        return _mapped(path, info)
    if not memory.fits(2 * info.file_size):
        raise _RefusedError(_too_large(name, path, "compressed in an archive"))
    return archive[name]


def _mapped(path, info):
    """Returns an array of an archive that isn't compressed: a .npy file within a file."""
    form = np.lib.format
    heads = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(_HEAD)
        beside = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        file.seek(info.header_offset + _HEAD + beside)
        version = form.read_magic(file)
        if version not in heads:
            raise ValueError(f"{info.filename} is of the version {version} of its form")
        shape, by_column, dtype = heads[version](file)
        if dtype.hasobject:
            raise ValueError("Python objects")
        start = file.tell()
    return np.memmap(path, dtype, "r", start, shape, "F" if by_column else "C")


def _read_hdf5(path, key):
    import h5py

    with h5py.File(path, "r") as file:
        found: dict = {}
        file.visititems(lambda name, item: _collect(found, name, item, h5py.Dataset))
        item = file[_choose(key, found, path)]
        if item.dtype.kind not in "biuf" or not item.size:  # nothing that could be mapped
            return np.empty([0] if item.size else item.shape or [0], item.dtype)
        if item.id.get_offset() is not None and item.dtype.isnative:
            shape, dtype, offset = item.shape, item.dtype, item.id.get_offset()
            return np.memmap(path, dtype, "r", offset, shape)
        if not memory.fits(4 * item.size):
            raise _RefusedError(_too_large(item.name, path, "chunked or compressed"))
        return item[()]


def _unreadable(path, error):
    """Returns the message for a file that can't be read."""
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        return files.damaged(path, "it is no archive")
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return (
            f"The data file {path} holds Python objects, perhaps examples of mixed shapes. Store "
            f"one array of numbers: `numpy.save('x.npy', numpy.stack(examples))`."
        )
    return files.damaged(path, error)


def _too_large(name, path, state):
    return (
        f"The array {name} of {path} is {state}, and too large for the memory. Store it so that it "
        f"can be mapped: `numpy.save('x.npy', x)`, or in HDF5 without chunks and compression."
    )


def _collect(found, name, item, kind):
    if isinstance(item, kind):
        found[name] = item.shape


def _choose(key, found, path):
    """Returns the key to read, or raises a `_RefusedError` with what there is."""
    listed = ", ".join(map(repr, found)) or "no array"
    if isinstance(key, str) and key in found:
        return key
    if key is None and len(found) == 1:
        return next(iter(found))
    if key is None:
        hint = f" Write `key={next(iter(found))!r}`." if found else " Take another file."
        raise _RefusedError(f"{path} holds {listed}, and `key` names the one to learn.{hint}")
    raise _RefusedError(f"`key` names an array of {path}, which holds {listed}. Received {key!r}.")
