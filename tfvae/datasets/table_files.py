"""Reading CSV and Parquet files, and finding the kinds of their columns."""

from tfvae import transforms
from tfvae.datasets import extras, files
from tfvae.datasets.tables import Table, without


def read(paths, columns, masks_missing=False, left_out=(), option="columns"):
    """Reads the columns of files.

    Args:
        paths: Paths of files of the same columns.
        columns: Names, or a dict of names to kinds; None for all.
        masks_missing: Whether missing values stay, as NaN.
        left_out: Names that None leaves out.
        option: Name of the option that chooses them, for messages.

    Returns:
        A `Table`.

    Raises:
        ValueError: If a file is damaged, or a column is not there or of no kind.
    """
    tables = [_read(path) for path in paths]
    if not any(table.num_rows for table in tables):
        raise ValueError(f"The table {paths[0]} holds no row. Point `path` at one that has some.")
    kinds = _kinds(tables, paths, columns, left_out, option)
    return Table(tables, paths, kinds, masks_missing, option)


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


def _kinds(tables, paths, columns, left_out, option):
    """Returns the kind of each column that is read."""
    wanted = _wanted(tables[0], paths[0], columns, left_out)
    found: dict = {}
    for table, path in zip(tables, paths, strict=True):
        for name, kind in wanted.items():
            if table.column_names.count(name) != 1:
                raise ValueError(
                    f"`{option}` names columns of {path}, each there once: "
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


def _wanted(table, path, columns, left_out):
    """Returns the names of the columns to read with their kinds, None where it is to be found."""
    if columns is None:
        _check_separator(table.column_names, path)
        columns = tuple(name for name in table.column_names if name not in left_out)
    if isinstance(columns, str):
        columns = (columns,)
    known = columns if isinstance(columns, dict | tuple | list) else ()
    texts = all(isinstance(name, str) for name in known)
    named = known if isinstance(known, dict) else dict.fromkeys(known if texts else ())
    good = all(kind in (None, *transforms.KINDS) for kind in named.values())
    if not named or not texts or not good or len(named) < len(known):
        raise ValueError(
            f"`columns` is None for all, a tuple of names, or a dict of names to one of "
            f"{', '.join(map(repr, transforms.KINDS))}. Received {columns!r}; {path} has "
            f"{', '.join(table.column_names) or 'none'}."
        )
    return named


def _check_separator(names, path):
    """Refuses a table of one column whose name looks like several."""
    found = [mark for mark in ";\t|," if mark in names[0]] if len(names) == 1 else []
    if found and path.suffix != ".parquet":
        raise ValueError(
            f"Columns stand between commas in .csv and between tabs in .tsv. {path} has one "
            f"column, {names[0]!r}, with {found[0]!r} in its name. Write the file so, or give "
            f"it the ending that it should have."
        )


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
            f"The column `{field.name}` of {path} is empty. {without(field.name, wanted)}"
        )
    what = "text that is no UTF-8" if pa.types.is_binary(kind) else kind
    raise ValueError(
        f"A column holds numbers, whole numbers or categories. `{field.name}` of {path} holds "
        f"{what}. Convert it, or leave it out. {without(field.name, wanted)}"
    )


def _check_kind(name, kind, own, path):
    if kind != own and (own == "category" or kind == "integer"):
        raise ValueError(
            f"`columns` says that `{name}` is of the kind {kind!r}, and {path} holds {own} values "
            f"there. Write {name!r}: {own!r}, or correct the file."
        )
