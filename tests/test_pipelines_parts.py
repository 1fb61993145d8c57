"""`--runner`: the parts that workers make are the rows that one process makes.

Apache Beam wants an older protobuf than tests are run with, so it is run in an environment of its
own, which is kept in the cache of pytest: Beam, NumPy and LiteRT, which is what a worker needs.
Elsewhere in this file a plain loop stands for the engine.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import types

import environments
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from pipelines import bulk, encode, generate, parts, steps
from pipelines.cli import Failure, UsageError
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.exporters import endpoints
from tfvae.exporters.base import write_saved_model

ROOT = pathlib.Path(__file__).parent.parent
BEAM = "2.77.0"
DATA = "synthetic(kind='moons', num=800)"
NUM = 2 * steps.CHUNK + 100
PARTS = ["--runner", "DirectRunner", "--num-parts", "3"]

PROGRAM = """
import importlib, importlib.util, json, sys
name, packages, commands = json.loads(sys.argv[1])
if name == "encode":
    sys.path.append(packages)  # data sets are read by TensorFlow
else:
    assert importlib.util.find_spec("tensorflow") is None
from pipelines import cli
for sys.argv[1:] in commands:
    try:
        cli.run(importlib.import_module(f"pipelines.{name}").main)
    except SystemExit as end:
        print("status", end.code)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An encoder as a SavedModel, and both parts as LiteRT files."""
    root = tmp_path_factory.mktemp("exported")
    shape = components.build(Dataset, DATA).event_shape
    vae = tfvae.VAE(shape, 3, network="mlp(hidden=(8,))", likelihood="normal")
    (root / "litert/1").mkdir(parents=True)
    for part, listed in endpoints.endpoints(vae, "eps").items():
        write_saved_model(listed, root / "saved" / part)
        names = [endpoint.name for endpoint in listed]
        converter = tf.lite.TFLiteConverter.from_saved_model(str(root / "saved" / part), names)
        (root / f"litert/1/{part}.tflite").write_bytes(converter.convert())
    return root


@pytest.fixture(scope="module")
def python(request):
    """The Python of an environment with Apache Beam, NumPy and LiteRT."""
    pins = [f"apache-beam=={BEAM}", *environments.pinned("numpy", "ai-edge-litert")]
    place = pathlib.Path(request.config.cache.mkdir("environment-of-beam"))
    made, environment = place / "made.json", place / "environment"
    holds = [sys.version, *pins]
    if not made.exists() or json.loads(made.read_text()) != holds:
        shutil.rmtree(environment, ignore_errors=True)
        environments.make(environment, *pins)
        made.write_text(json.dumps(holds))
    return environment / "bin" / "python"


def by_beam(python, name, *commands):
    """Runs commands of a program, one after the other, in a process that can import Beam."""
    request = json.dumps([name, sysconfig.get_path("purelib"), commands])
    return subprocess.run(
        [python, "-P", "-c", PROGRAM, request],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def read(folder):
    """Returns the columns of the parts of a table, one part after the other."""
    tables = [dict(np.load(path)) for path in sorted(folder.iterdir())]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def test_beam_draws_the_examples_of_one_process_without_tensorflow(python, exported, tmp_path):
    common = [str(exported), "--num", str(NUM), "--seed", "5"]
    generate.main([*common, "--output", str(tmp_path / "one.npz")])
    output = tmp_path / "new" / "many.npz"
    nobody = [*common, "--output", str(tmp_path / "a.npy"), "--runner", "Nobody"]
    wrong = [*nobody[:-1], "DirectRunner", "--runner-options", "--direct_num_workers many"]
    commands = nobody, wrong, [*common, "--output", str(output), *PARTS]
    result = by_beam(python, "generate", *commands)
    assert re.fullmatch(
        rf"status 2\nstatus 2\n{re.escape(str(output))}: {NUM} examples, mean of .*\nstatus 0\n",
        result.stdout,
    ), result.stderr
    assert "Unexpected pipeline runner: Nobody. Valid values are" in result.stderr
    assert "direct_num_workers: invalid int value: 'many'" in result.stderr
    assert "download" not in result.stderr.lower()
    assert {path.name for path in tmp_path.iterdir()} == {"one.npz", "new"}
    assert [path.name for path in output.parent.iterdir()] == ["many.npz"]
    assert len(list(output.iterdir())) == 3
    np.testing.assert_array_equal(read(output)["mean"], np.load(tmp_path / "one.npz")["mean"])


def test_beam_encodes_the_rows_of_one_process(python, exported, tmp_path):
    import pyarrow.parquet as pq

    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    encode.main(arguments(exported, one))
    result = by_beam(python, "encode", arguments(exported, many, *PARTS))
    assert result.stdout.endswith("status 0\n"), result.stderr
    assert len(list(many.iterdir())) == 3
    assert pq.read_table(many).equals(pq.read_table(one))


class Loop:
    """The engine: a loop, which works on a part after the other."""

    def pipeline(self, runner, flags):
        assert runner == "DirectRunner"

    def run(self, empty, step, table):
        opened = step.open()
        for number in table.missing():
            table.make(step, opened, number)


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(parts.importlib.util, "find_spec", lambda name: types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "pipelines.beam", engine := Loop())
    monkeypatch.setattr("pipelines.beam", engine, raising=False)


def arguments(exported, output, *more):
    """Returns the arguments that encode the training data."""
    return [str(exported), "--dataset", DATA, "--split", "train", "--output", str(output), *more]


@pytest.mark.usefixtures("loop")
def test_what_a_failed_pipeline_has_made_is_gone_on_with(exported, tmp_path, monkeypatch):
    output, made, write = tmp_path / "codes.npz", [], bulk.Table.write

    def fail(table, chunks):
        made.append(table._path.name)
        if len(made) == 2:
            raise Failure("no room")
        write(table, chunks)

    monkeypatch.setattr(bulk.Table, "write", fail)
    with pytest.raises(Failure, match="no room"):
        encode.main(arguments(exported, output, *PARTS))
    assert not output.exists()
    stored = steps.Stored.write
    monkeypatch.setattr(steps.Stored, "write", None)  # the rows are there already
    encode.main(arguments(exported, output, *PARTS))
    assert made == [f"part-0000{number}-of-00003.npz" for number in (0, 1, 1, 2)]
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]
    monkeypatch.setattr(steps.Stored, "write", stored)
    encode.main(arguments(exported, tmp_path / "one.npz"))
    columns, whole = read(output), np.load(tmp_path / "one.npz")
    assert {"mean", "stddev", "label"} == set(columns) == set(whole)
    assert all(np.array_equal(columns[name], whole[name]) for name in columns)


@pytest.mark.usefixtures("loop")
def test_parts_of_another_command_are_not_gone_on_with(exported, tmp_path, monkeypatch):
    command = [str(exported), "--num", str(NUM), "--output", str(tmp_path / "a.npy"), *PARTS]
    with monkeypatch.context() as patch:
        patch.setattr(
            Loop, "run", lambda self, empty, step, table: table.make(step, step.open(), 0)
        )
        with pytest.raises(
            Failure, match=r"2 of 3 parts are not in .*have to see the same folders"
        ):
            generate.main(command)
    generate.main([*command, "--seed", "1"])
    generate.main([*command[:3], "--output", str(tmp_path / "b.npy"), "--seed", "1"])
    drawn = np.concatenate([np.load(path) for path in sorted((tmp_path / "a.npy").iterdir())])
    np.testing.assert_array_equal(drawn, np.load(tmp_path / "b.npy"))


@pytest.mark.usefixtures("loop")
def test_a_folder_of_parts_is_replaced_on_request_and_no_other(exported, tmp_path):
    output = tmp_path / "new.npy"
    command = [str(exported), "--output", str(output), *PARTS[:2]]
    generate.main([*command, "--num", "3"])
    with pytest.raises(UsageError, match=r"which exists\. .* add `--overwrite`"):
        generate.main(command)
    generate.main([*command, "--num", "4", "--overwrite"])
    (part,) = output.iterdir()
    assert np.load(part).shape == (4, 2)
    (output / "thesis.txt").touch()
    with pytest.raises(UsageError, match="is a directory"):
        generate.main([*command, "--overwrite"])


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--num-parts", "3"], "Add `--runner DirectRunner`, or leave them out"),
        (["--runner", "DirectRunner", "--what", "x", "--format", "litert"], "`--what x` is not"),
        (["--runner", "DirectRunner", "--output", "a.png"], r"a \.npy or a \.npz or a"),
    ],
)
def test_what_no_pipeline_can_do_is_refused(exported, tmp_path, more, message):
    with pytest.raises(UsageError, match=message):
        generate.main([str(exported), "--output", str(tmp_path / "a.npy"), *more])
    assert list(tmp_path.iterdir()) == []


def test_beam_is_asked_for_where_it_is_missing(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(parts.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"Install it with `pip install 'tfvae\[beam\]'`"):
        generate.main([str(exported), "--output", str(tmp_path / "a.npy"), *PARTS])


@pytest.mark.parametrize(("num", "most"), [(1, None), (256, 1), (257, 2), (1000, 3), (2**31, None)])
def test_parts_hold_every_row_once(num, most):
    table = parts.cut(pathlib.Path("a.npz"), num, most)
    bounds = [table.bounds(number) for number in range(len(table))]
    assert (bounds[0][0], bounds[-1][1]) == (0, num)
    assert all(first[1] == second[0] for first, second in itertools.pairwise(bounds))
    assert all(start % steps.CHUNK == 0 < stop - start for start, stop in bounds)
    assert most is None or len(table) <= most
