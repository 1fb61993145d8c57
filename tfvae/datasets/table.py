"""Tables in CSV and Parquet files."""

from tfvae.datasets import files, table_files, values
from tfvae.datasets.stored import Part, check_options
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
            'category'; None takes all, each as its type says.
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

    def __init__(self, *, path, columns=None, validation=0.1, test=None, seed=0, missing="refuse"):
        shares = check_options(validation, test, seed)
        self.masks_missing = values.check_missing(missing)
        table = table_files.read(files.matching(path), columns, self.masks_missing)
        name = f"The table {path}"
        part = Part(table.rows, None, name, table.where)
        self._hold_table(table, {"train": part}, shares, name, _on_names(table.names, name))


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
