"""Data that Python code holds: arrays, `tf.data` pipelines and generators."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from tfvae.datasets import values
from tfvae.datasets.base import Dataset
from tfvae.datasets.gathering import gather
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options

_BLOCK = 256


class FromPython(StoredDataset):
    """A data set of what Python code holds, with the contract of those that are named by a spec.

    Args:
        data: NumPy array `[num, *event]`; or a `tf.data.Dataset`, an iterable or a function that
            returns one, of examples `[*event]` or of pairs (example, int label); or a dict of
            "train", and of "validation" and "test" where they are there, to such data.
        labels: Ints `[num]` for an array, a dict of them for a dict, or None.
        batched: Whether pipelines and iterables yield batches of examples.
        cache: Folder in which to gather pipelines and iterables; None gathers in memory. They are
            read each time, since nothing tells whether code yields the same again, and what is
            equal is kept once.
        conditions: Numbers that are known of each example of an array, `[num, size]`, a dict of
            them for a dict, or None.
        scale: What values are divided by; None for 255 of uint8, 65535 of uint16, else 1.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for values in [0, 1] then.
        validation: Fraction or number of the examples to validate on.
        test: Fraction or number of the examples to test on; None for 0.1, 0 for no test split.
        seed: Which examples are set aside follows from it.
        missing: What becomes of NaN: 'refuse', or 'mask', for `VAE(mask_missing=True)`.

    Raises:
        ValueError: If an option is out of range, there is no example, or the examples are not
            numbers of one shape and dtype.

    Examples:
        >>> x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
        >>> dataset = FromPython(x, test=0)
        >>> dataset.splits, dataset.num_examples("train"), dataset.event_shape
        (('train', 'validation'), 90, (3,))
        >>> FromPython((row for row in x), validation=20).num_examples("validation")
        20
    """

    member_name = "from_python"

    def __init__(
        self,
        data,
        labels=None,
        batched=False,
        cache=None,
        conditions=None,
        *,
        scale=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
        missing="refuse",
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        self.masks_missing = values.check_missing(missing)
        given = data if isinstance(data, dict) else {"train": data}
        tags = labels if isinstance(labels, dict) else {"train": labels}
        known = conditions if isinstance(conditions, dict) else {"train": conditions}
        _check_splits(given, tags)
        parts, notes = {}, []
        for split in (name for name in Dataset.splits if name in given):
            name = f"The {split} data" if isinstance(data, dict) else "The data"
            read = _array if hasattr(given[split], "__array__") else _gathered(batched, cache)
            parts[split], dtype = read(given[split], tags.get(split), scale, name)
            if known.get(split) is not None:
                numbers = np.asarray(known[split], np.float32)
                parts[split] = dataclasses.replace(parts[split], conditions=numbers)
            notes.append(values.note(dtype, scale, name))
        self._divide(parts, shares, binarize=binarize, notes=filter(None, notes))


def _array(data, labels, scale, name):
    array = np.asarray(data)
    values.check_dtype(array, name)
    values.check_whole(array, name)
    tags = None if labels is None else np.asarray(labels)
    return Part(values.stored(array, scale), tags, name), array.dtype


def _gathered(batched, cache):
    def read(data, labels, scale, name):
        if labels is not None:
            raise ValueError(
                f"`labels` belong to an array. {name} is read one example after the other: let it "
                f"yield pairs (example, label)."
            )
        dtypes: list = []
        has_labels: list = []

        def blocks(facts):
            del facts
            for block, tags in _blocks(_iterator(data, name), batched, name):
                dtypes.append(block.dtype)
                has_labels.append(tags is not None)
                values.check_whole(block, name)
                yield values.stored(block, scale), np.zeros(len(block)) if tags is None else tags

        found = gather(blocks, cache=cache, key=None, name=name)
        labels = np.asarray(found.tags) if all(has_labels) else None
        return Part(found.examples, labels, name), dtypes[0]

    return read


def _iterator(data, name):
    data = data() if callable(data) else data
    if hasattr(data, "as_numpy_iterator"):
        if int(data.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                f"{name} is read once, from its beginning to its end. Received a `tf.data.Dataset` "
                f"without end. Leave out its `.repeat()`."
            )
        return data.as_numpy_iterator()
    try:
        return iter(data)
    except TypeError:
        raise ValueError(
            f"{name} is a NumPy array, a `tf.data.Dataset`, an iterable, a function that returns "
            f"one, or a dict of splits to these. Received {type(data).__name__}."
        ) from None


def _blocks(examples, batched, name):
    """Yields blocks of examples of one shape and dtype, and their labels or None."""
    first, start = None, 0
    while chunk := list(itertools.islice(examples, 1 if batched else _BLOCK)):
        pairs = [item if isinstance(item, tuple) else (item, None) for item in chunk]
        found = []
        for index, pair in enumerate(pairs, start):
            where = f"{'batch' if batched else 'example'} {index}"
            x, label = _separated(pair, where, name)
            if batched and not x.ndim:
                raise ValueError(_no_batch(where, name))
            form = (x.shape[1:] if batched else x.shape, x.dtype, label is not None)
            first = form if first is None else first
            _check_form(form, first, where, name)
            if label is not None:
                _check_label(label, x.shape[:1] if batched else (), where, name)
            found.append((x, label))
        start += len(chunk)
        if batched:
            yield found[0]
        else:
            labels = None if label is None else np.stack([label for _, label in found])
            yield np.stack([x for x, _ in found]), labels


def _separated(pair, where, name):
    """Returns an example and its label, or None, as arrays; or a batch of them."""
    if len(pair) != 2:
        raise ValueError(
            f"{name} yields examples, or pairs (example, label). Received a tuple of {len(pair)} "
            f"in {where}. Drop the rest: `dataset.map(lambda x, *_: x)`."
        )
    try:
        return tuple(None if part is None else np.asarray(part) for part in pair)
    except ValueError:  # of lists of different lengths
        raise ValueError(
            f"Examples are numbers of one shape. {name} has lists of different lengths in {where}. "
            f"Fill them up to one length, or leave that one out."
        ) from None


def _check_form(form, first, where, name):
    if form[1].kind not in "biuf":
        values.check_dtype(np.zeros(0, form[1]), f"{name}, {where},")
    if form[2] != first[2]:
        has, begins = ("a label", "without") if form[2] else ("no label", "with labels")
        raise ValueError(
            f"All examples have a label, or none has. {name} begins {begins}, and {where} has "
            f"{has}. Give each one, or drop them: `dataset.map(lambda x, *_: x)`."
        )
    if form != first:
        raise ValueError(
            f"Examples are of one shape and dtype. {name} begins with {first[0]} {first[1]} and "
            f"has {form[0]} {form[1]} in {where}. Bring them to one form."
        )


def _check_label(label, shape, where, name):
    if label.shape != shape:
        raise ValueError(
            f"A label is one whole number for each example. {name} has labels of the shape "
            f"{label.shape} in {where}, which are {shape or 'single numbers'} there. Drop what is "
            f"no label: `dataset.map(lambda x, *_: x)`."
        )
    values.check_labels(label, f"{name}, {where},")


def _no_batch(where, name):
    return (
        f"With `batched=True`, {name[:1].lower()}{name[1:]} is a sequence of batches "
        f"[num, ...]. Received a single number in {where}. Leave `batched` out."
    )


def _check_splits(given, labels):
    unknown = [name for name in given if name not in Dataset.splits]
    if unknown or "train" not in given:
        raise ValueError(
            f"A dict of data has the keys 'train' and, if need be, 'validation' and 'test'. "
            f"Received {', '.join(map(repr, unknown or given)) or 'none'}."
        )
    alone = [name for name in labels if name not in given]
    if alone:
        raise ValueError(
            f"Labels belong to the data of a split. There are labels of "
            f"{', '.join(map(repr, alone))}, and data of {', '.join(map(repr, given)) or 'none'}. "
            f"Name both alike."
        )
