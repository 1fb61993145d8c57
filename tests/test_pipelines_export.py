"""`pipelines.export` and `pipelines.generate`, as their users meet them."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

import tfvae
from pipelines import bulk, cli, export, exports, generate
from pipelines.cli import Failure, UsageError
from tfvae.conditions.vector import Vector
from tfvae.datasets.conditioned import Conditioned
from tfvae.exporters import publication
from tfvae.exporters.base import ExportError

EVALUATION = {
    "elbo": -12.5,
    "elbo_standard_error": 0.25,
    "protocol": {
        "dataset": "mnist(binarize='dynamic')",
        "fingerprint": "abc",
        "split": "test",
        "num_examples": 10,
        "num_samples": 0,
    },
}

GENERATE_WITHOUT_TENSORFLOW = """
import sys
from pipelines import generate
generate.main(sys.argv[1:])
heavy = {"tensorflow", "keras", "tensorflow_probability", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


def run(*arguments, folder):
    """Runs a program as a user does."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"},
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a run, and with what the export program made and said of it."""
    folder = tmp_path_factory.mktemp("workplace")
    directory = folder / "runs" / "mnist-1"
    directory.mkdir(parents=True)
    vae = tfvae.VAE((6, 5, 1), 3, network="mlp(hidden=(8,))")
    vae.save(directory / "model.keras")
    options = {"dataset": "mnist(binarize='dynamic')", "latent_size": 3}
    (directory / "options.json").write_text(json.dumps(options))
    (directory / "evaluation.json").write_text(json.dumps({"evaluations": [EVALUATION]}))
    return folder, run("-m", "pipelines.export", "runs/mnist-1", folder=folder)


@pytest.fixture(scope="module")
def exported(workplace):
    return workplace[0] / "exported" / "mnist"


def test_a_run_is_exported_under_the_name_of_its_data_set(workplace, exported):
    _, result = workplace
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Published version 1 of exported/mnist; every signature agrees")
    paths = ("encoder/1", "decoder/1", "litert/1/encoder.tflite", "litert/1/decoder.tflite")
    for line, path in zip(lines[1:5], paths, strict=True):
        assert line.split()[0] == f"exported/mnist/{path}"
        assert line.endswith(" MB")
        assert (exported / path).exists()
    assert lines[5] == "Manifest, model card and golden requests: exported/mnist/releases/1"
    assert lines[6] == ("Try it: python -m pipelines.generate exported/mnist --output samples.png")


def test_the_release_says_where_the_model_comes_from(exported):
    content = json.loads((exported / "releases/1/manifest.json").read_text())
    assert content["dataset"] == {"spec": "mnist(binarize='dynamic')", "fingerprint": "abc"}
    assert content["options"]["latent_size"] == 3
    assert content["evaluations"][-1]["elbo"] == -12.5
    card = (exported / "releases/1/model_card.md").read_text()
    assert "| elbo | -12.50 ± 0.25 | test, 10 examples | `mnist(binarize='dynamic')` |" in card
    with Image.open(exported / "releases/1/samples.png") as picture:
        assert picture.width > 8 * 5
    assert "releases/1/samples.png" in content["files"]
    assert "](samples.png)" in card
    assert (exported / "serving/models.config").is_file()


def test_a_gate_that_refuses_is_a_failure_with_the_reasons_in_a_manifest(workplace, tmp_path):
    folder, _ = workplace
    run_directory = str(folder / "runs/mnist-1")
    with pytest.raises(
        Failure,
        match=r"Nothing has been exported .* is -12\.5000 nats on test\. Required: elbo >= -3",
    ):
        export.main([run_directory, "--output", str(tmp_path), "--require", "elbo >= -3"])
    content = json.loads((tmp_path / "releases/refused/manifest.json").read_text())
    assert (content["published"], content["version"]) == (False, None)
    assert [gate["passed"] for gate in content["gates"]] == [False]
    assert content["evaluations"][-1]["elbo"] == -12.5
    assert [path.name for path in tmp_path.iterdir()] == ["releases"]


def test_a_model_that_is_worse_than_the_last_is_refused(workplace, tmp_path):
    folder, _ = workplace
    last = {"version": 4, "evaluations": [{**EVALUATION, "elbo": -11.0}]}
    (tmp_path / "releases" / "4").mkdir(parents=True)
    (tmp_path / "releases" / "4" / "manifest.json").write_text(json.dumps(last))
    arguments = [str(folder / "runs/mnist-1"), "--output", str(tmp_path), "--max-regression", "1.4"]
    with pytest.raises(Failure, match=r"1\.5000 below the -11\.0000 of version 4"):
        export.main(arguments)
    with pytest.raises(UsageError, match=r"A requirement is one of elbo"):
        export.main([*arguments, "--require", "elbo"])


@pytest.mark.parametrize(
    ("event_shape", "output"),
    [((8, 8, 1), "samples.png"), ((8, 8), "samples.png"), ((7,), "samples.npy"),
     ((8, 8, 2), "samples.npy")],
)  # fmt: skip
def test_a_picture_is_suggested_where_the_examples_are_images(event_shape, output, tmp_path):
    made = publication.Publication(tmp_path, 1, {("litert", "decoder"): tmp_path})
    assert export.report(made, event_shape).endswith(f"--output {output}")


def test_generating_from_litert_takes_no_tensorflow(workplace, exported):
    folder, _ = workplace
    arguments = (exported, "--num", 5, "--seed", 3, "--output", "new/folder/codes.npy")
    result = run("-c", GENERATE_WITHOUT_TENSORFLOW, *arguments, folder=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert "litert/1/decoder.tflite" in result.stdout
    examples = np.load(folder / "new/folder/codes.npy")
    assert (examples.shape, examples.dtype) == ((5, 6, 5, 1), np.float32)
    assert examples.min() >= 0
    assert examples.max() <= 1


def test_a_draw_of_x_comes_from_the_saved_model(workplace, exported):
    folder, _ = workplace
    arguments = ("-m", "pipelines.generate", exported, "--what", "x", "--num", 4)
    result = run(*arguments, "--output", "x.npy", folder=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert "x of" in result.stdout
    assert "decoder/1" in result.stdout
    examples = np.load(folder / "x.npy")
    assert examples.shape == (4, 6, 5, 1)
    assert set(np.unique(examples)) == {0.0, 1.0}


@pytest.mark.parametrize("format_name", ["litert", "saved_model"])
def test_example_i_depends_on_the_seed_and_on_i_alone(exported, tmp_path, format_name, capsys):
    def examples(num, seed):
        path = tmp_path / f"{num}-{seed}.npy"
        common = ["--format", format_name, "--output", str(path)]
        generate.main([str(exported), "--num", str(num), "--seed", str(seed), *common])
        return np.load(path)

    many = examples(generate.CHUNK + 3, 1)
    np.testing.assert_allclose(examples(3, 1), many[:3], rtol=1e-6)
    assert np.abs(examples(4, 2) - many[:4]).max() > 1e-3
    assert np.abs(many[0] - many[generate.CHUNK]).max() > 1e-3
    assert str(tmp_path) in capsys.readouterr().out


def test_a_picture_shows_the_examples_in_a_grid(exported, tmp_path):
    path = tmp_path / "samples.png"
    generate.main([str(exported / "litert/1/decoder.tflite"), "--num", "9", "--output", str(path)])
    with Image.open(path) as picture:
        assert picture.mode == "L"
        width, height = picture.size
        assert width > 3 * 5
        assert height > 3 * 6


def test_the_newest_version_is_taken_unless_one_is_named(exported, tmp_path, capsys):
    root = tmp_path / "model"
    shutil.copytree(exported / "litert" / "1", root / "litert" / "2")
    shutil.copytree(exported / "litert" / "1", root / "litert" / "10")
    for number, arguments in enumerate(([], ["--version", "2"])):
        output = tmp_path / f"{number}.npy"
        generate.main([str(root), "--num", "1", "--output", str(output), *arguments])
    lines = capsys.readouterr().out.splitlines()
    assert "litert/10/" in lines[0]
    assert "litert/2/" in lines[1]


def test_an_existing_file_is_kept_unless_it_may_be_overwritten(exported, tmp_path):
    path = tmp_path / "samples.npy"
    path.write_text("mine")
    with pytest.raises(
        UsageError, match=r"which exists\. Choose another name, or add `--overwrite`"
    ):
        generate.main([str(exported), "--output", str(path)])
    assert path.read_text() == "mine"
    generate.main([str(exported), "--output", str(path), "--overwrite", "--num", "2"])
    assert len(np.load(path)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["samples.npy"]


def usage_errors(exported):
    """Yields arguments of `generate` that can't be carried out, and what is said of them."""
    encoder = exported / "litert/1/encoder.tflite"
    decoder = exported / "litert/1/decoder.tflite"
    yield ["nowhere"], r"nowhere does not exist\. Publish a run with `python -m pipelines.export"
    yield [str(exported / "litert")], r"holds no published decoder\. Publish"
    yield [str(encoder)], r"calls the signature `generate`.* has encode, reparameterize"
    yield [str(pathlib.Path(__file__))], r"or a \.tflite file\. Received .*\.py"
    yield [str(decoder), "--format", "saved_model"], r"decoder\.tflite as saved_model"
    yield [str(decoder), "--version", "1"], "`--version` chooses in a directory"
    yield [str(decoder), "--what", "x"], r"not among the outputs of .*: mean\. .*--format saved_"
    yield [str(exported), "--version", "9"], "Received 9; .* has 1. Leave it out for the newest"
    yield [str(exported), "--num", "0"], r"a whole number above 0 \(below 2\*\*31\), received '0'"
    yield [str(exported), "--seed", "-1"], "a whole number from 0 to 2147483647, received '-1'"
    yield [str(exported), "--format", "onnx"], "invalid choice: 'onnx'"
    yield [str(exported), "--output", "a.jpg"], r"`--output a\.png`"
    yield [str(exported), "--output", ""], "Argument --output: expected a value, received ''"
    yield [str(exported), "--output", "."], r"is a directory\. Write `--output picture\.png`"
    yield [str(exported), "--output", f"{'a' * 250}.npy"], "a name of 254 bytes, and there is room"
    yield ["n" * 300], r"n does not exist\. Publish a run"
    yield [str(exported), "--output", f"{__file__}/a.png"], "is a file, not a directory"
    yield [str(exported), "--outptu", "a.png"], "nrecognized arguments: --outptu"
    yield [], "required: EXPORTED"


def test_a_command_that_cannot_be_carried_out_is_refused(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in usage_errors(exported):
        with pytest.raises(UsageError, match=message):
            generate.main(arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_no_image_is_refused(tmp_path):
    chunks = iter([np.zeros([2, 16], np.float32)])
    with pytest.raises(UsageError, match=r"have the shape \(16,\).*`--output samples.npy`"):
        generate._write_png(chunks, tmp_path / "new" / "a.png", 2)
    assert list(tmp_path.iterdir()) == []


DECODER = pathlib.Path(__file__)  # any file that is there: the decoders below are not read from it


class Endless:
    """A decoder that counts what it is asked for, and gives its noise back."""

    num_calls = 0

    def inputs(self, endpoint):
        del endpoint
        return {"eps": (None, 28, 28), "seed": (None, 2)}

    def run(self, endpoint, rows):
        del endpoint
        assert all(len(array) <= generate.CHUNK for array in rows.values())
        self.num_calls += 1
        assert self.num_calls < 10
        return {"mean": rows["eps"], "seeds": rows["seed"]}


def test_a_picture_of_more_than_fits_is_refused_after_one_chunk(tmp_path):
    program, num = Endless(), 10**12
    examples = generate.generate(program, "decoder", num, seed=0)
    message = r"at most \d{5} examples of 28 x 28 pixels\. Received `--num 1000000"
    with pytest.raises(UsageError, match=message):
        generate._write_png(examples, tmp_path / "a.png", num)
    assert program.num_calls == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a.npy"])
def test_a_decoder_that_answers_nan_is_a_damaged_export(tmp_path, name, monkeypatch):
    class Damaged(Endless):
        def run(self, endpoint, rows):
            means = np.array(super().run(endpoint, rows)["mean"])
            means[1, 2, 3:5] = np.nan, np.inf
            return {"mean": means}

    (tmp_path / "decoder.tflite").touch()
    monkeypatch.setattr(exports, "open_part", lambda *_, **__: (Damaged(), "generate"))
    arguments = [str(tmp_path / "decoder.tflite"), "--num", "4", "--output", str(tmp_path / name)]
    with pytest.raises(Failure, match=r"tflite is a damaged export: 2 of 3,136 values of its out"):
        generate.main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["decoder.tflite"]


def test_an_array_that_no_disk_can_hold_is_refused_after_one_chunk(tmp_path):
    program, num = Endless(), 10**12
    given = argparse.Namespace(num=num, seed=0, what="mean")
    message = r"would take 3,136,000\.0 GB, and .* GB are free\. Write fewer, or choose"
    with pytest.raises(Failure, match=message):
        generate._write_table(program, DECODER, tmp_path / "a.npy", given)
    assert program.num_calls == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["mean", "seeds"])
def test_the_noise_of_each_chunk_is_a_stream_of_its_own(tmp_path, what):
    num = 2 * generate.CHUNK + 3
    given = argparse.Namespace(num=num, seed=5, what=what)
    generate._write_table(Endless(), DECODER, tmp_path / "a.npy", given)
    draw = {
        "mean": lambda rng, n: rng.standard_normal((n, 28, 28), dtype=np.float32),
        "seeds": lambda rng, n: rng.integers(-(2**31), 2**31, (n, 2), dtype=np.int32),
    }
    np.save(tmp_path / "whole.npy", drawn(num, draw[what]))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def drawn(num, draw):
    """Returns the noise of `num` rows: the counter of a chunk's stream begins with its number."""
    sizes = [min(generate.CHUNK, num - start) for start in range(0, num, generate.CHUNK)]
    streams = [np.random.Philox(5, counter=[0, 0, 0, chunk]) for chunk in range(len(sizes))]
    pairs = zip(streams, sizes, strict=True)
    return np.concatenate([draw(np.random.Generator(stream), n) for stream, n in pairs])


class Stopped(Endless):
    """A decoder that is interrupted in its third call."""

    def run(self, endpoint, rows):
        if self.num_calls == 2:
            raise KeyboardInterrupt
        return super().run(endpoint, rows)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    num = 3 * generate.CHUNK + 3
    given = argparse.Namespace(num=num, seed=5, what="mean")
    path = tmp_path / "a.npz"
    with pytest.raises(
        KeyboardInterrupt, match=r"after 512 of 771 examples\. The same command goes"
    ):
        generate._write_table(Stopped(), DECODER, path, given)
    assert not path.exists()
    with (tmp_path / ".a.npz.partial" / "mean.npy").open("ab") as file:
        file.write(b"half a row")
    rest = Endless()
    generate._write_table(rest, DECODER, path, given)
    assert rest.num_calls == 2
    expected = drawn(num, lambda rng, n: rng.standard_normal((n, 28, 28), dtype=np.float32))
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["mean"], expected)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_rows_that_are_all_there_are_not_made_again(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    given = argparse.Namespace(num=2 * generate.CHUNK, seed=5, what="mean")
    path = tmp_path / "a.npz"
    with monkeypatch.context() as patch:
        patch.setitem(bulk._WRITERS, ".npz", interrupt)
        with pytest.raises(KeyboardInterrupt, match="after 512 of 512 examples"):
            generate._write_table(Endless(), DECODER, path, given)
    program = Endless()
    generate._write_table(program, DECODER, path, given)
    assert program.num_calls == 0
    assert np.load(path)["mean"].shape == (512, 28, 28)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_what_another_command_left_is_not_gone_on_with(tmp_path):
    num = 3 * generate.CHUNK
    path = tmp_path / "a.npz"
    given = argparse.Namespace(num=num, seed=5, what="mean")
    with pytest.raises(KeyboardInterrupt):
        generate._write_table(Stopped(), DECODER, path, given)
    other = argparse.Namespace(num=num, seed=6, what="mean")
    program = Endless()
    generate._write_table(program, DECODER, path, other)
    assert program.num_calls == 3


def test_a_damaged_export_is_a_failure_with_one_message(exported, tmp_path):
    damaged = tmp_path / "model" / "litert" / "1"
    damaged.mkdir(parents=True)
    whole = (exported / "litert/1/decoder.tflite").read_bytes()
    (damaged / "decoder.tflite").write_bytes(whole[: len(whole) // 2])
    result = run("-m", "pipelines.generate", "model", folder=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(
        "python -m pipelines.generate: model/litert/1/decoder.tflite is damaged, or not of the "
    )
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "samples.png").exists()


def test_a_damaged_saved_model_is_a_failure(exported, tmp_path):
    shutil.copytree(exported / "decoder", tmp_path / "decoder")
    for name in ("variables/variables.data-00000-of-00001", "saved_model.pb"):
        (tmp_path / "decoder" / "1" / name).write_bytes(b"nothing")
        with pytest.raises(Failure, match="decoder/1 is damaged, or not of the format saved_model"):
            generate.main([str(tmp_path), "--output", str(tmp_path / "a.png")])


def test_an_export_that_fails_its_proof_is_a_failure(workplace, tmp_path, monkeypatch):
    folder, _ = workplace

    def refuse(*arguments, **conditions):
        raise ExportError("Signature `generate` of the decoder (litert), batch 1: it fails.")

    monkeypatch.setattr(publication, "export", refuse)
    with pytest.raises(Failure, match=r"Nothing has been exported to .* Signature `generate` of"):
        export.main([str(folder / "runs/mnist-1"), "--output", str(tmp_path)])


def test_export_refuses_what_it_cannot_do_before_it_loads_tensorflow(workplace, tmp_path):
    folder, _ = workplace
    run_directory = str(folder / "runs/mnist-1")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "options.json").write_text("{}")
    for arguments, message in (
        ([str(tmp_path / "nowhere")], "nowhere does not exist"),
        ([str(unfinished)], "has not finished: it holds no model.keras"),
        ([run_directory, "--format", "onnx"], "`onnx` is not one of the exporters"),
        ([run_directory, "--format", "litert(bits=8)"], "`litert` has no option `bits`"),
        ([run_directory, "--output", __file__], "is a file"),
        ([run_directory, "--output", f"{__file__}/x"], "is a file, not a directory"),
    ):
        with pytest.raises(UsageError, match=message):
            export.main(arguments)


def test_formats_are_calibrated_on_rows_of_the_whole_training_split():
    x = np.repeat(np.arange(2000, dtype=np.float32)[:, None], 2, axis=1)  # sorted, as files may be
    data = tfvae.FromPython(x, conditions=-x[:, :1])
    for dataset in (data, Conditioned(data, Vector())):
        run = types.SimpleNamespace(dataset=lambda found=dataset: found)
        assert export._examples(run, ("litert",)) == {}
        given = export._examples(run, ("litert", "litert(variants='int8')"))
        rows, known = given["examples"], given["conditions"]
        assert (rows.shape, rows.dtype) == ((256, 2), np.float32)
        assert rows.min() < 100
        assert rows.max() > 1900
        if dataset is not data:
            np.testing.assert_array_equal(known[:, 0], -rows[:, 0])


@pytest.mark.parametrize("folder", ["encoder", "decoder", "litert"])
def test_a_part_that_has_no_place_is_refused_before_the_work(tmp_path, folder, monkeypatch):
    formats = ("litert",) if folder == "litert" else ("saved_model",)
    others = tuple({"litert", "saved_model"} - set(formats))
    (tmp_path / folder).mkdir()
    export.check_directory(tmp_path, "--export")
    access = os.access  # root may write anywhere
    monkeypatch.setattr(
        cli.os, "access", lambda path, mode: path.name != folder and access(path, mode)
    )
    with pytest.raises(UsageError, match=f"{folder} can't be written by this user"):
        export.check_directory(tmp_path, "--export")
    export.check_directory(tmp_path, "--export", others)
    monkeypatch.undo()
    (tmp_path / folder).rmdir()
    (tmp_path / folder).write_text("a file")
    with pytest.raises(UsageError, match=rf"`--export` names .*{folder} is a file\. Move it away"):
        export.check_directory(tmp_path, "--export", formats)
    export.check_directory(tmp_path, "--export", others)


def test_a_damaged_model_is_a_failure(workplace, tmp_path):
    folder, _ = workplace
    shutil.copytree(folder / "runs/mnist-1", tmp_path / "run")
    (tmp_path / "run" / "model.keras").write_bytes(b"nothing")
    with pytest.raises(Failure, match=r"can't be loaded: .* Restore .*model.keras, or train again"):
        export.main([str(tmp_path / "run"), "--output", str(tmp_path / "exported")])
