"""Publishing versions all or nothing, beside servers that poll and other publishers.

    exported/mnist/.staging-x7/encoder/new   ->  exported/mnist/encoder/3
                               decoder/new   ->  exported/mnist/decoder/3
                               litert/new    ->  exported/mnist/litert/3

A server loads any folder whose name is an integer as soon as it is there, so a version is
prepared under other names, on the same file system, and moved whole. Locks belong to processes:
what a killed publisher leaves holds no lock, which is how the next one knows it as dead. It
finishes what was decided and removes the rest.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile

_PREFIX = ".staging-"


class Staging:
    """A hidden folder inside an export in which a new version is prepared.

    Use it as a context manager: what is not published is removed when the block is left.

    Args:
        root: Directory of the export; made where it is missing.

    Attributes:
        directory: The hidden folder; `FOLDER/new` in it becomes `FOLDER/<version>`.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def __enter__(self):
        self.root.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            with _lock(self.root):
                _bury_the_dead(self.root)
                self.directory = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.root))
                stack.enter_context(_lock(self.directory))
            self._alive = stack.pop_all()
        return self

    def __exit__(self, *exception):
        with self._alive:
            shutil.rmtree(self.directory, ignore_errors=True)

    def publish(self):
        """Moves every `FOLDER/new` to `FOLDER/<version>`.

        Returns:
            The version: one above the highest that the export holds in any folder.
        """
        _sync(self.directory)
        with _lock(self.root):
            version = _next_version(self.root)
            for new in self.directory.glob("*/new"):
                (self.root / new.parent.name).mkdir(exist_ok=True)
            # From here on the version exists: who finds it half moved moves the rest.
            decided = self.directory / "version"
            decided.write_text(str(version), encoding="utf-8")
            _sync(self.directory)
            _move(self.directory, self.root, version)
        return version


@contextlib.contextmanager
def _lock(directory, *, wait=True):
    """Holds the lock of a directory: it is free again when the process ends, however it ends.

    Raises:
        BlockingIOError: If another process holds it and `wait` is false.
    """
    with open(directory / ".lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _bury_the_dead(root):
    """Finishes or removes what publishers left that are no longer alive."""
    for staging in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(BlockingIOError), _lock(staging, wait=False):
            decided = staging / "version"
            if decided.is_file():
                _move(staging, root, int(decided.read_text(encoding="utf-8")))
            shutil.rmtree(staging, ignore_errors=True)


def _move(staging, root, version):
    """Moves the folders of a version to where they are seen; all of them, or none on an error."""
    moved = []
    try:
        for new in sorted(staging.glob("*/new")):
            target = root / new.parent.name / str(version)
            new.rename(target)
            moved.append((target, new))
            _sync_one(target.parent)
    except OSError:
        for target, new in reversed(moved):
            target.rename(new)
        raise


def _next_version(root):
    versions = [int(path.name) for path in root.glob("*/*") if path.name.isdecimal()]
    return max(versions, default=0) + 1


def _sync(directory):
    """Forces a tree to the disk, so that a crash can't leave a name without its content."""
    for folder, _, names in os.walk(directory):
        for name in names:
            _sync_one(os.path.join(folder, name))
        _sync_one(folder)


def _sync_one(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
