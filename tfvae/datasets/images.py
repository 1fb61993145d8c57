"""A folder of pictures."""

import collections
import concurrent.futures
import os
import pathlib

import numpy as np

from tfvae.datasets import files, pictures
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.stored import Part, StoredDataset, check_options

_BLOCK, _BLOCK_BYTES = 256, 2**26  # files that are decoded at a time
_MOST_NAMED = 10
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


class Images(StoredDataset, name="images"):
    """A folder of PNG, JPEG, WebP, GIF or BMP files, of any sizes, nested or flat.

    Each picture is turned upright, its middle is cut out at the ratio of `size` and resized.
    What that changed is counted and said. Folders `train`, `validation` and `test` directly in
    `path` are the splits, if there are any; the folders below are the classes, which label
    the codes in figures.

    Args:
        path: The folder.
        size: Side in pixels, or (height, width).
        channels: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
        max_bad: Fraction or number of files that may be unreadable; they are named and left out.
        cache: Folder in which decoded pictures are kept and found again; None keeps them in
            memory.
        binarize: 'none', 'threshold', 'static' or 'dynamic'.
        validation: Fraction or number of the pictures to validate on.
        test: Fraction or number of the pictures to test on; None for 0.1, 0 for no test split.
        seed: Which pictures are set aside follows from it.

    Raises:
        ValueError: If an option is out of range, there is no picture, or too many are unreadable.
        OSError: If the folder is not there or may not be read.
    """

    def __init__(
        self,
        *,
        path,
        size=64,
        channels=3,
        max_bad=0.1,
        cache=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, binarize=binarize)
        size = pictures.check_size(size)
        pictures.check_channels(channels)
        _check_max_bad(max_bad)
        folder = files.existing(path, folder=True)
        paths, others = _find(folder)
        key = ["images", 1, size, channels, max_bad, [stamp(path) for path in paths]]
        gathered = gather(
            lambda facts: _read(paths, size, channels, max_bad, folder, facts),
            cache=cache,
            key=key,
            name=f"The folder {folder}",
        )
        names = [paths[i].relative_to(folder).parts for i in gathered.tags]
        parts = _parts(gathered.examples, names, folder)
        notes = [*gathered.facts["notes"], *others, *_on_classes(parts, names, folder)]
        self._divide(parts, shares, binarize=binarize, notes=notes)


def _find(folder):
    """Returns the pictures below a folder in one order, and notes on what was passed over.

    Links are followed, but not to the folders that they lie in.
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


def _read(paths, size, channels, max_bad, folder, facts):
    """Yields blocks of decoded pictures with the numbers of their files, and fills the facts."""
    done: collections.Counter = collections.Counter()
    bad = []
    most = max_bad if isinstance(max_bad, int) else int(max_bad * len(paths))

    def decode(path):
        try:
            return pictures.decode(path, size, channels)
        except pictures.UnreadableError as error:
            return None, str(error)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        step = max(1, min(_BLOCK, _BLOCK_BYTES // (size[0] * size[1] * channels)))
        for start in range(0, len(paths), step):
            block, tags = [], []
            for number, (picture, said) in enumerate(
                pool.map(decode, paths[start : start + step]), start
            ):
                if picture is None:
                    bad.append(f"{paths[number]} ({said})")
                else:
                    done.update(said)
                    block.append(picture)
                    tags.append(number)
            if block:
                yield np.stack(block), np.array(tags)
    if len(bad) > most:
        raise ValueError(_too_many(bad, most, len(paths), folder))
    facts["notes"] = _notes(done, bad, len(paths), size, folder)


def _parts(examples, names, folder):
    """Returns the splits that the folders name, or all as "train"; with classes as labels."""
    tops = {parts[0].lower() if len(parts) > 1 else "" for parts in names}
    named = "train" in {_SPLITS.get(top) for top in tops} and tops <= set(_SPLITS)
    labels = _labels([parts[1:] if named else parts for parts in names])
    whole = Part(
        examples,
        labels,
        f"The folder {folder}",
        lambda index: str(folder.joinpath(*names[index])),
    )
    if not named:
        return {"train": whole}
    homes = np.array([_SPLITS[parts[0].lower()] for parts in names])
    rows = {split: np.flatnonzero(homes == split) for split in ("train", "validation", "test")}
    return {split: whole.take(indices) for split, indices in rows.items() if len(indices)}


def _labels(names):
    """Returns the number of the class folder of each file, or None where there are no classes."""
    tops = [parts[0] if len(parts) > 1 else None for parts in names]
    classes = sorted({top for top in tops if top is not None})
    if None in tops or len(classes) < 2:
        return None
    return np.array([classes.index(top) for top in tops])


def _on_classes(parts, names, folder):
    """Yields a note where folders could be classes, but for pictures that lie in none."""
    depth = 1 if len(parts) > 1 else 0
    loose = sum(len(name) == depth + 1 for name in names)
    if parts["train"].labels is None and 0 < loose < len(names):
        yield f"{folder}: no labels, since {loose:,} pictures lie in no folder of a class."


def _notes(done, bad, num, size, folder):
    found = [f"{folder}: {num:,} pictures became {size[0]} x {size[1]}."]
    found += [f"{folder}: {count:,} pictures: {what}." for what, count in sorted(done.items())]
    if bad:
        found.append(f"{folder}: {len(bad)} unreadable, left out: {_named(bad)}.")
    return found


def _named(bad):
    more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
    return f"{', '.join(bad[:_MOST_NAMED])}{more}"


def _too_many(bad, most, num, folder):
    return (
        f"{len(bad)} of the {num} pictures in {folder} can't be read, and `max_bad` allows {most}: "
        f"{_named(bad)}. Repair or remove them, or allow more, as in `max_bad={len(bad)}`."
    )


def _check_max_bad(max_bad):
    whole = type(max_bad) is int and max_bad >= 0
    if not whole and not (type(max_bad) is float and 0 <= max_bad <= 1):
        raise ValueError(
            f"`max_bad` is a fraction of the files, such as 0.1, or a number of files, such as 0. "
            f"Received {max_bad!r}."
        )
