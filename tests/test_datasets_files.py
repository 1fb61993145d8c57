"""Sources in files: what they give, and what each says to bad input."""

import gzip
import os
import zipfile

import h5py
import numpy as np
import pytest
import samples
from sources import build, everything, refused, rows

from tfvae.datasets import array_files
from tfvae.datasets.idx_files import DataFileError
from tfvae.datasets.mapped import Mapped

# Arrays.


def test_each_kind_of_file_gives_the_same_examples(place):
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    np.save("x.npy", x)
    np.savez("one.npz", x=x)
    np.savez("columns.npz", x=np.asfortranarray(x))
    np.savez_compressed("two.npz", x=x, y=np.arange(30))
    with h5py.File("x.h5", "w") as file:
        file["a/x"] = x
        file.create_dataset("a/packed", data=x, compression="gzip")
    specs = [
        "arrays(path='x.npy')",
        "arrays(path='x.npy', map_file=True)",
        "arrays(path='one.npz')",
        "arrays(path='one.npz', map_file=True)",
        "arrays(path='columns.npz', map_file=True)",
        "arrays(path='two.npz', key='x', labels='y')",
        "arrays(path='x.h5', key='a/x')",
        "arrays(path='x.h5', key='a/x', map_file=True)",
        "arrays(path='x.h5', key='a/packed')",
    ]
    for spec in specs:
        assert rows(everything(build(spec))) == rows(x), spec
    assert len({build(spec).fingerprint() for spec in specs}) == 1


def test_a_large_array_of_an_archive_is_mapped(place, monkeypatch):
    np.savez("x.npz", x=samples.pictures(), y=np.arange(60))
    spec = "arrays(path='x.npz', key='x', labels='y')"
    expected = build(spec)
    monkeypatch.setattr(array_files.memory, "total", lambda: 4000)  # for 1800 bytes
    dataset = build(spec)
    assert isinstance(dataset._parts["train"].examples, Mapped)
    assert dataset.fingerprint() == expected.fingerprint()
    np.testing.assert_array_equal(dataset.labels("test"), expected.labels("test"))
    np.savez_compressed("x.npz", x=samples.pictures(), y=np.arange(60))
    message = refused(spec)
    assert (
        "The array x of x.npz is compressed in an archive, and too large for the memory." in message
    )


def test_a_mapped_array_is_shuffled_as_one_in_memory(place):
    np.save("x.npy", samples.pictures())
    batches = []
    for mapped in (False, True):
        dataset = build(f"arrays(path='x.npy', map_file={mapped})")
        batches.append(np.concatenate(list(dataset.training(7, seed=5).take(20))))
    np.testing.assert_array_equal(*batches)


def test_levels_become_fractions_exactly_and_that_is_said(place):
    x = samples.pictures()
    np.save("x.npy", x)
    dataset = build("arrays(path='x.npy')")
    assert dataset.event_shape == (6, 5, 1)
    assert rows(everything(dataset)) == rows(x[..., None].astype(np.float32) / np.float32(255))
    assert dataset.notes == (
        "The array x.npy: uint8 values were divided by 255.",
        "The array x.npy: rank 3 was read as grey images, (6, 5, 1) each.",
    )


@pytest.mark.parametrize(
    ("dtype", "options", "factor", "note"),
    [
        ("uint16", "", 65535, "uint16 values were divided by 65535"),
        ("int32", "", 1, "int32 values were cast to float32"),
        ("float64", "", 1, "float64 values were cast to float32"),
        ("bool", "", 1, "bool values were cast to float32"),
        ("uint8", ", scale=1", 1, "uint8 values were cast to float32"),
        ("float32", ", scale=4", 4, "float32 values were divided by 4"),
        ("float32", "", 1, None),
    ],
)
def test_what_becomes_of_a_dtype_is_said(dtype, options, factor, note, place):
    x = np.random.default_rng(0).integers(0, 2, (40, 8)).astype(dtype)
    x[0, 0] = 1
    np.save("x.npy", x)
    dataset = build(f"arrays(path='x.npy'{options})")
    values = everything(dataset)
    assert set(np.unique(values)) == {np.float32(0), np.float32(1) / np.float32(factor)}
    copies = [n for n in dataset.notes if "copies" not in n]
    assert copies == ([f"The array x.npy: {note}."] if note else [])


