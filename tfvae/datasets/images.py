"""A folder of pictures."""

import collections
import concurrent.futures

import numpy as np

from tfvae.cores import num_cores
from tfvae.datasets import files, picture_folders, pictures, values
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options

_BLOCK, _BLOCK_BYTES = 256, 2**26  # files that are decoded at a time
_MOST_NAMED = 10


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
        paths, others = picture_folders.find(folder)
        names = [path.relative_to(folder).parts for path in paths]
        picture_folders.splits(names, folder)  # refuses before anything is decoded
        key = ["images", 2, size, channels, max_bad, [stamp(path) for path in paths]]
        found = gather(
            lambda facts: _read(paths, size, channels, max_bad, folder, facts),
            cache=cache,
            key=key,
            name=f"The folder {folder}",
        )
        parts, on_labels = _parts(found.examples, [names[i] for i in found.tags], folder)
        scaled = values.note(np.dtype("uint8"), None, str(folder))
        notes = [*found.facts["notes"], scaled, *others, *on_labels]
        self._divide(parts, shares, binarize=binarize, notes=notes)


def _read(paths, size, channels, max_bad, folder, facts):
    """Yields blocks of decoded pictures with the numbers of their files, and fills the facts."""
    done: collections.Counter = collections.Counter()
    first: dict = {}  # of what had to be done: the file
    bad = []
    most = max_bad if isinstance(max_bad, int) else int(max_bad * len(paths))

    def decode(path):
        try:
            return pictures.decode(path, size, channels)
        except pictures.UnreadableError as error:
            return None, str(error)

    with concurrent.futures.ThreadPoolExecutor(num_cores()) as pool:
        step = max(1, min(_BLOCK, _BLOCK_BYTES // (size[0] * size[1] * channels)))
        for start in range(0, len(paths), step):
            block, tags = [], []
            for number, (picture, said) in enumerate(
                pool.map(decode, paths[start : start + step]), start
            ):
                if picture is None:
                    bad.append(f"{paths[number]} ({said})")
                    continue
                done.update(said)
                first = dict.fromkeys(said, paths[number]) | first
                block.append(picture)
                tags.append(number)
            if block:
                yield np.stack(block), np.array(tags)
    if len(bad) > most:
        raise ValueError(_too_many(bad, most, len(paths), folder))
    facts["notes"] = [
        f"{folder}: {len(paths):,} pictures became {size[0]} x {size[1]}.",
        *(
            f"{folder}: {count:,} pictures: {what}, the first of them {first[what]}."
            for what, count in sorted(done.items())
        ),
        *([f"{folder}: {len(bad)} unreadable, left out: {_named(bad)}."] if bad else []),
    ]


def _parts(examples, names, folder):
    """Returns the splits that the folders name, or all as "train", labelled; and notes."""
    homes = picture_folders.splits(names, folder)
    inner = names if homes is None else [parts[1:] for parts in names]
    labels, notes = picture_folders.labels(inner, folder)
    whole = Part(
        examples,
        labels,
        f"The folder {folder}",
        lambda index: str(folder.joinpath(*names[index])),
    )
    if homes is None:
        return {"train": whole}, notes
    rows = {split: np.flatnonzero(np.array(homes) == split) for split in Images.splits}
    return {split: whole.take(found) for split, found in rows.items() if len(found)}, notes


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
