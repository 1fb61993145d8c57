"""Gathering examples that have to be read one after the other: in memory, or in a cache on disk.

A shuffle of everything and an order that follows from (seed, epoch) alone need each example at
hand. What is decoded, parsed or generated is therefore gathered once: in memory, or in a file under
a folder, which is read into memory where it fits and mapped where it does not. A cache is written
beside its place and renamed, so it is whole or not there, and is found again by a key that stands
for source and options.
"""

import dataclasses
import hashlib
import json
import math
import os
import pathlib
import shutil
import tempfile
from typing import Any

import numpy as np

from tfvae.datasets import memory, values
from tfvae.datasets.mapped import Mapped

_EXAMPLES, _TAGS, _FACTS = "examples.bin", "tags.npy", "facts.json"


@dataclasses.dataclass(frozen=True)
class Gathered:
    """What has been gathered.

    Attributes:
        examples: NumPy array or `Mapped`, `[num, *event]`, uint8 levels or float32.
        tags: int64 `[num]`: what came with each example, a label or the number of its file.
        facts: What else the source had to say, a dict that JSON can hold.
    """

    examples: Any
    tags: np.ndarray
    facts: dict


def gather(read, *, cache, key, name, remedy=""):
    """Gathers what a source yields, or finds it in the cache.

    Args:
        read: Function of a dict, the facts, which it may fill; yields pairs of stored examples
            `[num, *event]`, all of one shape and dtype, and their int tags `[num]`.
        cache: Path of a folder for caches, or None to gather in memory.
        key: What `values.stored` examples depend on, anything that JSON can hold. None if nothing
            tells: they are read each time, and what is equal is kept once.
        name: Names the source in messages.
        remedy: What else than a cache helps if it is too large for the memory, a sentence.

    Returns:
        `Gathered`.

    Raises:
        ValueError: If there is no example, or more than fits into memory.
    """
    if cache is None:
        return _in_memory(read, name, remedy)
    folder = _made(cache)
    if key is None:
        return _open(_write(read, folder, None, name))
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode())
    place = folder / digest.hexdigest()[:24]
    return _open(place if place.is_dir() else _write(read, folder, place, name))


def stamp(path):
    """Returns what changes when a file does: its name, size and time of change."""
    status = path.stat() if path.exists() else path.lstat()  # of a link that leads nowhere
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def _made(cache):
    """Returns the folder for caches, after making it."""
    if not isinstance(cache, str | os.PathLike) or not str(cache):
        raise ValueError(f"`cache` is the path of a folder, as text, or None. Received {cache!r}.")
    folder = pathlib.Path(cache).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"`cache` names a folder for what is read, and {folder} can't be one: "
            f"{error.strerror}. Choose another place."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"`cache` names a folder for what is read, and this user may not write in {folder}. "
            f"Choose another place, or change its permissions with `chmod u+rwx {folder}`."
        )
    return folder


def _in_memory(read, name, remedy):
    facts: dict = {}
    blocks, tags, num_bytes = [], [], 0
    for block, tag in read(facts):
        blocks.append(block)
        tags.append(tag)
        num_bytes += block.nbytes
        # Once more as much while the blocks are joined.
        if not memory.fits(2 * num_bytes):
            raise ValueError(
                f"{name} is larger than a quarter of the memory ({memory.total() / 1e9:.0f} "
                f"GB). Keep what is read on disk, in a folder with room: `cache='...'`. {remedy}"
            )
    if not blocks:
        raise ValueError(f"{name} holds no example. Point it at data that has some.")
    return Gathered(np.concatenate(blocks), np.concatenate(tags).astype(np.int64), facts)


def _write(read, folder, place, name):
    """Writes a cache and returns where it is: `place`, or where its content says."""
    fresh = pathlib.Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        facts: dict = {}
        tags, shape, dtype, digest = [], None, None, hashlib.sha256()
        with (fresh / _EXAMPLES).open("wb") as file:
            for block, tag in read(facts):
                shape, dtype = block.shape[1:], block.dtype.name
                content = np.ascontiguousarray(block).data
                file.write(content)
                digest.update(content)
                tags.append(tag)
        if shape is None:
            raise ValueError(f"{name} holds no example. Point it at data that has some.")
        numbers = np.concatenate(tags).astype(np.int64)
        np.save(fresh / _TAGS, numbers)
        said = json.dumps({"shape": list(shape), "dtype": dtype, "facts": facts})
        (fresh / _FACTS).write_text(said, encoding="utf-8")
        digest.update(numbers.tobytes() + said.encode())
        place = folder / digest.hexdigest()[:24] if place is None else place
        try:
            fresh.rename(place)
        except OSError:
            if not place.is_dir():  # else it is there already, or another process was faster
                raise
        return place
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _open(place):
    try:
        said = json.loads((place / _FACTS).read_text(encoding="utf-8"))
        tags = np.load(place / _TAGS)
        shape = (len(tags), *said["shape"])
        path = place / _EXAMPLES
        if path.stat().st_size != math.prod(shape) * np.dtype(said["dtype"]).itemsize:
            raise ValueError(f"{path} has another length than it should")
        array = np.memmap(path, said["dtype"], "r", shape=shape)
        values.check_dtype(array, str(place))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ValueError(
            f"The cache {place} is damaged: {error}. Delete that folder; it is written again."
        ) from error
    # At the rate of memory where it fits; it leaves room for what training makes of it.
    fits = memory.fits(4 * array.nbytes)
    scale = None if said["dtype"] == "uint8" else 1
    return Gathered(np.array(array) if fits else Mapped(array, scale), tags, said["facts"])