def test_labels_stay_with_their_examples(place):
    x = np.arange(40, dtype=np.float32)[:, None] * [1, -1]
    np.savez("x.npz", x=x, y=np.arange(40))
    np.save("y.npy", np.arange(40))
    for labels in ("y", "y.npy"):
        dataset = build(f"arrays(path='x.npz', key='x', labels={labels!r})")
        for split in dataset.splits:
            np.testing.assert_array_equal(
                dataset.labels(split), np.concatenate(list(dataset.split(split, 9)))[:, 0]
            )


def test_copies_are_counted_and_kept_in_one_split(place):
    x = np.repeat(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), 2, axis=0)
    np.save("x.npy", x)
    dataset = build("arrays(path='x.npy', validation=0.2)")
    assert dataset.notes == (
        "The array x.npy: 20 of 40 examples are copies; equal ones stay in one split.",
    )
    copies = dataset.num_copies()
    assert sum(n for key, n in copies.items() if isinstance(key, str)) == 20
    assert all(n == 0 for key, n in copies.items() if isinstance(key, tuple))


def test_missing_values_of_an_array_stay_missing(place):
    x = np.random.default_rng(0).uniform(size=(40, 3)).astype(np.float32)
    x[::4, 1] = np.nan
    np.save("x.npy", x)
    assert "NaN as missing with `missing='mask'`" in refused("arrays(path='x.npy')")
    for options in ("", ", map_file=True"):
        dataset = build(f"arrays(path='x.npy', missing='mask'{options})")
        assert dataset.masks_missing
        assert rows(everything(dataset)) == rows(x)
        assert dataset.value_range() == (np.nanmin(x), np.nanmax(x))
        assert "The array x.npy: 10 values are missing and left out by the likelihood." in (
            dataset.notes
        )
    for mode in ("threshold", "dynamic"):  # `static` is among the laws
        dataset = build(f"arrays(path='x.npy', missing='mask', binarize={mode!r}, test=0)")
        batch = next(iter(dataset.training(36))).numpy()
        assert set(np.unique(batch[~np.isnan(batch)])) == {0, 1}
        assert np.isnan(batch).any()
    x[3] = np.nan
    np.save("x.npy", x)
    message = refused("arrays(path='x.npy', missing='mask')")
    assert "has examples without any value: example 3. Leave them out." in message
    x[3] = np.inf
    np.save("x.npy", x)
    assert "infinite" in refused("arrays(path='x.npy', missing='mask')")


def test_elements_that_never_vary_are_named(place):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    x[:, 1] = 7
    np.save("x.npy", x)
    for options in ("", ", map_file=True"):
        (note,) = build(f"arrays(path='x.npy'{options})").notes
        assert note.startswith("The array x.npy: 1 of 3 elements never vary (1): leave them out")


BAD = np.zeros([20, 3], np.float32)
BAD[:, 0] = np.arange(20)


