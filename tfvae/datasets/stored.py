"""Data sets whose examples lie in arrays, in memory or mapped from disk."""

import functools
import hashlib

import numpy as np
import tensorflow as tf

from tfvae.datasets import binarization, epochs, scanning, values
from tfvae.datasets.base import Dataset
from tfvae.datasets.mapped import OnDisk
from tfvae.datasets.parts import (
    check_alike,
    check_part,
    on_constant,
    on_copies,
    on_missing,
    on_overlap,
    placed,
)
from tfvae.datasets.splits import Shares, twins
from tfvae.datasets.streamed import Streamed

# Division by 255 as NumPy does it; graph optimizers would multiply by the rounded 1 / 255.
_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


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
                a `parts.Part`.
            shares: `splits.Shares`.
            **kwargs: As of `_hold`.
        """
        splits, notes = self._parted(parts, shares)
        if self.masks_missing:
            notes = [*map(on_missing, parts.values()), *notes]
        self._hold(splits, **{**kwargs, "notes": (*kwargs.get("notes", ()), *notes)})

    def _parted(self, parts, shares):
        """Does the first half of `_divide`.

        Returns:
            Dict of the name of a split to its `Part`, and notes.
        """
        for part in parts.values():
            check_part(part)
            self._scan(part)
        parts = placed(parts)
        train = parts["train"]
        first = twins(values.digests(train.examples))
        found = shares.divide(first, "validation" in parts, "test" in parts, train.name)
        others = {name: part for name, part in parts.items() if name != "train"}
        splits = {**{split: train.take(rows) for split, rows in found.items()}, **others}
        return splits, [*on_copies(first, train.name), *on_overlap(parts), *on_constant(train)]

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
        check_alike(self._parts)
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

    def pair_blocks(self, values, batch_size, num_steps, seed, start_step):
        """Returns `blocks` in pairs: examples, and what belongs to each of them."""
        how = batch_size, num_steps, seed, start_step
        examples = self._training_examples()
        if isinstance(examples, Streamed):
            return examples.pair_blocks(values, *how)
        return tf.data.Dataset.zip((self.blocks(*how), epochs.shuffled_blocks(values, *how)))

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
        return scanning.scan(part.examples, part.name, part.where, self.masks_missing)

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
