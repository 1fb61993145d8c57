"""TensorFlow Datasets."""

import dataclasses

import numpy as np

from tfvae.datasets import features, prepared, prepared_tables, values
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.parts import Part
from tfvae.datasets.pictures import check_channels, check_size
from tfvae.datasets.stored import check_options
from tfvae.datasets.tabular import TabularDataset

#: Options of pictures and arrays, which a table has no use for.
_NOT_OF_TABLES = ("size", "scale", "cache", "binarize")


class TFDS(TabularDataset, name="tfds"):
    """A set of TensorFlow Datasets that has been prepared, or that may be downloaded.

    Looks for prepared data first, and asks the network for nothing unless `download=True`. A set of
    a builder of your own is found like any other once it is prepared; to prepare it here, name
    the module that defines it. The splits `train`, `validation` and `test` of the set are kept.
    Needs tensorflow-datasets: `pip install 'tfvae[tfds]'`.

    A set of columns of one value each is read as a table: numbers are standardised, classes, texts
    and truths become categories, as with the data set `table`, whose exports take raw rows too.

    Args:
        name: Name of the set, such as 'mnist', 'cifar10:3.0.2' or 'my_set/config:1.0.0'; or the
            folder of one prepared version, with its `dataset_info.json`.
        data_dir: Folder of prepared sets; None for the usual one, `~/tensorflow_datasets`.
        key: Name of the feature to learn, or a tuple of names of columns of a table; None takes the
            only picture, else the only array of numbers, else all columns but the label.
        label: Name of the feature of int labels; None takes 'label' where there is one.
        size: Side in pixels, or (height, width), to which pictures are cut and resized; None
            leaves them as they are, which must then be of one size.
        channels: Channels of resized pictures: 1, 2, 3 or 4.
        download: Whether a set that is not there is downloaded and prepared.
        module: Python package that defines the builder, if it is your own; None for none.
        scale: What values are divided by; None for 255 of uint8, 65535 of uint16, else 1.
        cache: Folder in which examples are kept and found again; None keeps them in memory.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for values in [0, 1] then.
        validation: Fraction or number of the training examples to validate on.
        test: Fraction or number to test on, where the set has no test split; 0 for none.
        seed: Which examples are set aside follows from it.
        missing: What becomes of NaN, and of the class -1: 'refuse', or 'mask': the encoder sees 0
            for it, and the likelihood, whose elements are independent, leaves it out.

    Raises:
        ValueError: If an option is out of range, or the set has no such feature.
        OSError: If the set is not there and can't be downloaded, or the package is missing.
    """

    def __init__(
        self,
        *,
        name,
        data_dir=None,
        key=None,
        label=None,
        size=None,
        channels=3,
        download=False,
        module=None,
        scale=None,
        cache=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
        missing="refuse",
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        self.masks_missing = values.check_missing(missing)
        size = None if size is None else check_size(size)
        check_channels(channels)
        builder = prepared.find(name, data_dir, download, module)
        key, label = features.choose(builder, key, label)
        splits, left_out = prepared.splits(builder)
        title = f"The set {builder.info.full_name}"
        notes = [left_out] if left_out else []
        unread = features.unread(builder, key, label)
        if unread:
            notes.append(f"{title}: features that were not read: {', '.join(unread)}.")
        if isinstance(key, dict):
            self._check_table(title)
            table, labels = prepared_tables.read(
                builder, splits.values(), key, label, self.masks_missing
            )
            whole = Part(table.rows, labels, title, table.where)
            parts = _parts(whole, dict(zip(splits, np.diff(table.starts), strict=True)))
            self._hold_table(table, parts, shares, title, notes)
            return
        reader = prepared.Reader(builder, key, label, size, channels, title)
        stamps = [stamp(path) for path in prepared.files_of(builder)]
        options = ["tfds", 1, key, label, size, channels, scale, splits, stamps]
        found = gather(
            lambda facts: _read(reader, splits, scale, title, facts),
            cache=cache,
            key=options,
            name=title,
        )
        note = values.note(np.dtype(found.facts["dtype"]), scale, title)
        whole = Part(found.examples, None if label is None else np.asarray(found.tags), title)
        parts = _parts(whole, found.facts["lengths"])
        notes = [*([note] if note else []), *notes, *found.facts["done"]]
        self._divide(parts, shares, binarize=binarize, notes=notes)

    def _check_table(self, title):
        """Refuses options that would do nothing."""
        for option in _NOT_OF_TABLES:
            given = self.spec.options[option]
            if given not in (None, "none"):
                raise ValueError(
                    f"`{option}` is an option of pictures and arrays, and {title} is read as a "
                    f"table. Received {option}={given!r}. Leave it out."
                )


def _read(reader, splits, scale, title, facts):
    """Yields blocks of examples of one split after the other, and fills the facts."""
    facts["lengths"] = {}
    for split, source in splits.items():
        num = 0
        for block, tags in reader.read(source):
            num += len(block)
            facts["dtype"] = block.dtype.name
            values.check_whole(block, title)
            yield values.stored(block, scale), tags
        facts["lengths"][split] = num
    facts["done"] = reader.done()


def _parts(whole, lengths):
    """Returns the splits of a set, which have been read one after the other."""
    parts, start = {}, 0
    for split, num in lengths.items():
        part = whole.take(np.arange(start, start + num))
        parts[split] = dataclasses.replace(part, name=f"{whole.name}, {split}")
        start += num
    return parts
