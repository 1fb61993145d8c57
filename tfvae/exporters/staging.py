"""Publishing versions all or nothing, beside servers that poll and other publishers.

    exported/mnist/.staging-x7/encoder/new   ->  exported/mnist/encoder/3
                               decoder/new   ->  exported/mnist/decoder/3
                               litert/new    ->  exported/mnist/litert/3

A server loads any folder whose name is an integer as soon as it is there, so a version is
prepared under other names, on the same file system, and moved whole. Locks belong to processes:
what a killed publisher leaves holds no lock, which is how the next one knows it as dead. It
finishes what was decided and removes the rest. There is no stale lock to recover: the system
releases the lock with the process, and the file it is on means nothing by itself.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile

from tfvae.files import write_atomically
from tfvae.locks import locked

_PREFIX = ".staging-"
_DECIDED = "version"  # name of the file that holds the number once it is decided
_DOOMED = "doomed"  # name of the file that lists the versions that are being removed


class Staging:
    """A hidden folder inside an export in which a new version is prepared.

    Use it as a context manager: what is not published is removed when the block is left, however
    it is left.

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
            with locked(self.root):
                _bury_the_dead(self.root)
                self.directory = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.root))
                stack.enter_context(locked(self.directory))
            self._alive = stack.pop_all()
        return self

    def __exit__(self, *exception):
        with self._alive:
            # Parts of a version that is half seen, since taking it back was interrupted too, are
            # kept: the next publisher finishes it.
            if _decided(self.directory) is None or not any(self.directory.glob("*/new")):
                shutil.rmtree(self.directory, ignore_errors=True)

    def publish(self, describe=None, follow_up=None):
        """Moves every `FOLDER/new` to `FOLDER/<version>`.

        Args:
            describe: Function (directory, version) that adds what can be written only when the
                version is known. If it raises, nothing is published.
            follow_up: Function (root, version), called after the version has appeared, which
                stays even if this raises. No other publisher works on the export meanwhile.

        Returns:
            The version: one above the highest that the export holds in any folder.
        """
        _sync(self.directory)
        with locked(self.root):
            version = _next_version(self.root)
            if describe is not None:
                describe(self.directory, version)
                _sync(self.directory)
            for new in self.directory.glob("*/new"):
                (self.root / new.parent.name).mkdir(exist_ok=True)
            _sync_one(self.root)
            try:
                # From here on the version exists: who finds it half moved moves the rest.
                with write_atomically(self.directory / _DECIDED) as file:
                    file.write(str(version).encode())
                _sync_one(self.directory)
                _move(self.directory, self.root, version)
            except BaseException:
                if not any(self.root.glob(f"*/{version}")):
                    (self.directory / _DECIDED).unlink(missing_ok=True)
                raise
            if follow_up is not None:
                follow_up(self.root, version)
        return version


def prune(root, keep, protected=()):
    """Removes old versions. To be called from `follow_up`, where no other publisher works.

    A version is moved away before its files are removed, so that nobody finds half of it. Who is
    killed meanwhile leaves a list of what is to go, and the next publisher sees to the rest.

    Args:
        root: `pathlib.Path` of the export.
        keep: How many of the newest versions stay, at least 1.
        protected: Versions that stay however old they are.

    Returns:
        The versions that were removed, from old to new.
    """
    there = sorted({version for _, version in _versions(root)})
    doomed = [version for version in there[:-keep] if version not in protected]
    if doomed:
        grave = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        with write_atomically(grave / _DOOMED) as file:
            file.write(" ".join(map(str, doomed)).encode())
        _sync_one(grave)
        _bury_versions(grave, root)
    return doomed


def _bury_versions(grave, root):
    """Removes the versions that a folder's list names, and the folder."""
    doomed = _doomed(grave)
    for folder, version in _versions(root):
        if version in doomed:
            (root / folder / str(version)).rename(grave / f"{folder}-{version}")
    shutil.rmtree(grave, ignore_errors=True)


def _doomed(grave):
    try:
        return set(map(int, (grave / _DOOMED).read_text(encoding="ascii").split()))
    except FileNotFoundError:
        return set()


def _bury_the_dead(root):
    """Finishes or removes what publishers left that are no longer alive."""
    for staging in root.glob(f"{_PREFIX}*"):
        # Alive, or removed by its publisher since it was listed.
        gone = (BlockingIOError, FileNotFoundError)
        with contextlib.suppress(*gone), locked(staging, wait=False):
            version = _decided(staging)
            if version is not None:
                _move(staging, root, version)
            _bury_versions(staging, root)


def _decided(staging):
    """Returns the version that a staging folder was decided to become, or None.

    The number is on the disk before the first folder is moved, so a damaged one decides nothing.
    """
    try:
        return int((staging / _DECIDED).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _move(staging, root, version):
    """Moves the folders of a version to where they are seen: all, or none if it is interrupted."""
    targets = {new: root / new.parent.name / str(version) for new in sorted(staging.glob("*/new"))}
    try:
        for new, target in targets.items():
            new.rename(target)
            _sync_one(target.parent)
    except BaseException:  # Ctrl-C too
        for new, target in reversed(targets.items()):
            if not new.exists():
                target.rename(new)
        raise


def _next_version(root):
    return max((version for _, version in _versions(root)), default=0) + 1


def _versions(root):
    """Returns every version of every part, as (name of the folder, number)."""
    folders = [entry for entry in os.scandir(root) if entry.is_dir()]
    names = [(folder.name, name) for folder in folders for name in os.listdir(folder)]
    return [(folder, int(name)) for folder, name in names if name.isdecimal()]


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
