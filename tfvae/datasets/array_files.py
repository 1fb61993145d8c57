"""Reading arrays from .npy, .npz and HDF5 files, mapped from disk where the file allows it."""

import zipfile
import zlib

import numpy as np

from tfvae.datasets import files, memory, values

_HDF5 = (".h5", ".hdf5")
_HEAD = 30  # bytes of the head of a file in an archive, before its name and its extra field


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
                raise KeyError(
                    f"A .npy file holds one array, without a name. Received key={key!r} for "
                    f"{path}. Leave `key` out."
                )
            return np.load(path, mmap_mode="r")
        # Opened here: NumPy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file) as archive:
            return _of_archive(archive, key, path, map_file)
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


def is_mapped(array):
    """Says whether an array stays on disk."""
    return isinstance(array, np.memmap) or isinstance(array.base, np.memmap)


def _of_archive(archive, key, path, map_file):
    name = _choose(key, dict.fromkeys(archive.files), path)
    known = {info.filename: info for info in archive.zip.infolist()}
    info = known.get(f"{name}.npy")
    if info is None:
        raise KeyError(f"{path} is an archive, but {name!r} in it is no array. Take another file.")
    large = not memory.fits(4 * info.file_size)
    if info.compress_type == zipfile.ZIP_STORED and (map_file or (map_file is None and large)):
        return _mapped(path, info)
    if not memory.fits(2 * info.file_size):
        raise KeyError(_too_large(name, path, "compressed in an archive"))
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
    if isinstance(key, str) and key in found:
        return key
    if key is None and len(found) == 1:
        return next(iter(found))
    if key is None:
        hint = f" Write `key={next(iter(found))!r}`." if found else " Take another file."
        raise KeyError(f"{path} holds {listed}, and `key` names the one to learn.{hint}")
    raise KeyError(f"`key` names an array of {path}, which holds {listed}. Received {key!r}.")
