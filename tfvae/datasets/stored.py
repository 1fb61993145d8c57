"""Data sets whose examples lie in arrays, in memory or mapped from disk."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.datasets import binarization, epochs, values
from tfvae.datasets.base import Dataset
from tfvae.datasets.mapped import OnDisk
from tfvae.datasets.splits import Shares, twins

# Division by 255 as NumPy does it; graph optimizers would multiply by the rounded 1 / 255.
_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)

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


def check_options(validation, test, seed, scale=None, binarize="none"):
    """Checks the options that sources share, before anything is read.

    Returns:
        The `splits.Shares`.

    Raises:
        ValueError: If one is out of range.
    """
    values.check_scale(scale)
    binarization.check_mode(binarize)
    return Shares(validation, test, seed)


class StoredDataset(Dataset):
    """A data set of examples in arrays: what is common to all sources.

    The constructor of a member reads its source and ends with `_hold`, or with `_divide` where
    the source doesn't bring all of its splits.
    """

    def _divide(self, parts, shares, **kwargs):
        """Checks the parts of a source, and takes from "train" the splits that are missing.

        Args:
            parts: Dict of "train", and of "validation" and "test" where the source has them, to
                a `Part`.
            shares: `splits.Shares`.
            **kwargs: As of `_hold`.
        """
        splits, notes = self._parted(parts, shares)
        if self.masks_missing:
            notes = [*map(_on_missing, parts.values()), *notes]
        self._hold(splits, **{**kwargs, "notes": (*kwargs.get("notes", ()), *notes)})

    def _parted(self, parts, shares):
        """Does the first half of `_divide`.

        Returns:
            Dict of the name of a split to its `Part`, and notes.
        """
        for part in parts.values():
            _check_part(part)
            self._scan(part)
        parts = _placed(parts)
        train = parts["train"]
        first = twins(values.digests(train.examples))
        found = shares.divide(first, "validation" in parts, "test" in parts, train.name)
        splits = {**{split: train.take(rows) for split, rows in found.items()}, **_others(parts)}
        return splits, [*_on_copies(first, train.name), *_on_overlap(parts), *_on_constant(train)]

    def _hold(self, splits, *, binarize="none", notes=(), transform=None):
        """Takes over the examples of each split.

        Args:
            splits: Dict of the name of a split to its `Part`, with `places`.
            binarize: One of `binarization.MODES`.
            notes: What has been done to the data.
            transform: A `tfvae.transforms.Columns`, or None.

        Raises:
            ValueError: If the shapes or dtypes of the splits differ, or there are values outside
                of [0, 1] to be binarized.
        """
        order = [name for name in Dataset.splits if name in splits]
        self._parts = {name: splits[name] for name in order}
        self.splits = tuple(order)
        self.notes, self.transform = tuple(notes), transform
        self._binarize = binarization.check_mode(binarize)
        _check_alike(self._parts)
        self.event_shape = tuple(int(n) for n in self._parts["train"].examples.shape[1:])
        if binarize != "none":
            for part in self._parts.values():
                self._check_levels(part)

    def num_examples(self, split):
        """Returns how many examples a split holds."""
        self._check_split(split)
        return len(self._parts[split].examples)

    def labels(self, split):
        """Returns int64 labels `[num_examples]` in the order of the split, or None."""
        self._check_split(split)
        labels = self._parts[split].labels
        return None if labels is None else labels.astype(np.int64)

    def conditions(self, split):
        """Returns float32 `[num_examples, size]` in the order of the split, or None."""
        self._check_split(split)
        return self._parts[split].conditions

    @property
    def is_indexed(self):
        """Whether the training examples are read by their index, and not from front to end."""
        examples = self._parts["train"].examples
        return not (isinstance(examples, OnDisk) and examples.sequential)

    def value_range(self):
        """Returns the least and the greatest value of all examples."""
        if self._binarize != "none":
            return 0.0, 1.0
        scans = [self._scan(part) for part in self._parts.values()]
        full = 255 if self._parts["train"].examples.dtype == np.uint8 else 1
        return min(low for low, _ in scans) / full, max(high for _, high in scans) / full

    @property
    def binarization(self):
        """How examples were made binary, and how that is held fixed in an evaluation: a text."""
        return binarization.describe(self._binarize)

    @functools.cached_property
    def _digest(self):
        """The SHA-256 of the stored examples of all splits, in hexadecimal."""
        digest = hashlib.sha256()
        for name, part in self._parts.items():
            digest.update(f"{name} {part.examples.dtype} {part.examples.shape}".encode())
            for content in values.content(part.examples):
                digest.update(content)
        return digest.hexdigest()

    def fingerprint(self):
        """Returns the SHA-256 of the stored examples of all splits; they are read once for it."""
        return self._digest

    def num_copies(self):
        """Counts examples that are equal to the last bit.

        Returns:
            Dict of the name of a split to how many of its examples are equal to an earlier one
            of that split, and of a pair of names to how many of the second are in the first.
        """
        known = {name: values.digests(part.examples) for name, part in self._parts.items()}
        found: dict = {name: len(d) - len(np.unique(d)) for name, d in known.items()}
        names = list(known)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                found[first, second] = int(np.isin(known[second], known[first]).sum())
        return found

    def _split(self, name, batch_size):
        examples = self._fixed(self._parts[name])
        if isinstance(examples, OnDisk):
            return examples.in_order(batch_size)
        batches = epochs.in_order(examples, batch_size)
        return batches.map(_to_float) if examples.dtype == np.uint8 else batches

    def _blocks(self, batch_size, num_steps, seed, start_step):
        examples = self._training_examples()
        if isinstance(examples, OnDisk):
            return examples.shuffled_blocks(batch_size, num_steps, seed, start_step)
        return epochs.shuffled_blocks(examples, batch_size, num_steps, seed, start_step)

    def examples_in_memory(self):
        """Returns the training examples as `blocks` draws them, or None if they are on disk."""
        examples = self._training_examples()
        return None if isinstance(examples, OnDisk) else examples

    def _training_examples(self):
        part = self._parts["train"]
        stored = self._binarize in ("none", "dynamic")  # what `_prepare` makes floats of
        return part.examples if stored else self._fixed(part)

    def _draws(self):
        return self._binarize == "dynamic"

    def _prepare(self, x, seed):
        if self._binarize == "dynamic":
            return binarization.fresh(x, seed)
        return _to_float(x) if x.dtype == tf.uint8 else tf.cast(x, tf.float32)

    def _scan(self, part):
        """Returns the least and the greatest stored value of a part."""
        return values.scan(part.examples, part.name, part.where, self.masks_missing)

    def _check_levels(self, part):
        low, high = (0, 1) if part.examples.dtype == np.uint8 else self._scan(part)
        if low < 0 or high > 1:
            raise ValueError(
                f"`binarize={self._binarize!r}` reads values as probabilities, in [0, 1]. "
                f"{part.name} has values from {low:g} to {high:g}. Divide them first, as in "
                f"`scale={high:g}`, or keep them with `binarize='none'`."
            )

    def _fixed(self, part):
        """Returns examples with fixed noise; uint8 levels where there is nothing to draw."""
        mode, places = self._binarize, part.places
        if isinstance(part.examples, OnDisk):
            return part.examples.prepared(lambda x, rows: binarization.fixed(x, mode, places[rows]))
        return part.examples if mode == "none" else binarization.fixed(part.examples, mode, places)


def _to_float(levels):
    """Returns uint8 levels, a quarter of the memory, as float32 in [0, 1]."""
    return tf.gather(tf.constant(_LEVELS), tf.cast(levels, tf.int32))


def _placed(parts):
    """Returns the parts with the places of their examples: training, then validation, then test."""
    start, placed = 0, {}
    for name in (split for split in Dataset.splits if split in parts):
        num = len(parts[name].examples)
        placed[name] = dataclasses.replace(parts[name], places=start + np.arange(num))
        start += num
    return placed


def _others(parts):
    return {name: part for name, part in parts.items() if name != "train"}


def _check_part(part):
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


def _check_alike(parts):
    train = parts["train"]
    for part in parts.values():
        have, want = part.examples, train.examples
        if have.shape[1:] != want.shape[1:] or have.dtype != want.dtype:
            raise ValueError(
                f"All splits hold examples of one shape and dtype. {train.name} has "
                f"{want.shape[1:]} {want.dtype}, {part.name} has {have.shape[1:]} {have.dtype}. "
                f"Bring them to one form."
            )


def _on_missing(part):
    num = values.count_missing(part.examples)
    return f"{part.name}: {num:,} values are missing and left out by the likelihood."


def _on_copies(first, name):
    """Yields a note on the copies in a source."""
    copies = int((first != np.arange(len(first))).sum())
    if copies:
        yield (
            f"{name}: {copies:,} of {len(first):,} examples are copies; equal ones stay in one "
            f"split."
        )


def _on_overlap(parts):
    """Yields a note for each two splits of the source itself that share examples."""
    known = {n: values.digests(p.examples) for n, p in parts.items()} if len(parts) > 1 else {}
    for first, second in itertools.combinations(known, 2):
        num = int(np.isin(known[second], known[first]).sum())
        if num:
            yield (
                f"{parts[second].name}: {num:,} examples are in the {first} split of the source "
                f"too: scores on them are too good."
            )


def _on_constant(part):
    """Yields a note on elements of vectors that never vary."""
    if isinstance(part.examples, OnDisk) or len(part.examples.shape) != 2:
        return
    found = values.constant(part.examples)
    if len(found):
        listed = ", ".join(map(str, found[:_MOST_NAMED])) + ", ..." * (len(found) > _MOST_NAMED)
        yield (
            f"{part.name}: {len(found)} of {part.examples.shape[1]} elements never vary "
            f"({listed}): leave them out, since a likelihood with a scale of its own grows without "
            f"bound there."
        )
