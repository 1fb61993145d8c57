"""Columns of a prepared set of TensorFlow Datasets as a table."""

import collections

import numpy as np

from tfvae.datasets import extras, files
from tfvae.datasets.features import at, feature_of
from tfvae.datasets.tables import Table

_BATCH = 1024


def read(builder, splits, kinds, label, masks_missing):
    """Reads columns of some splits.

    Args:
        builder: Builder of a prepared set.
        splits: Names of splits of the set.
        kinds: Dict of names of features to their kinds, as of `features.choose`.
        label: Name of the feature of labels, or None.
        masks_missing: Whether missing values stay, as NaN.

    Returns:
        The `Table` of the splits, one below the other, and the labels of its rows or None.

    Raises:
        ValueError: If the files are damaged, or the table can't be learnt from.
    """
    found = [_columns(builder, split, (*kinds, label)) for split in splits]
    features = {name: feature_of(builder, name) for name in kinds}
    tables = [
        _table({name: _arrow(values[name], features[name]) for name in kinds}) for values in found
    ]
    sources = [f"{builder.info.full_name}, {split}" for split in splits]
    table = Table(tables, sources, kinds, masks_missing, option="key")
    labels = None if label is None else np.concatenate([values[label] for values in found])
    return table, labels


def _columns(builder, split, names):
    """Returns the values of features in a split, NumPy arrays by name."""
    import tensorflow as tf

    wanted = [name for name in names if name is not None]
    data = builder.as_dataset(split=split, shuffle_files=False)
    data = data.map(lambda row: {name: at(row, name) for name in wanted}).batch(_BATCH)
    parts = collections.defaultdict(list)
    try:
        for batch in data.as_numpy_iterator():
            for name, values in batch.items():
                parts[name].append(values)
    except tf.errors.OpError as error:
        raise ValueError(files.damaged(builder.data_dir, error.message)) from error
    return {name: np.concatenate(parts[name]) if parts[name] else np.zeros([0]) for name in wanted}


def _table(columns):
    return extras.load("pyarrow", "data").table(columns)


def _arrow(values, feature):
    """Returns a column for pyarrow: names of classes, texts, or numbers as they are."""
    if type(feature).__name__ == "ClassLabel":
        codes = values.tolist()
        names = {code: feature.int2str(code) if code >= 0 else None for code in set(codes)}
        return extras.load("pyarrow", "data").array([names[code] for code in codes], "string")
    if values.dtype.kind == "O":
        return [text.decode("utf-8", "replace") for text in values]
    return values
