"""Tables: kinds of columns, standardisation by the training split, what travels into a model."""

import datetime
import gzip

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import samples
from sources import build, everything, refused

from tfvae import components, transforms
from tfvae.datasets import values
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.vae import VAE


@pytest.fixture
def place(place):
    samples.write_table(place / "people.csv")
    return place


def rows_of(text):
    """Returns a CSV text's lines below its head."""
    return text.splitlines()[1:]


def test_kinds_are_found_and_said(place):
    dataset = build("table(path='people.csv')")
    kinds = [(c["name"], c["kind"]) for c in dataset.transform.columns]
    assert kinds == [("age", "integer"), ("height", "number"), ("city", "category"),
                     ("member", "category")]  # fmt: skip
    assert dataset.event_shape == (2 + 3 + 2,)
    assert "The table people.csv: `city`: 0 'Bern', 1 'Oslo', 2 'Rome'." in dataset.notes
    assert any("`age` (integer) was standardised: mean " in note for note in dataset.notes)


def test_the_training_split_is_standardised_and_the_others_with_its_statistics(place):
    dataset = build("table(path='people.csv', columns=('age', 'height'), test=0.3)")
    x = np.concatenate(list(dataset.split("train", 50)))
    # Sums of some hundred float32.
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)
    other = np.concatenate(list(dataset.split("test", 50)))
    assert np.abs(other.mean(axis=0)).min() > 1e-3


def test_rows_come_back_as_they_were(place):
    dataset = build("table(path='people.csv')")
    rows = np.asarray(dataset.transform.decode(everything(dataset), whole=True))
    cities, members = ["Bern", "Oslo", "Rome"], ["false", "true"]
    expected = sorted(
        (int(age), round(float(height), 2), cities.index(city), members.index(member))
        for age, height, city, member in (
            line.split(",") for line in rows_of((place / "people.csv").read_text())
        )
    )
    back = sorted((int(a), round(float(h), 2), int(c), int(m)) for a, h, c, m in rows)
    assert back == expected


def test_each_kind_of_file_gives_the_same_rows(place):
    table = pa.csv.read_csv("people.csv")
    pa.parquet.write_table(table, "people.parquet")
    pa.parquet.write_table(table.slice(0, 50), "part-1.parquet")
    pa.parquet.write_table(table.slice(50), "part-2.parquet")
    (place / "people.tsv").write_text((place / "people.csv").read_text().replace(",", "\t"))
    with pa.CompressedOutputStream("people.csv.gz", "gzip") as file:
        file.write((place / "people.csv").read_bytes())
    paths = ("people.csv", "people.parquet", "part-*.parquet", "people.tsv", "people.csv.gz")
    assert len({build(f"table(path={path!r})").fingerprint() for path in paths}) == 1


def test_columns_can_be_chosen_and_their_kinds_given(place):
    assert build("table(path='people.csv', columns='height')").event_shape == (1,)
    chosen = build("table(path='people.csv', columns={'age': 'category', 'height': None})")
    assert [c["kind"] for c in chosen.transform.columns] == ["category", "number"]
    chosen = build("table(path='people.csv', columns={'age': 'number', 'height': None})")
    assert [c["kind"] for c in chosen.transform.columns] == ["number", "number"]


