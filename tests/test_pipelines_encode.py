"""`pipelines.encode`: every example of a split, in its order, in any kind of file."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from pipelines import bulk, encode
from pipelines.cli import UsageError
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.exporters import endpoints
from tfvae.exporters.base import write_saved_model

DATA = "synthetic(kind='moons', num=800)"

WITHOUT_TRAINING_CODE = """
import json, sys
from pipelines import encode
encode.main(sys.argv[1:])
# TensorFlow itself imports keras.
heavy = ("tf_keras", "tensorflow_probability", "tfvae.vae", "tfvae.engine")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


@pytest.fixture(scope="module")
def vae():
    shape = components.build(Dataset, DATA).event_shape
    return tfvae.VAE(shape, 3, network="mlp(hidden=(8,))", likelihood="normal")


@pytest.fixture(scope="module")
def exported(vae, tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    (root / "encoder").mkdir()
    write_saved_model(endpoints.endpoints(vae, "seed")["encoder"], root / "encoder" / "1")
    return root


@pytest.fixture(scope="module")
def expected(vae):
    dataset = components.build(Dataset, DATA)
    x = np.concatenate([x.numpy() for x in dataset.split("train", 64)])
    return dataset, vae.posterior(x)


def run(exported, output, *more):
    encode.main(
        [str(exported), "--dataset", DATA, "--split", "train", "--output", str(output), *more]
    )


def read(path):
    """Returns the columns of a table as arrays."""
    if path.suffix == ".npy":
        return {"mean": np.load(path)}
    if path.suffix == ".npz":
        return dict(np.load(path))
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        return {name: np.array(table[name].to_pylist(), "float32") for name in table.column_names}
    examples = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    features = [example.features.feature for example in examples]
    return {
        name: np.array([f[name].float_list.value or f[name].int64_list.value for f in features])
        for name in features[0]
    }


@pytest.mark.parametrize("suffix", bulk.SUFFIXES)
def test_every_example_is_encoded_in_order(exported, expected, tmp_path, suffix):
    dataset, posterior = expected
    path = tmp_path / "new" / f"codes{suffix}"
    run(exported, path)
    given = read(path)
    labels = dataset.labels("train")
    names = {"mean"} if suffix == ".npy" else {"mean", "stddev"}
    assert given.keys() - {"label"} == names
    for name in names:
        want = getattr(posterior, name)()
        np.testing.assert_allclose(given[name], want, rtol=1e-5, atol=1e-6)
    if suffix != ".npy" and labels is not None:
        np.testing.assert_array_equal(given["label"].ravel(), labels)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_stopped_run_gives_the_same_file(exported, tmp_path, monkeypatch):
    run(exported, tmp_path / "whole.npz")
    chunks = encode.encode

    def stop(*arguments):
        for number, chunk in enumerate(chunks(*arguments)):
            if number == 1:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr(encode, "encode", stop)
    with pytest.raises(KeyboardInterrupt, match=r"after 256 of \d+ examples"):
        run(exported, tmp_path / "codes.npz")
    seen = []

    def go_on(program, endpoint, rows, start, suffix):
        seen.append(start)
        return chunks(program, endpoint, rows, start, suffix)

    monkeypatch.setattr(encode, "encode", go_on)
    run(exported, tmp_path / "codes.npz")
    assert seen == [256]
    whole, codes = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("whole", "codes"))
    assert whole.keys() == codes.keys()
    assert all(np.array_equal(whole[name], codes[name]) for name in whole)


def test_encoding_loads_no_training_code(exported, tmp_path):
    arguments = [str(exported), "--dataset", DATA, "--output", str(tmp_path / "codes.npz")]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRAINING_CODE, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert "examples of test, encoded by" in lines[0]
    assert json.loads(lines[-1]) == []


def test_what_cannot_be_encoded_is_refused(exported, tmp_path):
    output = str(tmp_path / "codes.npz")
    for arguments, message in (
        (["--dataset", "synthetic(kind='spirals')"], "`kind` is one of 'linear_gaussian', "),
        (["--dataset", "mnist"], r"encodes rows of the shape \(2,\). .* have \(28, 28, 1\)"),
        (["--dataset", DATA, "--split", "all"], "has the splits train"),
        ([], "required: --dataset"),
    ):
        with pytest.raises(UsageError, match=message):
            encode.main([str(exported), "--output", output, *arguments])
    with pytest.raises(UsageError, match=r"a \.npy or a \.npz or a \.parquet or a \.tfrecord file"):
        encode.main([str(exported), "--dataset", DATA, "--output", "a.csv"])
    assert list(tmp_path.iterdir()) == []
