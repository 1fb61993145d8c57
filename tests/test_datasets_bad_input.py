"""What people really get wrong ends a program in one line: what is wrong, where, and the fix."""

import gzip
import os
import sys

import numpy as np
import pytest
import samples
from PIL import Image

from pipelines import cli, inspect, train

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


def _with(index, value):
    x = X.copy()
    x[index] = value
    return x


def _half(data):
    return data[: len(data) // 2]


@pytest.fixture
def place(place):
    arrays = {
        "good": X,
        "empty": X[:0],
        "one": X[:1],
        "nan": _with((3, 1), np.nan),
        "inf": _with((4, 1), np.inf),
        "constant": X * 0,
        "labels": np.arange(30),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    np.save("mixed.npy", np.array([X[0], X[1, :2]], object))
    np.savez_compressed("both.npz", x=X, y=np.arange(30))
    (place / "cut.npz").write_bytes(_half((place / "both.npz").read_bytes()))
    samples.write_table(place / "people.csv")
    (place / "same.csv").write_text("age,height\n" + "".join(f"30,{i}\n" for i in range(20)))
    (place / "cut.csv.gz").write_bytes(_half(gzip.compress((place / "people.csv").read_bytes())))
    for name in ("none", "labels", "cut", "closed", "bad", "sizes"):
        (place / name).mkdir()
    (place / "labels" / "train-labels-idx1-ubyte").write_bytes(samples.idx(np.zeros(9, np.uint8)))
    images = gzip.compress(samples.idx(samples.pictures(30)))
    (place / "cut" / "train-images-idx3-ubyte.gz").write_bytes(_half(images))
    for name, shape in (("train", (6, 5)), ("t10k", (5, 6))):
        data = samples.idx(samples.pictures(30, shape))
        (place / "sizes" / f"{name}-images-idx3-ubyte").write_bytes(data)
    Image.new("RGB", (9, 9)).save("bad/0.png")
    (place / "bad" / "1.png").write_bytes(b"no picture")
    return place


def _ended(program, monkeypatch, capsys, *arguments):
    """Returns the status with which a program ends, and what it says on standard error."""
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.run(program.main)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "status", "where", "fix"),
    [
        ("arrays(path='empty.npy')", 2, "empty.npy holds no example", "Point it at data"),
        ("images(path='none')", 2, "folder none holds no picture", "Point `path` at the folder"),
        ("arrays(path='one.npy')", 2, "one.npy has 1 example", "Set aside less, add examples"),
        ("arrays(path='mixed.npy')", 2, "mixed.npy holds Python objects", "numpy.stack(examples)"),
        ("idx(path='sizes')", 2, "t10k-images-idx3-ubyte has (5, 6, 1)", "Bring them to one form"),
        ("arrays(path='nan.npy')", 2, "nan.npy holds values that are NaN, infinite or beyond "
         "float32: example 3.", "Leave these examples out, or replace"),
        ("arrays(path='inf.npy')", 2, "beyond float32: example 4.", "numpy.nan_to_num(x)"),
        ("arrays(path='constant.npy')", 2, "constant.npy is constant", "Check that it is"),
        ("table(path='same.csv')", 2, "`age` of same.csv has the same value", "To leave it out"),
        ("arrays(path='labels.npy')", 2, "labels.npy has the shape (30,)", "Name the array of ex"),
        ("idx(path='labels')", 2, "labels holds labels only", "Rename the file of images"),
        ("arrays(path='cut.npz')", 2, "cut.npz is damaged", "Fetch it again"),
        ("table(path='cut.csv.gz')", 2, "cut.csv.gz is damaged", "Fetch it again"),
        ("idx(path='cut')", 1, "train-images-idx3-ubyte.gz is damaged", "Fetch it again"),
        ("images(path='bad', max_bad=0)", 2, "bad/1.png (its content is", "as in `max_bad=1`"),
        ("tfrecord(pattern='*.tfrecord', features={'x': 'uint8[6]'})", 1,
         "matches no file: '*.tfrecord' from", "Check it with `ls *.tfrecord`"),
        ("images(path='closed')", 1, "closed, which this user may not read", "`chmod u+rx "),
        ("arrays(path='both.npz', key='z')", 2, "which holds 'x', 'y'. Received 'z'", "`key`"),
        ("arrays(path='goood.npy')", 1, "goood.npy does not exist", "beside it: good.npy, "),
        ("table(path='people.csv', columns='z')", 2, "Received 'z'", "age, height, city, member"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_line_that_says_where_and_how_to_mend_it(
    spec, status, where, fix, place, monkeypatch, capsys
):
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path)[-6:] != "closed" and access(path, mode)
    )
    ended, said = _ended(inspect, monkeypatch, capsys, "--dataset", spec)
    assert ended == status, said
    assert said.startswith("python -m ")
    assert said.count("\n") == 1, said
    assert where in said
    assert fix in said
    assert not list(place.glob("*.png"))


def test_fewer_examples_than_a_batch_are_refused_before_training(place, monkeypatch, capsys):
    arguments = ("--dataset", "arrays(path='good.npy')", "--likelihood", "normal")
    status, said = _ended(train, monkeypatch, capsys, *arguments)
    assert status == 2
    assert said.endswith("of `arrays(path='good.npy', key=None, labels=None, condition=None, "
                         "scale=None, binarize='none', validation=0.1, test=None, seed=0, "
                         "map_file=None, missing='refuse')`. Choose `--batch-size 24` or less.\n"
                         )  # fmt: skip
    assert not (place / "runs").exists()
