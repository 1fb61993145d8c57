"""Files of data: finding them, and saying what is wrong where they can't be read."""

import difflib
import glob
import itertools
import os
import pathlib
import re

# What TensorFlow puts around its messages.
_NODES = re.compile(r"\{\{.*?\}\} ?|Name: <unknown>, |\[Op:.*")
_MOST_COMPARED = 1000  # names that are compared with one that isn't there


def existing(path, option="path", *, folder=False):
    """Returns the path of a file, or of a folder, that can be read.

    Args:
        path: Text as the user wrote it; `~` is the home directory.
        option: Name of the option, for messages.
        folder: Whether it is a folder.

    Raises:
        ValueError: If it is no text.
        FileNotFoundError: If it isn't there.
        PermissionError: If this user may not read it.
    """
    kind = "folder" if folder else "file"
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError(f"`{option}` is the path of a {kind}, as text. Received {path!r}.")
    found = pathlib.Path(path).expanduser()
    check_readable(found, option)
    if not (found.is_dir() if folder else found.is_file()):
        state = "is no " + kind if found.exists() else "does not exist"
        raise FileNotFoundError(
            f"`{option}` is the path of a {kind}. {found} {state}{_beside(found)}."
        )
    return found


def matching(pattern, option="path"):
    """Returns the files that a pattern with `*`, `?` or `**` matches, sorted by name.

    Raises:
        ValueError: If it is no text.
        FileNotFoundError: If it matches none.
        PermissionError: If this user may not read a match, or the folder to look in.
    """
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(f"`{option}` is a path, which may hold `*`. Received {pattern!r}.")
    if not glob.has_magic(pattern):
        return [existing(pattern, option)]
    found = [pathlib.Path(name) for name in glob.glob(os.path.expanduser(pattern), recursive=True)]
    files = sorted(path for path in found if path.is_file())
    if not files:
        check_readable(_fixed(pattern), option)  # `glob` sees nothing in a folder that is closed
        raise FileNotFoundError(
            f"`{option}` matches no file: {pattern!r} from {pathlib.Path.cwd()}. Check it with "
            f"`ls {pattern}`; `**` stands for any folders."
        )
    for path in files:
        check_readable(path, option)
    return files


def check_readable(path, option="path"):
    """Refuses what this user may not read.

    Raises:
        PermissionError: If a file, or a folder on the way to it, can't be read.
    """
    for place in (*reversed(path.absolute().parents), path.absolute()):
        if place.exists() and not os.access(place, os.X_OK if place.is_dir() else os.R_OK):
            _refuse(place, option)
    if path.is_dir() and not os.access(path, os.R_OK):
        _refuse(path, option)


def plain(text):
    """Returns what an error says on one line, without the names that TensorFlow gives to nodes.

    Examples:
        >>> plain("{{function_node a/b}} Name: <unknown>, it is cut. [Op:Read] name: ")
        'it is cut'
    """
    return _NODES.sub("", " ".join(text.split())).strip().rstrip(".")


def damaged(path, error):
    """Returns the message for a file whose content can't be read.

    Args:
        path: Path of the file.
        error: What went wrong, an exception or text.
    """
    reason = plain(str(error)) or type(error).__name__
    return f"The data file {path} is damaged: {reason}. Fetch it again."


def _fixed(pattern):
    """Returns the folder that a pattern begins with."""
    parts = itertools.takewhile(
        lambda part: not glob.has_magic(part), pathlib.Path(pattern).expanduser().parts
    )
    return pathlib.Path(*parts)


def _refuse(place, option):
    raise PermissionError(
        f"`{option}` leads to {place}, which this user may not read. Change its permissions with "
        f"`chmod u+r{'x' if place.is_dir() else ''} {place}`, or copy the data elsewhere."
    )


def _beside(path):
    """Returns a hint at what is there instead, the likest name first."""
    if not path.parent.is_dir():
        return ""
    names = sorted(p.name for p in path.parent.iterdir() if not p.name.startswith("."))
    nearest = difflib.get_close_matches(path.name, names[:_MOST_COMPARED], n=5, cutoff=0.0)
    return f"; beside it: {', '.join(nearest)}" if nearest else ""
