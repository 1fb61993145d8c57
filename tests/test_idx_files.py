"""IDX files: read whole, or refused with their name and the reason."""

import gzip
import sys

import numpy as np
import pytest

from pipelines import cli, train
from tfvae.datasets import mnist
from tfvae.datasets.idx_files import DataFileError, read_idx

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def encode(array, code=8):
    shape = np.array(array.shape, ">i4").tobytes()
    return bytes([0, 0, code, array.ndim]) + shape + array.tobytes()


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_what_was_written_is_read(tmp_path, name):
    path = tmp_path / name
    data = encode(IMAGES)
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    np.testing.assert_array_equal(read_idx(path), IMAGES)


@pytest.mark.parametrize(("code", "dtype"), [(0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_numbers_of_several_bytes_come_in_the_order_of_the_machine(tmp_path, code, dtype):
    path = tmp_path / "numbers"
    path.write_bytes(encode(IMAGES.astype(dtype), code))
    array = read_idx(path)
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode(IMAGES)[:-1], "its header promises 24 bytes, it has 23"),
        (encode(IMAGES) + b"x", "its header promises 24 bytes, it has 25"),
        (encode(IMAGES)[:6], "it does not begin as an IDX file does"),
        (b"", "it does not begin as an IDX file does"),
        (b"PNG!" + encode(IMAGES), "it does not begin as an IDX file does"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, data, reason):
    path = tmp_path / "images"
    path.write_bytes(data)
    with pytest.raises(DataFileError) as error:
        read_idx(path)
    assert str(error.value).startswith(f"The data file {path} is damaged: {reason}. Fetch it again")


@pytest.mark.parametrize("cut", [5, 40, -4])
def test_a_truncated_archive_is_refused_by_name(tmp_path, cut):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(encode(IMAGES))[:cut])
    with pytest.raises(DataFileError, match="is damaged"):
        read_idx(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataFileError, match=r"nowhere\.gz is missing\. Put it back"):
        read_idx(tmp_path / "nowhere.gz")


def test_damaged_labels_are_found_when_the_data_set_is_built(tmp_path, monkeypatch):
    for files in mnist._FILES.values():
        for name in files:
            (tmp_path / name).write_bytes((mnist._FOLDER / name).read_bytes())
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-100])
    monkeypatch.setattr(mnist, "_FOLDER", tmp_path)
    with pytest.raises(DataFileError, match="t10k-labels"):
        mnist.MNIST()


def test_whole_files_that_are_not_mnists_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_FOLDER", tmp_path)
    shapes = {"train": (100, 28, 28), "test": (50, 28, 28)}
    for split, files in mnist._FILES.items():
        for name, shape in zip(files, (shapes[split], shapes[split][:1]), strict=True):
            (tmp_path / name).write_bytes(gzip.compress(encode(np.ones(shape, np.uint8))))
    message = (
        r"train-images-idx3-ubyte\.gz holds uint8 of shape \(60000, 28, 28\)\. That in .* holds "
        r"uint8 of shape \(100, 28, 28\)\. Install the package again; files of your own"
    )
    with pytest.raises(DataFileError, match=message):
        mnist.MNIST()


def test_training_on_a_damaged_file_is_one_message_and_status_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as ended:
        cli.run(train.main)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "is missing" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
