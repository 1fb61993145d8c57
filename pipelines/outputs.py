"""The file that `--output` names: one rule for every program.

Folders on the way to it are made, as those of runs and exports are. A file that is there is
replaced only on request.
"""

import contextlib
import os
import pathlib

from pipelines import cli
from pipelines.cli import Failure, UsageError


def check(name, suffixes, overwrite, option="--output", *, parts=False):
    """Refuses a file that can't be written, before the work that would end there.

    Args:
        name: What the option gives.
        suffixes: The endings that the program writes, each with its dot; the first is proposed.
        overwrite: Whether a file that is there may be replaced.
        option: Name of the option.
        parts: Whether it will be a folder of parts instead, `part-*` with the same ending.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        UsageError: If it has another ending, is there already, or can't be written.
    """
    path = pathlib.Path(name)
    if os.path.isdir(path) and not (parts and _is_of_parts(path)):
        raise UsageError(
            f"`{option}` names a file. {path} is a directory. Write "
            f"`{option} {path / f'picture{suffixes[0]}'}`."
        )
    if path.suffix.lower() not in suffixes:
        raise UsageError(
            f"`{option}` names a {' or a '.join(suffixes)} file. Received {name}. Write "
            f"`{option} {path.with_suffix(suffixes[0])}`."
        )
    if os.path.lexists(path) and not overwrite:
        raise UsageError(
            f"`{option}` names {path}, which exists. Choose another name, or add `--overwrite`."
        )
    check_place(path, option)
    return path


def _is_of_parts(path):
    """Says whether a path is a folder with parts and nothing else."""
    return path.is_dir() and all(p.match(f"part-*{path.suffix}") for p in path.iterdir())


def check_place(path, option):
    """Refuses a file whose folder can't be made or written.

    A file is replaced and never written into, so it is the folder that counts.

    Args:
        path: `pathlib.Path` of the file.
        option: Name of the option that gave it.

    Raises:
        UsageError: If it is so.
    """
    cli.check_writable(path.parent if os.path.lexists(path) else path, option)


@contextlib.contextmanager
def writing(path, option="--output"):
    """Makes the folder of a file that the block writes, and turns its errors into a message.

    Args:
        path: `pathlib.Path` of the file.
        option: Name of the option that gave it.

    Raises:
        Failure: If the folder or the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise Failure(
            f"{path} can't be written: {error.strerror or error}. Choose another place with "
            f"`{option}`."
        ) from error
