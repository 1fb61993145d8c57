"""What lies in a folder of pictures: which files, in which splits, of which classes."""

import collections
import os
import pathlib

import numpy as np

from tfvae.datasets import files, pictures

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_MOST_NAMED = 8


def find(folder):
    """Returns the pictures below a folder in one order, and notes on what was passed over.

    Links are followed, but not to the folders that they lie in.

    Args:
        folder: `pathlib.Path`.

    Raises:
        ValueError: If there is none.
        OSError: If a folder may not be read.
    """
    paths, hidden, circles = [], 0, 0
    others: collections.Counter = collections.Counter()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        hidden += sum(name.startswith(".") for name in folders)
        known = [name for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [name for name in known if not _leads_back(pathlib.Path(place, name), folder)]
        circles += len(known) - len(folders)
        for name in sorted(names):
            path = pathlib.Path(place, name)
            is_picture = path.suffix.lower() in pictures.SUFFIXES
            if name.startswith("."):
                hidden += is_picture
            elif is_picture and (path.is_file() or path.is_symlink()):
                paths.append(path)
            else:
                others[path.suffix.lower() or "no ending"] += 1
    kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(others.items()))
    if not paths:
        raise ValueError(
            f"The folder {folder} holds no picture ({', '.join(pictures.SUFFIXES)}), but "
            f"{kinds or 'nothing at all'}. Point `path` at the folder of the pictures."
        )
    passed = {
        "files of other kinds": kinds,
        "hidden pictures and folders": hidden,
        "links to folders that they lie in": circles,
    }
    return paths, [f"{folder}: {what} were passed over: {n}." for what, n in passed.items() if n]


def splits(names, folder):
    """Returns the split of each picture, or None where folders don't say.

    Args:
        names: Parts of the path of each picture below the folder, tuples of texts.
        folder: Names the source in messages.

    Raises:
        ValueError: If only some of them lie in folders of splits: a test split stays apart.
    """
    tops = collections.Counter(parts[0].lower() if len(parts) > 1 else "" for parts in names)
    known = {_SPLITS[top] for top in tops if top in _SPLITS}
    if "train" in known and set(tops) <= set(_SPLITS):
        return [_SPLITS[parts[0].lower()] for parts in names]
    if len(known) > 1:
        have = (f"{num:,} in {top or 'no folder'}" for top, num in sorted(tops.items()))
        raise ValueError(
            f"Folders named as splits are taken as such where one is `train` and all pictures lie "
            f"in them. {folder} has {', '.join(have)}. Move or rename what is no split."
        )
    return None


def labels(names, folder):
    """Returns the number of the class folder of each picture, or None where there are no classes.

    Args:
        names: As of `splits`, below the folder of a split.
        folder: Names the source in notes.

    Returns:
        Ints `[num]` or None, and notes on what they stand for or why there are none.
    """
    tops = [parts[0] if len(parts) > 1 else None for parts in names]
    classes = sorted({top for top in tops if top is not None})
    loose = tops.count(None)
    if classes and loose:
        why = f"no labels, since {loose:,} pictures lie in no folder of a class"
        return None, [f"{folder}: {why}."]
    if len(classes) < 2:
        return None, []
    listed = ", ".join(f"{number} {name!r}" for number, name in enumerate(classes[:_MOST_NAMED]))
    more = f", ... ({len(classes)})" if len(classes) > _MOST_NAMED else ""
    found = np.array([classes.index(top) for top in tops])
    return found, [f"{folder}: labels are of the folders: {listed}{more}."]


def _leads_back(path, folder):
    """Says whether a path is a link to a folder on the way to it, which would never end."""
    if not path.is_symlink():
        return False
    aim = path.resolve()
    way = (place.resolve() for place in path.parents if place.is_relative_to(folder))
    return folder.resolve().is_relative_to(aim) or aim in way


def _refuse(error):
    files.check_readable(pathlib.Path(error.filename))
    raise error
