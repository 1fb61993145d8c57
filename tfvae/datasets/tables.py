"""Columns of CSV and Parquet files as one matrix of numbers."""

import numpy as np

from tfvae import transforms
from tfvae.datasets import extras, files, values

MISSING_NAMED = 3
MOST_CATEGORIES = 100


class Table:
    """What has been read of a table.

    Attributes:
        rows: float32 `[num, num_columns]`, categories as codes, NaN for what is missing.
        kinds: Dict of the name of a column to its kind.
        categories: Dict of the name of a category to the list of its values.
    """

    def __init__(self, paths, columns, masks_missing=False, without=()):
        self._paths, self._masks_missing = paths, masks_missing
        tables = [_read(path) for path in paths]
        self.kinds = _kinds(tables, paths, columns, without)
        self._starts = np.cumsum([0, *(table.num_rows for table in tables)])
        self.categories: dict = {}
        self.rows = np.stack([self._column(name, tables) for name in self.kinds], axis=1)

    def where(self, index):
        """Returns the name of a row in messages."""
        file = int(np.searchsorted(self._starts, index, side="right")) - 1
        return f"row {index - self._starts[file] + 1} of {self._paths[file]}"

    def fit(self, rows):
        """Returns the transform that standardises rows, float32 `[num, num_columns]`."""
        found = []
        for i, (name, kind) in enumerate(self.kinds.items()):
            column = {"name": name, "kind": kind}
            if kind == "category":
                column["categories"] = self.categories[name]
            else:
                known = rows[~np.isnan(rows[:, i]), i].astype(np.float64)
                if not len(known):
                    raise ValueError(
                        f"The column `{name}` of {self._paths[0]} has no value in any row to train "
                        f"on. {_without(name, self.kinds)}"
                    )
                column |= {"mean": float(known.mean()), "stddev": float(known.std())}
            if column.get("stddev") == 0 or len(column.get("categories", "ab")) == 1:
                raise ValueError(
                    f"The column `{name}` of {self._paths[0]} has the same value in every row to "
                    f"train on, so there is nothing to learn. {_without(name, self.kinds)}"
                )
            found.append(column)
        return transforms.Columns(found)

    def _column(self, name, tables):
        import pyarrow as pa
        import pyarrow.compute as pc

        arrays = [table.column(name) for table in tables]
        mask = np.concatenate([_missing(array) for array in arrays])
        if mask.any() and not self._masks_missing:
            raise ValueError(self._on_missing(name, np.flatnonzero(mask)))
        if self.kinds[name] != "category":
            there = np.concatenate([array.drop_null().to_numpy() for array in arrays])
            values.check_whole(there, f"The column `{name}` of {self._paths[0]}")
            there = there.astype(np.float64)
            column = np.full(len(mask), np.nan)
            column[~mask] = there[~np.isnan(there)]
            return self._finite(column, name)
        texts = pa.concat_arrays([pc.cast(array, pa.string()).combine_chunks() for array in arrays])
        known = sorted(pc.unique(texts.drop_null()).to_pylist())
        if len(known) > MOST_CATEGORIES:
            raise ValueError(
                f"The column `{name}` of {self._paths[0]} has {len(known)} different values, and a "
                f"category has {MOST_CATEGORIES} at most: it may be an identifier or a text. "
                f"{_without(name, self.kinds)}"
            )
        self.categories[name] = known
        codes = pc.index_in(texts, pa.array(known, pa.string()))  # null for what is missing
        return codes.to_numpy(zero_copy_only=False).astype(np.float32)

    def _finite(self, column, name):
        bad = np.flatnonzero(np.abs(column) > np.finfo(np.float32).max)
        if len(bad):
            raise ValueError(
                f"The column `{name}` holds values that are infinite or beyond float32 in "
                f"{len(bad)} rows, the first of them {self.where(int(bad[0]))}. Leave these rows "
                f"out."
            )
        return column.astype(np.float32)

    def _on_missing(self, name, rows):
        named = ", ".join(self.where(int(row)) for row in rows[:MISSING_NAMED])
        more = f" and {len(rows) - MISSING_NAMED} more" if len(rows) > MISSING_NAMED else ""
        return (
            f"The column `{name}` has no value in {named}{more}. Fill in or delete these rows, let "
            f"the likelihood leave them out with `missing='mask'`, or leave the column out. "
            f"{_without(name, self.kinds)}"
        )


