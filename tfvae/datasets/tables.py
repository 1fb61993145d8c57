"""Columns of tables as one matrix of numbers."""

import numpy as np

from tfvae import transforms
from tfvae.datasets import values

_MISSING_NAMED = 3
_MOST_CATEGORIES = 100
_BESIDE = ("label", "condition")  # options that name columns which are not learnt


class Table:
    """Tables of the same columns, one below the other.

    Args:
        tables: `pyarrow.Table`s.
        sources: What each is called in messages: the path of its file.
        kinds: Dict of the names of the columns to read to one of `transforms.KINDS`.
        masks_missing: Whether missing values stay, as NaN.
        option: Name of the option of the data set that chooses columns, for messages.

    Attributes:
        rows: float32 `[num, num_columns]`, categories as codes, NaN for what is missing.
        starts: Number of the first row of each table, and the number of all, int64.
        categories: Dict of the name of a category to the list of its values.
        names: Names of the columns.
        rounding: Dict of the name of a number to how far float32 moves a value of it at most.

    Raises:
        ValueError: If values are missing and not masked, infinite or beyond float32, or a category
            has too many of them.
    """

    def __init__(self, tables, sources, kinds, masks_missing=False, option="columns"):
        self._sources, self._kinds, self.names = sources, kinds, list(kinds)
        self._masks_missing, self._option = masks_missing, option
        self.starts = np.cumsum([0, *(table.num_rows for table in tables)])
        self.categories: dict = {}
        self.rounding: dict = {}
        self.rows = np.stack([self._column(name, tables) for name in kinds], axis=1)

    def where(self, index):
        """Returns the name of a row in messages."""
        file = int(np.searchsorted(self.starts, index, side="right")) - 1
        return f"row {index - self.starts[file] + 1} of {self._sources[file]}"

    def fit(self, rows):
        """Returns the transform that standardises rows, float32 `[num, num_columns]`.

        Raises:
            ValueError: If a column has no value in them, or always the same.
        """
        return transforms.Columns(
            [self._fitted(name, rows[:, i]) for i, name in enumerate(self._kinds)]
        )

    def _fitted(self, name, given):
        column = {"name": name, "kind": self._kinds[name]}
        known = given[~np.isnan(given)].astype(np.float64)
        if not len(known):
            raise ValueError(
                f"{self._called(name)} has no value in any row to train on. {self._without(name)}"
            )
        if column["kind"] == "category":
            column["categories"] = self.categories[name]
        else:
            column |= {"mean": float(known.mean()), "stddev": float(known.std())}
        if 0 < column.get("stddev", 1) < np.finfo(np.float32).tiny:
            raise ValueError(
                f"{self._called(name)} has a standard deviation of {column['stddev']:.2g}, which "
                f"float32 can't divide by. Multiply the column."
            )
        if column.get("stddev") == 0 or len(column.get("categories", "ab")) == 1:
            rounding = self.rounding.get(name, 0)
            rounded = f" once float32 has rounded it, by up to {rounding:.2g}" if rounding else ""
            raise ValueError(
                f"{self._called(name)} has the same value in every row to train on{rounded}, so "
                f"there is nothing to learn. {self._without(name)}"
            )
        return column

    def _column(self, name, tables):
        arrays = [table.column(name) for table in tables]
        missing = np.concatenate([_missing(array) for array in arrays])
        if missing.any() and not self._masks_missing:
            raise ValueError(self._on_missing(name, np.flatnonzero(missing)))
        if self._kinds[name] == "category":
            return self._codes(name, arrays, missing)
        there = np.concatenate([array.drop_null().to_numpy() for array in arrays])
        values.check_whole(there, self._called(name))
        there = there.astype(np.float64)
        column = np.full(len(missing), np.nan)
        column[~missing] = there[~np.isnan(there)]
        return self._rounded(name, column)

    def _codes(self, name, arrays, missing):
        """Returns the codes of a category, NaN where it is missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = pa.concat_arrays([pc.cast(array, pa.string()).combine_chunks() for array in arrays])
        texts = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), texts)  # NaN is a text
        are_numbers = all(
            pa.types.is_integer(a.type) or pa.types.is_floating(a.type) for a in arrays
        )
        known = sorted(pc.unique(texts.drop_null()).to_pylist(), key=float if are_numbers else None)
        if len(known) > _MOST_CATEGORIES:
            raise ValueError(
                f"{self._called(name)} has {len(known)} different values, and a category has "
                f"{_MOST_CATEGORIES} at most: it may be an identifier or a text. "
                f"{self._without(name)}"
            )
        self.categories[name] = known
        codes = pc.index_in(texts, pa.array(known, pa.string()))  # null for what is missing
        return codes.to_numpy(zero_copy_only=False).astype(np.float32)

    def _rounded(self, name, column):
        """Returns a column of float64 as float32."""
        bad = np.flatnonzero(np.abs(column) > np.finfo(np.float32).max)
        if len(bad):
            raise ValueError(
                f"The column `{name}` holds values that are infinite or beyond float32 in "
                f"{len(bad)} rows, the first of them {self.where(int(bad[0]))}. Leave these rows "
                f"out."
            )
        found = column.astype(np.float32)
        self.rounding[name] = float(np.abs(found - column)[~np.isnan(column)].max(initial=0))
        return found

    def _called(self, name):
        return f"The column `{name}` of {self._sources[0]}"

    def _on_missing(self, name, rows):
        named = ", ".join(self.where(int(row)) for row in rows[:_MISSING_NAMED])
        more = f" and {len(rows) - _MISSING_NAMED} more" if len(rows) > _MISSING_NAMED else ""
        said = f"The column `{name}` has no value in {named}{more}. Fill in or delete these rows"
        if self._option in _BESIDE:
            return f"{said}. {self._without(name)}"
        return (
            f"{said}, let the likelihood leave them out with `missing='mask'`, or leave the column "
            f"out. {self._without(name)}"
        )

    def _without(self, name):
        return without(name, self._kinds, self._option)


def without(name, names, option="columns"):
    """Returns how to leave a column out."""
    if option in _BESIDE:
        return f"Or leave `{option}` out."
    rest = tuple(other for other in names if other != name)
    return f"To leave it out, write `{option}={rest!r}`." if rest else "There is no other column."


def _missing(array):
    import pyarrow.compute as pc

    nan = pc.is_null(array, nan_is_null=True)
    return nan.to_numpy().astype(bool)