def test_missing_values_stay_missing_and_are_counted(place):
    samples.write_table(place / "holes.csv", holes=0.2)
    assert "with `missing='mask'`" in refused("table(path='holes.csv')")
    dataset = build("table(path='holes.csv', missing='mask')")
    assert dataset.masks_missing
    rows = [line.split(",") for line in rows_of((place / "holes.csv").read_text())]
    x = everything(dataset)  # age, height, three cities, member or not
    counts = np.isnan(x).sum(axis=0)
    empty = [sum(row[i] == "" for row in rows) for i in range(4)]
    assert counts.tolist() == [0, empty[1], *[empty[2]] * 3, *[empty[3]] * 2]
    notes = "\n".join(dataset.notes)
    for name, num in zip(("height", "city", "member"), empty[1:], strict=True):
        assert f"`{name}`: {num} values are missing and left out by the likelihood." in notes
    train = np.concatenate(list(dataset.split("train", 50)))[:, :2]
    # Sums of some hundred float32, over what is there.
    np.testing.assert_allclose(np.nanmean(train, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(train, axis=0), 1, atol=1e-5)


def test_what_is_missing_of_a_row_is_missing_of_its_example_and_back(place):
    samples.write_table(place / "holes.csv", holes=0.3)
    dataset = build("table(path='holes.csv', missing='mask')")
    x = np.concatenate(list(dataset.split("train", 500)))
    rows = dataset.transform.decode(x).numpy()
    assert np.isnan(rows).any(axis=0).sum() == 3  # all but one column have holes
    # Through the units of the columns and back, in float32.
    np.testing.assert_allclose(dataset.transform.encode(rows), x, atol=1e-5)
    filled = values.filled(x)
    layer = components.build(DistributionLayer, "mixed", dataset.event_shape)
    layer.bind(dataset.transform)
    layer.check_data(filled)  # a category that is missing is one of the categories


def test_a_table_without_holes_is_the_same_whether_masked_or_not(place):
    fingerprints = {
        build(f"table(path='people.csv', missing={how!r})").fingerprint()
        for how in ("refuse", "mask")
    }
    assert len(fingerprints) == 1


def test_holes_are_the_same_in_csv_and_parquet(place):
    samples.write_table(place / "holes.csv", holes=0.2)
    pa.parquet.write_table(
        pa.csv.read_csv(
            "holes.csv", convert_options=pa.csv.ConvertOptions(strings_can_be_null=True)
        ),
        "holes.parquet",
    )
    specs = [f"table(path='holes.{kind}', missing='mask')" for kind in ("csv", "parquet")]
    assert build(specs[0]).fingerprint() == build(specs[1]).fingerprint()


def test_a_number_that_is_not_one_is_missing_as_a_category_too(place):
    table = {"a": [0.5, float("nan"), 1.5, 2.5] * 9, "b": [float(i) for i in range(36)]}
    pa.parquet.write_table(pa.table(table), "x.parquet")
    spec = "table(path='x.parquet', columns={'a': 'category', 'b': None}"
    assert "The column `a` has no value in row 2 of x.parquet" in refused(f"{spec})")
    dataset = build(f"{spec}, missing='mask')")
    assert dataset.transform.columns[0]["categories"] == ["0.5", "1.5", "2.5"]
    assert np.isnan(everything(dataset)[:, :3]).all(axis=1).sum() == 9


def test_digits_that_float32_has_no_room_for_are_said(place):
    time = 1.7e9 + np.arange(60) * 20.0  # where float32 has steps of 128
    columns = {"fine": np.arange(60) / 8, "height": np.arange(60) / 10, "time": time}
    pa.parquet.write_table(pa.table(columns), "x.parquet")
    notes = build("table(path='x.parquet', columns=('fine', 'height'))").notes
    assert "moves" not in notes[0]
    moved = np.abs(columns["height"] - columns["height"].astype(np.float32)).max()
    assert f"cast to float32, which moves them by up to {moved:.2g}." in notes[1]
    notes = build("table(path='x.parquet', columns='time')").notes
    assert "of the standard deviation: subtract a constant from the column first." in notes[0]
    pa.parquet.write_table(pa.table({"time": 1.7e9 + np.arange(9), "b": np.arange(9)}), "y.parquet")
    message = refused("table(path='y.parquet')")
    assert "in every row to train on once float32 has rounded it, by up to " in message


HEAD = "a,b,c\n"
LINES = [f"{i},{i * 0.5 + 0.25},{'xy'[i % 2]}\n" for i in range(20)]


def _csv(place, *changes, name="t.csv"):
    lines = list(LINES)
    for line, text in changes:
        lines[line] = text
    (place / name).write_text(HEAD + "".join(lines))


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (
            3,
            "3,,x\n",
            "The column `b` has no value in row 4 of t.csv. Fill in or delete these rows",
        ),
        (3, "3,1.0,\n", "The column `c` has no value in row 4 of t.csv."),
        (3, "3,NaN,x\n", "To leave it out, write `columns=('a', 'c')`."),
        (5, "5,inf,x\n", "infinite or beyond float32 in 1 rows, the first of them row 6 of t.csv"),
        (5, "5,1.0\n", "The data file t.csv is damaged: "),
        (5, "99999999,1.0,x\n", "The column `a` of t.csv holds whole numbers up to 99,999,999"),
    ],
)
def test_bad_rows_are_named(line, text, message, place):
    _csv(place, (line, text))
    assert message in refused("table(path='t.csv')")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("table(path='t.csv', columns=('a', 'z'))", "each there once: a, b, c. Received 'z'."),
        (
            "table(path='t.csv', columns=3)",
            "`columns` is None for all, a tuple of names, or a dict",
        ),
        ("table(path='t.csv', columns=('a', 'a'))", "Received ('a', 'a'); t.csv has a, b, c."),
        ("table(path='t;.csv')", "one column, 'a;b', with ';' in its name. Write the file so, or"),
        ("table(path='old.csv')", "`a` of old.csv holds text that is no UTF-8. Convert it"),
        ("table(path='tiny.parquet')", "which float32 can't divide by. Multiply the column."),
        ("table(path='t.csv', columns=[['a']])", "a tuple of names, or a dict of names to one of"),
        ("table(path='t.csv', label='z')", "`label` names columns of t.csv, each there once: a, b"),
        (
            "table(path='t.csv', label=['c'])",
            "`label` is the name of a column, or None. Received [",
        ),
        (
            "table(path='rows.csv', label='c')",
            "in row 5 of rows.csv. Fill in or delete these rows. O",
        ),
        ("table(path='rows.csv', label='c')", "rows. Or leave `label` out."),
        (
            "table(path='t.csv', condition=3)",
            "`condition` is the name of a column, or a tuple of na",
        ),
        (
            "table(path='t.csv', condition='z')",
            "`condition` names columns of t.csv, each there once:",
        ),
        ("table(path='t.csv', columns=())", "`columns` is None for all, a tuple of names"),
        ("table(path='t.csv', columns={'a': 'text'})", "'number', 'integer', 'category'. Received"),
        (
            "table(path='t.csv', columns={'c': 'number'})",
            "`c` is of the kind 'number', and t.csv h",
        ),
        ("table(path='t.csv', columns={'b': 'integer'})", "`b` is of the kind 'integer', and t.c"),
        ("table(path='one.csv')", "The column `b` of one.csv has the same value in every row"),
        ("table(path='ids.csv')", "has 200 different values, and a category has 100 at most"),
        ("table(path='head.csv')", "The table head.csv holds no row."),
        ("table(path='void.csv')", "The data file void.csv is damaged: "),
        ("table(path='t.txt')", "`table` reads .csv, .tsv (both also with .gz) and .parquet files"),
        ("table(path='times.parquet')", "`t` of times.parquet holds timestamp[us]. Convert it"),
        ("table(path='cut.parquet')", "The data file cut.parquet is damaged: "),
        ("table(path='cut.csv.gz')", "The data file cut.csv.gz is damaged: "),
        ("table(path='t*.csv')", "It holds number values in t.csv and category values in t2.csv"),
        ("table(path='t.csv', test=0.95, validation=0.05)", "would leave none to train on"),
        ("table(path='t.csv', missing='drop')", "`missing` is 'refuse', or 'mask'"),
        ("table(path='rows.csv', missing='mask')", "without any value: row 5 of rows.csv. Leave"),
        ("table(path='inf.csv', missing='mask')", "infinite or beyond float32 in 1 rows"),
    ],
)
def test_tables_that_can_t_be_learnt_from_are_refused(spec, message, place):
    _csv(place)
    _csv(place, *((i, f"{i},word,x\n") for i in range(20)), name="t2.csv")
    _csv(place, (4, ",,\n"), name="rows.csv")
    _csv(place, (4, "4,inf,x\n"), name="inf.csv")
    (place / "one.csv").write_text("a,b\n" + "".join(f"{i},7\n" for i in range(9)))
    (place / "ids.csv").write_text("a,b\n" + "".join(f"{i},id{i}\n" for i in range(200)))
    (place / "head.csv").write_text("a,b\n")
    (place / "t;.csv").write_text("a;b\n" + "".join(f"{i};7\n" for i in range(9)))
    (place / "old.csv").write_text("a,b\n" + "".join(f"é,{i}\n" for i in range(9)), "latin-1")
    pa.parquet.write_table(pa.table({"a": np.arange(9) * 1e-40}), "tiny.parquet")
    (place / "void.csv").touch()
    (place / "t.txt").touch()
    times = {"t": [datetime.datetime(2020, 1, 1)] * 9, "a": range(9)}
    pa.parquet.write_table(pa.table(times), "times.parquet")
    packed = gzip.compress((place / "t.csv").read_bytes())
    (place / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    data = (place / "times.parquet").read_bytes()
    (place / "cut.parquet").write_bytes(data[: len(data) // 2])
    assert message in refused(spec)


def test_numbers_as_names_of_columns_are_pointed_out(place):
    (place / "bare.csv").write_text("".join(f"{i},{i * 0.5}\n" for i in range(20)))
    said = "The table bare.csv: the first line was read as the names of columns: 0, 0.0."
    assert said in build("table(path='bare.csv')").notes
    assert not any("first line" in note for note in build("table(path='people.csv')").notes)


def test_a_pattern_that_matches_nothing_is_named(place):
    message = refused("table(path='*.parquet')", FileNotFoundError)
    assert message.startswith("`path` matches no file: '*.parquet' from ")


def test_labels_that_are_numbers_are_in_the_order_of_numbers(place):
    (place / "digits.csv").write_text("x,y\n" + "".join(f"{i},{i % 12}\n" for i in range(48)))
    dataset = build("table(path='digits.csv', label='y')")
    assert "`y`: 0 '0', 1 '1', 2 '2', 3 '3'" in dataset.notes[0]
    for split in dataset.splits:
        x = np.concatenate(list(dataset.split(split, 50)))
        rows = np.rint(dataset.transform.decode(x).numpy()[:, 0])
        np.testing.assert_array_equal(dataset.labels(split), rows % 12)


AGE = {"name": "age", "kind": "integer", "mean": 40.0, "stddev": 10.0}
CITY = {"name": "city", "kind": "category", "categories": ["Bern", "Oslo", "Rome"]}


def test_a_transform_is_undone_by_its_inverse():
    columns = transforms.Columns([CITY, AGE])
    rows = np.array([[0, 33], [2, 51]], np.float32)
    x = columns.encode(rows)
    np.testing.assert_allclose(x, [[1, 0, 0, -0.7], [0, 0, 1, 1.1]], rtol=1e-6)
    np.testing.assert_allclose(columns.decode(x), rows, rtol=1e-6)
    assert columns.decode([[0.1, 0.3, 0.2, 0.11]], whole=True).numpy().tolist() == [[1, 41]]
    assert columns.decode_stddev([[0.1, 0.3, 0.2, 0.5]]).numpy().tolist() == [[0, 5]]


def test_a_model_is_saved_with_its_transform(tmp_path):
    columns = transforms.Columns([CITY, AGE])
    vae = VAE((4,), 2, network="mlp(hidden=(3,))", likelihood="normal", transform=columns)
    vae.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.transform == columns
    assert again.get_config() == vae.get_config()


def test_a_transform_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^`transform` makes examples of the model's event shape"):
        VAE((5,), 2, transform=transforms.Columns([CITY, AGE]))
    with pytest.raises(ValueError, match=r"^The standard deviation of a column is positive"):
        transforms.Columns([{**AGE, "stddev": 0.0}])
    with pytest.raises(ValueError, match=r"^A column is of one of the kinds"):
        transforms.Columns([{**AGE, "kind": "text"}])
