"""Long tables of arrays, written row by row in constant memory, and gone on with after a stop.

While a file is made, its columns lie beside it as arrays that grow:

    .codes.parquet.partial/request.json   what is being made
                           mean.npy       so many rows of it

The same command finds them and goes on where they end; another one begins anew. At the end they
become the file, which is there whole or not at all.
"""

import contextlib
import json
import math
import os
import pathlib
import shutil
import zipfile

from pipelines import cli, outputs
from pipelines.cli import Failure, UsageError
from tfvae.files import write_atomically
from tfvae.lazy import numpy as np

#: What a table may be written as; the first is proposed.
SUFFIXES = (".npy", ".npz", ".parquet", ".tfrecord")

_REQUEST = "request.json"
_ROWS = 4096  # a row group of Parquet, and what is in memory at once while a file is put together


class Table:
    """A table in the making.

    Args:
        path: `pathlib.Path` of the file to make.
        request: What is being made, as JSON can hold it: rows of another request are discarded.
        num: Number of rows that it will have.
        option: Name of the option that gave the path.
    """

    def __init__(self, path, request, num, option="--output"):
        self._path = path
        self._option = option
        self._folder = path.with_name(f".{path.name}.partial")
        self._request = request
        self._num = num
        self.num_done = self._find()

    def done(self):
        """Returns the first `num_done` rows, which are there already: dict of name to array."""
        return {path.stem: self._rows(path) for path in sorted(self._folder.glob("*.npy"))}

    def _rows(self, path):
        with path.open("rb") as file:
            shape, _, dtype = _read_header(file)
            count = self.num_done * math.prod(shape[1:])
            return np.fromfile(file, dtype, count).reshape(self.num_done, *shape[1:])

    def write(self, chunks):
        """Appends chunks until the table is whole, and makes the file.

        Args:
            chunks: Iterable of dicts of column name to array `[chunk, ...]`: what follows the
                first `num_done` rows.

        Raises:
            Failure: If the disk has no room for it, or the file can't be written.
            UsageError: If the kind of file can't hold these columns.
        """
        with outputs.writing(self._path, self._option), contextlib.ExitStack() as stack:
            files: dict = {}
            for chunk in chunks:
                if not files:
                    self._begin(chunk)
                    files = {name: stack.enter_context(self._open(name)) for name in chunk}
                for name, array in chunk.items():
                    files[name].write(np.ascontiguousarray(array).tobytes())
                self.num_done += len(next(iter(chunk.values())))
            stack.close()
            columns = {p.stem: p for p in sorted(self._folder.glob("*.npy"))}
            _check_columns(self._path, columns)
            _WRITERS[self._path.suffix.lower()](self._path, columns)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _find(self):
        """Returns how many rows of this request are there already; discards those of others."""
        try:
            request = json.loads((self._folder / _REQUEST).read_text(encoding="utf-8"))
            if request == self._request:
                return min(map(_num_rows, self._folder.glob("*.npy")), default=0)
        except (OSError, ValueError):
            pass
        shutil.rmtree(self._folder, ignore_errors=True)
        return 0

    def _begin(self, chunk):
        """Makes the columns, or cuts those that are there to the same number of rows."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.num_done == 0:
            rows = sum(math.prod(a.shape[1:]) * a.itemsize for a in chunk.values())
            try:
                _check_columns(self._path, chunk)
                _check_space(self._path, self._num * rows, self._option)
            except Exception:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
            for name, array in chunk.items():
                with (self._folder / f"{name}.npy").open("wb") as file:
                    np.lib.format.write_array_header_1_0(file, _header(self._num, array))
            # Last: what has no request is discarded.
            with write_atomically(self._folder / _REQUEST) as file:
                file.write(json.dumps(self._request).encode())
        for name, array in chunk.items():
            path = self._folder / f"{name}.npy"
            size = _header_size(path) + self.num_done * array[0].nbytes
            os.truncate(path, size)

    def _open(self, name):
        return (self._folder / f"{name}.npy").open("ab")


def check_suffix(path, option="--output"):
    """Refuses a kind of file for which a package is missing, before the work.

    Args:
        path: `pathlib.Path` of the file to make.
        option: Name of the option that gave it.

    Raises:
        UsageError: If it is so.
    """
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "Parquet files need pyarrow. Install it with `pip install 'tfvae[data]'`, or write "
                f"`{option} {path.with_suffix('.npz')}`."
            ) from error


def _header(num, array):
    return {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": (num, *array.shape[1:]),
    }


def _read_header(file):
    np.lib.format.read_magic(file)
    return np.lib.format.read_array_header_1_0(file)


def _header_size(path):
    with path.open("rb") as file:
        _read_header(file)
        return file.tell()


def _num_rows(path):
    """Returns how many whole rows of a growing array are there."""
    with path.open("rb") as file:
        shape, _, dtype = _read_header(file)
        row = math.prod(shape[1:]) * dtype.itemsize
        return (path.stat().st_size - file.tell()) // row


def _check_columns(path, columns):
    if path.suffix.lower() == ".npy" and len(columns) > 1:
        raise UsageError(
            f"A .npy file holds one array. There are {', '.join(columns)}. Write "
            f"`--output {path.with_suffix('.npz')}`."
        )


def _check_space(path, num_bytes, option):
    """Refuses what the disk has no room for, before the rest is made."""
    place = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(place).free
    copies = 1 if path.suffix.lower() == ".npy" else 2  # the columns, and the file made of them
    if copies * num_bytes > free:
        raise Failure(
            f"{path} would take {copies * num_bytes / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are "
            f"free. Write fewer, or choose another place with `{option}`."
        )


def _write_npy(path, columns):
    (column,) = columns.values()
    with column.open("rb") as file:
        os.fsync(file.fileno())
    column.replace(path)


def _write_npz(path, columns):
    with (
        write_atomically(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for name, column in columns.items():
            with (
                column.open("rb") as source,
                archive.open(f"{name}.npy", "w", force_zip64=True) as member,
            ):
                shutil.copyfileobj(source, member, 2**20)


def _write_parquet(path, columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def arrow(array):
        flat = pa.array(np.ascontiguousarray(array).ravel())
        size = math.prod(array.shape[1:])
        return flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, size)

    with write_atomically(path) as file, contextlib.ExitStack() as stack:
        writer = None
        for rows in _slices(columns):
            table = pa.table({name: arrow(array) for name, array in rows.items()})
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema))
            writer.write_table(table)


def _write_csv(path, columns):
    """Writes numbers with the digits that give them back to the last bit, a column each."""
    with write_atomically(path) as file:
        file.write(f"{','.join(columns)}\n".encode())
        for rows in _slices(columns):
            texts = [map(str, array) for array in rows.values()]
            file.writelines(f"{','.join(row)}\n".encode() for row in zip(*texts, strict=True))


def _write_tfrecord(path, columns):
    cli.load_tensorflow(probability=False)  # quietly
    import tensorflow as tf

    def feature(value):
        if value.dtype.kind == "f":
            return tf.train.Feature(float_list=tf.train.FloatList(value=value.ravel()))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value.ravel()))

    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for rows in _slices(columns):
                for row in zip(*rows.values(), strict=True):
                    features = {k: feature(np.asarray(v)) for k, v in zip(rows, row, strict=True)}
                    example = tf.train.Example(features=tf.train.Features(feature=features))
                    writer.write(example.SerializeToString())
        temporary.replace(path)
    finally:
        pathlib.Path(temporary).unlink(missing_ok=True)


def _slices(columns):
    """Yields the rows of all columns, some thousand at a time."""
    arrays = {name: np.load(path, mmap_mode="r") for name, path in columns.items()}
    num = len(next(iter(arrays.values())))
    for start in range(0, num, _ROWS):
        yield {name: array[start : start + _ROWS] for name, array in arrays.items()}


#: How a table is written, by the suffix of the file.
_WRITERS = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
    ".csv": _write_csv,  # of columns of single numbers
    ".tfrecord": _write_tfrecord,
}
