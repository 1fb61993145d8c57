"""Files that are there whole or not at all."""

import contextlib
import os


@contextlib.contextmanager
def write_atomically(path):
    """Opens a binary file that appears under `path` only when the block ends well.

    Args:
        path: `pathlib.Path` of the file; one that exists is replaced at the end.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