def _read(path):
    """Returns a file as a `pyarrow.Table`."""
    pa = extras.load("pyarrow", "data")
    suffix = path.with_suffix("").suffix + ".gz" if path.suffix == ".gz" else path.suffix
    try:
        if suffix == ".parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path)
        if suffix in (".csv", ".tsv", ".csv.gz", ".tsv.gz"):
            import pyarrow.csv

            return pyarrow.csv.read_csv(
                path,
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter="\t" if suffix.startswith(".tsv") else ","
                ),
                convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
            )
    except (pa.ArrowException, OSError) as error:
        raise ValueError(files.damaged(path, error)) from error
    raise ValueError(
        f"`table` reads .csv, .tsv (both also with .gz) and .parquet files. Received {path}. "
        f"Arrays and pictures have data sets of their own."
    )


def _kinds(tables, paths, columns, without):
    """Returns the kind of each column that is read."""
    wanted = _wanted(tables[0], paths[0], columns, without)
    found: dict = {}
    for table, path in zip(tables, paths, strict=True):
        for name, kind in wanted.items():
            if table.column_names.count(name) != 1:
                raise ValueError(
                    f"`columns` names columns of {path}, each there once: "
                    f"{', '.join(table.column_names)}. Received {name!r}."
                )
            own = _kind_of(table.schema.field(name), path, wanted)
            if found.setdefault(name, own) != own and kind is None:
                raise ValueError(
                    f"The column `{name}` is of one kind in every file. It holds {found[name]} "
                    f"values in {paths[0]} and {own} values in {path}. Say which, as in "
                    f"`columns={{{name!r}: 'number', ...}}`, or correct the file."
                )
            _check_kind(name, kind or own, own, path)
            found[name] = kind or own
    return found


def _wanted(table, path, columns, without):
    """Returns the names of the columns to read with their kinds, None where it is to be found."""
    if columns is None:
        columns = tuple(name for name in table.column_names if name not in without)
    if isinstance(columns, str):
        columns = (columns,)
    named = dict(columns) if isinstance(columns, dict) else dict.fromkeys(columns)
    if not named or any(kind not in (None, *transforms.KINDS) for kind in named.values()):
        raise ValueError(
            f"`columns` is None for all, a tuple of names, or a dict of names to one of "
            f"{', '.join(map(repr, transforms.KINDS))}. Received {columns!r}; {path} has "
            f"{', '.join(table.column_names) or 'none'}."
        )
    return named


def _kind_of(field, path, wanted):
    import pyarrow as pa

    kind = field.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "category"
    if pa.types.is_dictionary(kind):
        return "category"
    if pa.types.is_null(kind):
        raise ValueError(
            f"The column `{field.name}` of {path} is empty. {_without(field.name, wanted)}"
        )
    raise ValueError(
        f"A column holds numbers, whole numbers or categories. `{field.name}` of {path} holds "
        f"{kind}. Convert it, or leave it out. {_without(field.name, wanted)}"
    )


def _check_kind(name, kind, own, path):
    if kind != own and (own == "category" or kind == "integer"):
        raise ValueError(
            f"`columns` says that `{name}` is of the kind {kind!r}, and {path} holds {own} values "
            f"there. Write {name!r}: {own!r}, or correct the file."
        )


def _missing(array):
    import pyarrow.compute as pc

    nan = pc.is_null(array, nan_is_null=True)
    return nan.to_numpy().astype(bool)


def _without(name, names):
    rest = tuple(other for other in names if other != name)
    return f"To leave it out, write `columns={rest!r}`."
