"""Tables in CSV and Parquet files."""

import numpy as np

from tfvae.datasets import files, table_files, values
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import check_options
from tfvae.datasets.tabular import TabularDataset


class TableDataset(TabularDataset, name="table"):
    """The rows of CSV or Parquet files: numbers, whole numbers and categories.

    A number is standardised with mean and standard deviation of the training split, a category
    becomes one element for each of its values. A model carries this into its exports: they take
    and return rows as they came, `[batch, num_columns]`, a category as the code that the notes of
    the data set give. Use `--likelihood normal`. Needs pyarrow: `pip install 'tfvae[data]'`.

    Args:
        path: A file, or a pattern such as 'data/*.parquet' for several of the same columns.
        columns: Names of the columns to learn, or a dict of names to 'number', 'integer' or
            'category'; None takes all, each as its type says, but for those that are named below.
        label: Name of a column of categories that is the label of a row, or None: what
            `--condition label` takes.
        condition: Names of columns of numbers that are known of each row: what `--condition
            vector` takes.
        validation: Fraction or number of the rows to validate on.
        test: Fraction or number of the rows to test on; None for 0.1, 0 for no test split.
        seed: Which rows are set aside follows from it.
        missing: What becomes of missing values: 'refuse', or 'mask': the encoder sees the mean for
            them, and the likelihood, whose elements are independent, leaves them out. Exports
            take rows with NaN for what is missing.

    Raises:
        ValueError: If an option is out of range, a file is damaged, or a column is constant, has
            missing values that are refused, or holds something else.
        OSError: If a file is not there or may not be read, or pyarrow is not installed.
    """

    def __init__(
        self,
        *,
        path,
        columns=None,
        label=None,
        condition=(),
        validation=0.1,
        test=None,
        seed=0,
        missing="refuse",
    ):
        shares = check_options(validation, test, seed)
        self.masks_missing = values.check_missing(missing)
        paths = files.matching(path)
        beside = _names(condition)
        name = f"The table {path}"
        labels, label_notes = _labels(paths, label, name)
        known = _numbers(paths, beside)
        table = table_files.read(paths, columns, self.masks_missing, left_out=(label, *beside))
        part = Part(table.rows, labels, name, table.where, conditions=known)
        notes = [*_on_names(table.names, name), *label_notes]
        self._hold_table(table, {"train": part}, shares, name, notes)


def _names(condition):
    """Returns the option `condition` as names of columns."""
    names = (condition,) if isinstance(condition, str) else condition
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"`condition` is the name of a column, or a tuple of names. Received {condition!r}."
        )
    return tuple(names)


def _labels(paths, label, name):
    """Returns the labels of all rows, or None; and a note on what they stand for."""
    if label is None:
        return None, []
    if not isinstance(label, str):
        raise ValueError(f"`label` is the name of a column, or None. Received {label!r}.")
    table = table_files.read(paths, {label: "category"}, option="label")
    codes = ", ".join(f"{code} {text!r}" for code, text in enumerate(table.categories[label]))
    return table.rows[:, 0].astype(np.int64), [f"{name}: labels are of `{label}`: {codes}."]


def _numbers(paths, columns):
    """Returns columns of numbers as they are, float32 `[num, size]`, or None."""
    if not columns:
        return None
    table = table_files.read(paths, columns, option="condition")
    if table.categories:
        raise ValueError(
            f"`condition` names columns of numbers. {next(iter(table.categories))!r} holds "
            f"categories. Give it as `label`, and train with `--condition label`."
        )
    return table.rows


def _on_names(names, name):
    """Yields a note where the names of columns may be a row of the data."""
    if any(_is_number(column) for column in names):
        yield f"{name}: the first line was read as the names of columns: {', '.join(names[:8])}."


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
