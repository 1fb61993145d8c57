"""Where a run goes: its directory is checked, made, and held by one process at a time."""

import contextlib
import errno
import itertools
import os
import pathlib

from pipelines import cli
from pipelines.cli import UsageError
from pipelines.export import check_directory
from pipelines.runs import OPTIONS
from tfvae import locks

_RUNS = pathlib.Path("runs")
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

# What a process that was killed leaves half written; other programs may be writing other files.
_HALF_WRITTEN = (
    ".model.tmp.keras",
    ".options.json.*.tmp",
    ".results.json.*.tmp",
    ".metrics.jsonl.*.tmp",
    "checkpoints/.*.tmp",
    "train/.*.tmp",
    "validation/.*.tmp",
)


def check(run, export, resume):
    """Refuses places that can't be written, before anything slow begins.

    Args:
        run: `pathlib.Path` of the run directory, or None where none was named.
        export: `pathlib.Path` to publish in, or None.
        resume: Whether the run goes on.

    Raises:
        UsageError: If one can't be written, is in use for something else, or both are the same.
    """
    if run is None:
        obstacle = cli.obstacle_to(_RUNS / "new")
        if obstacle is not None:
            raise UsageError(
                f"Without `--run` a run gets a folder in `{_RUNS}` of the working directory, but "
                f"{obstacle} Add `--run DIR`."
            )
    else:
        if not resume:
            _check_new(run)
        cli.check_writable(run, "--run")
    if export is not None:
        check_directory(export, "--export")
    if run is not None and export is not None and run.resolve() == export.resolve():
        raise UsageError(
            f"`--run` and `--export` name different directories. Received {run} and {export}. "
            f"Choose another one with `--export`, such as exported/{run.name}."
        )


def _check_new(run):
    if os.path.exists(run) and not _is_empty(run):  # of a name that is too long it says no
        begun = (run / OPTIONS).is_file()
        raise UsageError(
            f"`--run` names a new directory, and {run} exists. Choose another name"
            f"{', or go on with it by adding `--resume`' if begun else ''}."
        )


def _is_empty(directory):
    return directory.is_dir() and {path.name for path in directory.iterdir()} <= {locks.FILE}


@contextlib.contextmanager
def begun(run, name):
    """Makes the directory of a new run, and holds it while the block runs.

    Args:
        run: `pathlib.Path` that was named, or None for the next free `runs/NAME-N`.
        name: Name of the data set.

    Yields:
        Its path.

    Raises:
        UsageError: If another process has begun it meanwhile.
    """
    if run is None:
        run = _make_next(name)
    run.mkdir(parents=True, exist_ok=True)
    with _held(run):
        _check_new(run)  # what was free before the model was built may be taken
        yield run


@contextlib.contextmanager
def resumed(run):
    """Holds the directory of a run that goes on, and clears it of what was left half written.

    Args:
        run: `pathlib.Path` of the directory.

    Yields:
        The path.

    Raises:
        UsageError: If another process trains the run.
    """
    with _held(run):
        for path in itertools.chain(*map(run.glob, _HALF_WRITTEN)):
            path.unlink(missing_ok=True)
        yield run


def _make_next(name):
    for number in itertools.count(1):
        run = _RUNS / f"{name}-{number}"
        with contextlib.suppress(FileExistsError):
            run.mkdir(parents=True)
            return run
    raise AssertionError("itertools.count ends")


@contextlib.contextmanager
def _held(run):
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.locked(run, wait=False))
        except BlockingIOError:
            raise UsageError(
                f"A run is trained by one process at a time, and another one trains {run}. Wait "
                f"until it ends, or name another directory with `--run`."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print(f"{run} lies on a file system without locks: train it by one process at a time.")
        yield
