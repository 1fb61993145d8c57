"""Locks of directories, which belong to processes: one that ends, however it ends, holds none."""

import contextlib
import fcntl

#: The file in a directory that its lock is on. It stays, and means nothing by itself.
FILE = ".lock"


@contextlib.contextmanager
def locked(directory, *, wait=True):
    """Holds the lock of a directory: it is free again when the process ends, however it ends.

    Args:
        directory: `pathlib.Path` of a directory that exists.
        wait: Whether to wait for a process that holds it.

    Raises:
        BlockingIOError: If another process holds it and `wait` is false.
        OSError: If the lock's file can't be made, or the file system has no locks.
    """
    with open(directory / FILE, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
