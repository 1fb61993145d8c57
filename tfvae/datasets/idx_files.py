"""Reading the IDX files that MNIST and its kin come in.

    magic: 0, 0, type code, number of axes;  one big-endian int32 an axis;  the values

References:
    [1] LeCun, Cortes and Burges. The MNIST database of handwritten digits.
"""

import gzip
import math
import zlib

from tfvae.lazy import numpy as np

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class DataFileError(OSError):
    """A data file that is missing or damaged."""


def read_idx(path):
    """Reads an IDX file, compressed by gzip if its name ends so.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        A NumPy array in the machine's byte order.

    Raises:
        DataFileError: If the file is missing or damaged, or no IDX file.
    """
    if not path.is_file():
        raise DataFileError(
            f"The data file {path} is missing. Put it back, or install the package again if it "
            f"came with it."
        )
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFileError(_damaged(path, str(error).rstrip("."))) from error
    return _parse(data, path)


def _parse(data, path):
    if (
        len(data) < 4
        or len(data) < 4 + 4 * data[3]
        or data[:2] != b"\0\0"
        or data[2] not in _DTYPES
    ):
        raise DataFileError(_damaged(path, "it does not begin as an IDX file does"))
    start = 4 + 4 * data[3]
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">i4"))
    dtype = np.dtype(_DTYPES[data[2]])
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) - start != wanted:
        have = max(0, len(data) - start)
        raise DataFileError(_damaged(path, f"its header promises {wanted} bytes, it has {have}"))
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _damaged(path, reason):
    return (
        f"The data file {path} is damaged: {reason}. Fetch it again, or install the package "
        f"again if it came with it."
    )