def _with(index, value):
    x = BAD.copy()
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros([0, 3], np.float32), "The array x.npy holds no example. Point it at data"),
        (BAD[:1], "has 1 example, and 1 for test and 1 for validation would leave none"),
        (BAD[:, :0], "has the shape (20, 0): its examples are empty"),
        (np.arange(20), "one number an example, which are labels rather than examples"),
        (_with((7, 1), np.nan), "NaN, infinite or beyond float32: example 7. Leave these"),
        (
            _with(slice(3, 12), np.inf),
            "example 3, example 4, example 5, example 6, example 7 and 4 m",
        ),
        (_with((4, 1), 0).astype(np.float64) * 1e300, "beyond float32: example 1, example 2"),
        (np.full([20, 3], 2.5, np.float32), "is constant: every value is 2.5"),
        (BAD.astype(complex), "holds values of type complex128"),
        (BAD.astype(str), "holds text, and examples are numbers of one shape"),
        (
            BAD.astype(np.int64) * 2**30,
            "whole numbers up to 20,401,094,656, and float32 holds them",
        ),
        (np.array([np.zeros(2), np.zeros(3)], object), "Python objects, perhaps examples of mixed"),
    ],
)
def test_arrays_that_nothing_can_be_learnt_from_are_refused(array, message, place):
    np.save("x.npy", array)
    assert message in refused("arrays(path='x.npy')")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("arrays(path='x.npz')", "x.npz holds 'x', 'y', and `key` names the one to learn."),
        ("arrays(path='x.npz', key='z')", "which holds 'x', 'y'. Received 'z'."),
        ("arrays(path='x.npz', key='y')", "labels rather than examples"),
        ("arrays(path='x.npz', key='x', labels='w')", "which holds 'x', 'y'. Received 'w'."),
        ("arrays(path='x.npz', key='x', labels='x')", "`labels` names an array of ints"),
        ("arrays(path='x.npy', key='x')", "A .npy file holds one array, without a name."),
        ("arrays(path='x.csv')", "`arrays` reads .npy, .npz, .h5 and .hdf5 files. Received x.csv"),
        ("arrays(path='packed.npz', map_file=True)", "`map_file=True` needs an array that"),
        ("arrays(path='x.npy', map_file='yes')", "`map_file` is True, False or None. Received 'y"),
        ("arrays(path='x.npz', key=['x'])", "which holds 'x', 'y'. Received ['x']."),
        ("arrays(path='objects.npz', map_file=True)", "holds Python objects, perhaps examples of"),
        ("arrays(path='x.npy', scale=0)", "`scale` is what values are divided by"),
        ("arrays(path='x.npy', binarize='dynamic')", "values from 0 to 19. Divide them first, as"),
        ("arrays(path='x.npy', binarize='maybe')", "`binarize` is one of 'none', 'threshold'"),
        ("arrays(path='no.npz')", "The data file no.npz is damaged: it is no archive."),
        ("arrays(path='text.npz')", "text.npz is an archive, but 'x.txt' in it is no array."),
        ("arrays(path='cut.npz')", "The data file cut.npz is damaged: "),
        ("arrays(path='cut.npy')", "The data file cut.npy is damaged: "),
        ("arrays(path='cut.h5')", "The data file cut.h5 is damaged: "),
        ("arrays(path='tree.h5', key='a')", "The data file tree.h5 is damaged: Object visitation"),
        ("arrays(path='head.npy')", "The data file head.npy is damaged: "),
        ("arrays(path='x.h5', key='y')", "which holds 'a', 'b', 'none', 'texts'. Received 'y'."),
        ("arrays(path='x.h5', key='texts')", "The array 'texts' of x.h5 holds Python objects"),
        ("arrays(path='x.h5', key='none')", "The array 'none' of x.h5 holds no example."),
        ("arrays(path=3)", "`path` is the path of a file, as text. Received 3."),
    ],
)
def test_bad_files_and_keys_are_refused(spec, message, place):
    np.save("x.npy", BAD)
    np.savez("x.npz", x=BAD, y=np.arange(20))
    np.savez_compressed("packed.npz", x=BAD)
    np.savez("objects.npz", x=np.array([BAD, None], object))
    (place / "x.csv").touch()
    (place / "no.npz").write_bytes(b"no archive")
    with zipfile.ZipFile("text.npz", "w") as archive:
        archive.writestr("x.txt", "no array")
    with h5py.File("x.h5", "w") as file:
        file["a"], file["b"] = BAD, BAD
        file["texts"], file["none"] = ["a", "b"], BAD[:0]
    data = (place / "x.h5").read_bytes()
    (place / "tree.h5").write_bytes(data.replace(b"SNOD", b"NODS"))
    data = (place / "x.npy").read_bytes()
    (place / "head.npy").write_bytes(data.replace(b"}", b"{"))  # no end of what it opens
    for name in ("x.npy", "x.npz", "x.h5"):
        data = (place / name).read_bytes()
        (place / name.replace("x.", "cut.")).write_bytes(data[: len(data) // 2])
    assert message in refused(spec)


def test_missing_files_are_named_with_what_lies_beside_them(place):
    np.save("x.npy", BAD)
    message = refused("arrays(path='y.npy')", FileNotFoundError)
    assert message == "`path` is the path of a file. y.npy does not exist; beside it: x.npy."
    assert "is no folder" in refused("idx(path='x.npy')", FileNotFoundError)


def test_a_file_without_permission_is_named(place, monkeypatch):
    np.save("x.npy", BAD)
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(
        os, "access", lambda path, mode: path.name != "x.npy" and access(path, mode)
    )
    message = refused("arrays(path='x.npy')", PermissionError)
    assert "x.npy, which this user may not read. Change its permissions with `chmod u+r " in message


def test_a_closed_folder_is_named_where_a_pattern_leads_into_it(place, monkeypatch):
    (place / "closed").mkdir()
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(
        os, "access", lambda path, mode: path.name != "closed" and access(path, mode)
    )
    message = refused("tfrecord(pattern='closed/x-*', features={'x': 'uint8[1]'})", PermissionError)
    assert message.startswith("`pattern` leads to ")
    assert (
        "closed, which this user may not read. Change its permissions with `chmod u+rx " in message
    )


# IDX.


def _write_idx(place, name, array):
    (place / name).write_bytes(samples.idx(array))


def test_idx_files_keep_their_test_split(place):
    _write_idx(place, "train-images-idx3-ubyte", samples.pictures(40))
    _write_idx(place, "test-images-idx3-ubyte", samples.pictures(60)[40:])
    dataset = build("idx(path='.', validation=8)")
    assert [dataset.num_examples(s) for s in dataset.splits] == [32, 8, 20]
    expected = samples.pictures(60)[40:, ..., None].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(np.concatenate(list(dataset.split("test", 7))), expected)


def test_examples_that_are_in_the_test_split_too_are_counted(place):
    _write_idx(place, "train-images-idx3-ubyte", samples.pictures(40))
    _write_idx(place, "test-images-idx3-ubyte", samples.pictures(45)[35:])
    assert "test-images-idx3-ubyte: 5 examples are in the train split" in "\n".join(
        build("idx(path='.')").notes
    )


def test_whole_numbers_of_32_bits_are_read_and_said_to_be_cast(place):
    images = samples.pictures(30).astype(np.int32) * 500
    head = bytes([0, 0, 0x0C, 3]) + np.array(images.shape, ">i4").tobytes()
    (place / "train-images-idx3-int").write_bytes(head + images.astype(">i4").tobytes())
    head = bytes([0, 0, 0x0C, 1]) + np.array([30], ">i4").tobytes()
    (place / "train-labels-idx1-int").write_bytes(head + np.arange(30, dtype=">i4").tobytes())
    dataset = build("idx(path='.')")
    assert rows(everything(dataset)) == rows(images[..., None])
    assert dataset.notes == ("train-images-idx3-int: int32 values were cast to float32.",)
    assert sorted(np.concatenate([dataset.labels(s) for s in dataset.splits])) == list(range(30))
    head = bytes([0, 0, 0x0D, 1]) + np.array([30], ">i4").tobytes()
    (place / "train-labels-idx1-int").write_bytes(head + np.arange(30, dtype=">f4").tobytes())
    assert "Labels are whole numbers" in refused("idx(path='.')")


def test_idx_folders_that_can_t_be_read_are_refused(place, monkeypatch):
    assert "holds nothing" in refused("idx(path='.')")
    _write_idx(place, "train-labels-idx1-ubyte", np.zeros(4, np.uint8))
    assert "holds labels only. Rename the file of images so" in refused("idx(path='.')")
    _write_idx(place, "train-images-idx3-ubyte", samples.pictures(30))
    assert "has 30 examples, and its labels have the shape (4,)" in refused("idx(path='.')")
    (place / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no")[:-4])
    assert "holds one file of each kind" in refused("idx(path='.')")
    (place / "train-images-idx3-ubyte").unlink()
    with monkeypatch.context() as patch:
        access = os.access  # root may everything, so the answer is made up
        patch.setattr(os, "access", lambda path, mode: path.suffix != ".gz" and access(path, mode))
        assert "ubyte.gz, which this user may not read" in refused("idx(path='.')", PermissionError)
    assert "train-images-idx3-ubyte.gz is damaged" in refused("idx(path='.')", DataFileError)
    assert "`emnist-train-images-idx3-ubyte`" in refused("idx(path='.', prefix='emnist-')")
