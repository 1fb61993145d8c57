"""Examples as a source gives them: what they must have in common, and what is said of them."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tfvae.datasets import scanning, values
from tfvae.datasets.mapped import OnDisk

_MOST_NAMED = 8


@dataclasses.dataclass(frozen=True)
class Part:
    """Examples as a source gives them, before they are divided into splits.

    Attributes:
        examples: uint8 levels of 0 to 255, or float32 values, `[num, *event]`: a NumPy array, or
            what stays on disk, a `mapped.OnDisk`.
        labels: Ints `[num]`, or None.
        name: Names the source in messages: "The array data.npy".
        where: Function of an index, that names an example in messages; by default "example 7".
        places: Place of each example in the whole source, int64 `[num]`: what the noise of its
            binarization follows from, however the source is divided.
        conditions: Numbers that are known of each example, float32 `[num, size]`, or None.
    """

    examples: Any
    labels: np.ndarray | None = None
    name: str = "The data"
    where: Callable = "example {}".format
    places: np.ndarray | None = None
    conditions: np.ndarray | None = None

    def take(self, indices):
        """Returns the part with some of its examples, given by indices or by a slice."""
        if isinstance(self.examples, OnDisk):
            indices = np.sort(indices) if self.examples.sequential else indices
            examples = self.examples.take(indices)
        else:
            examples = self.examples[indices]
        labels = None if self.labels is None else self.labels[indices]
        places = None if self.places is None else self.places[indices]
        known = None if self.conditions is None else self.conditions[indices]
        rows = np.arange(len(self.examples))[indices]

        def where(index):
            return self.where(rows[index])

        return Part(examples, labels, self.name, where, places, known)


def placed(parts):
    """Returns the parts of a source with the places of their examples: training ones first."""
    start, found = 0, {}
    for name in (split for split in ("train", "validation", "test") if split in parts):
        num = len(parts[name].examples)
        found[name] = dataclasses.replace(parts[name], places=start + np.arange(num))
        start += num
    return found


def check_part(part):
    """Refuses a part whose examples, labels and conditions don't belong together.

    Raises:
        ValueError: If one of them has another shape than it must.
    """
    shape = tuple(part.examples.shape)
    if len(shape) < 2:
        raise ValueError(
            f"{part.name} has the shape {shape}: one number an example, which are labels rather "
            f"than examples. Name the array of examples, [num, ...], by its key or file."
        )
    if 0 in shape[1:]:
        raise ValueError(
            f"{part.name} has the shape {shape}: its examples are empty. Check the file and key."
        )
    known = part.conditions
    if known is not None and (known.ndim != 2 or len(known) != shape[0]):
        raise ValueError(
            f"{part.name} has {shape[0]} examples, and its condition has the shape {known.shape}. "
            f"It is some numbers for each example: [{shape[0]}, size]."
        )
    if part.labels is None:
        return
    if part.labels.shape != (shape[0],):
        raise ValueError(
            f"{part.name} has {shape[0]} examples, and its labels have the shape "
            f"{part.labels.shape}. Labels are one int for each example: [{shape[0]}]."
        )
    values.check_labels(part.labels, part.name)


def check_alike(parts):
    """Refuses parts whose examples are of different shapes or dtypes.

    Raises:
        ValueError: If they are.
    """
    train = parts["train"]
    for part in parts.values():
        have, want = part.examples, train.examples
        if have.shape[1:] != want.shape[1:] or have.dtype != want.dtype:
            raise ValueError(
                f"All splits hold examples of one shape and dtype. {train.name} has "
                f"{want.shape[1:]} {want.dtype}, {part.name} has {have.shape[1:]} {have.dtype}. "
                f"Bring them to one form."
            )


def on_missing(part):
    """Returns a note on how many values are missing."""
    num = scanning.count_missing(part.examples)
    return f"{part.name}: {num:,} values are missing and left out by the likelihood."


def on_copies(first, name):
    """Yields a note on the copies in a source."""
    copies = int((first != np.arange(len(first))).sum())
    if copies:
        yield (
            f"{name}: {copies:,} of {len(first):,} examples are copies; equal ones stay in one "
            f"split."
        )


def on_overlap(parts):
    """Yields a note for each two splits of the source itself that share examples."""
    known = {n: values.digests(p.examples) for n, p in parts.items()} if len(parts) > 1 else {}
    for first, second in itertools.combinations(known, 2):
        num = int(np.isin(known[second], known[first]).sum())
        if num:
            yield (
                f"{parts[second].name}: {num:,} examples are in the {first} split of the source "
                f"too: scores on them are too good."
            )


def on_constant(part):
    """Yields a note on elements of vectors that never vary."""
    if len(part.examples.shape) != 2 or getattr(part.examples, "sequential", False):
        return
    found = scanning.constant(part.examples)
    if len(found):
        listed = ", ".join(map(str, found[:_MOST_NAMED])) + ", ..." * (len(found) > _MOST_NAMED)
        yield (
            f"{part.name}: {len(found)} of {part.examples.shape[1]} elements never vary "
            f"({listed}): leave them out, since a likelihood with a scale of its own grows without "
            f"bound there."
        )
