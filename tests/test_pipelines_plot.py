"""`python -m pipelines.plot`: files, messages and exit statuses."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines import cli, plot
from tfvae.figures import images, queries
from tfvae.vae import VAE

DATASET = "mnist(binarize='threshold')"


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory):
    """A finished run of an untrained model."""
    directory = tmp_path_factory.mktemp("runs") / "mnist-1"
    directory.mkdir()
    vae = VAE((28, 28, 1), 2, network="mlp(hidden=(8,))")
    vae.save(directory / "model.keras")
    (directory / "options.json").write_text(json.dumps({"dataset": DATASET}), encoding="utf-8")
    return directory


@pytest.fixture
def call(monkeypatch, capsys):
    """Returns a function that runs the program and gives its status, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["plot", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            cli.run(plot.main)
        captured = capsys.readouterr()
        return exit_info.value.code, captured.out, captured.err

    return call


@pytest.fixture
def no_tensorflow(monkeypatch):
    """Fails the test if the program comes as far as loading TensorFlow."""

    def fail():
        pytest.fail("TensorFlow was loaded before the command was refused")

    monkeypatch.setattr(cli, "load_tensorflow", fail)


def test_default_output_lies_in_the_run_and_is_replaced(call, run_directory):
    path = run_directory / "figures" / "manifold-size_3.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"old")
    status, out, err = call(run_directory, "manifold(size=3)")
    assert (status, out, err) == (0, f"{path}\n", "")
    assert np.asarray(Image.open(path)).ndim == 3


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["manifold"], "manifold"),
        (["manifold(size=20, latents=None)"], "manifold"),
        (["manifold(size=12)"], "manifold-size_12"),
        (["manifold(latents=(0, 1), size=12)"], "manifold-size_12-latents_0_1"),
        (["manifold(size=12, latents=(0, 1))"], "manifold-size_12-latents_0_1"),
        (["samples", "--seed", "7"], "samples"),
        (["samples", "--seed", "0"], "samples-seed_0"),
        (["samples", "--split", "test"], "samples"),
        (["samples", "--split", "validation", "--seed", "1"], "samples-split_validation-seed_1"),
    ],
)
def test_only_the_figure_that_training_drew_has_its_name(arguments, name):
    options = plot._parser().parse_args(["run", *arguments])
    assert plot._name(options, seed=7) == name


def test_samples_of_a_run_are_drawn_with_its_seed(call, run_directory, tmp_path):
    seeded = tmp_path / "run"
    shutil.copytree(run_directory, seeded, ignore=shutil.ignore_patterns("figures"))
    options = json.dumps({"dataset": DATASET, "seed": 5})
    (seeded / "options.json").write_text(options, encoding="utf-8")
    assert call(seeded, "samples")[0] == 0
    path = tmp_path / "five.png"
    assert call(run_directory, "samples", "--seed", 5, "--output", path)[0] == 0
    assert (seeded / "figures" / "samples.png").read_bytes() == path.read_bytes()


def test_the_folder_of_an_output_is_made(call, run_directory, tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    assert call(run_directory, "samples(rows=1, columns=1)", "--output", path)[0] == 0
    assert path.is_file()


def test_same_command_writes_same_bytes_and_the_seed_matters(call, run_directory, tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, seed in zip(paths, (4, 4, 5), strict=True):
        kind = "samples(rows=1, columns=2)"
        assert call(run_directory, kind, "--output", path, "--seed", seed)[0] == 0
    first, second, other = (path.read_bytes() for path in paths)
    assert first == second != other


def test_split_is_the_one_that_is_asked_for(call, run_directory, tmp_path):
    kind = "reconstructions(rows=1, columns=2)"
    for split in ("test", "validation"):
        call(run_directory, kind, "--split", split, "--output", tmp_path / f"{split}.png")
    assert (tmp_path / "test.png").read_bytes() != (tmp_path / "validation.png").read_bytes()


def test_named_output_is_replaced_only_on_request(call, run_directory, tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"precious")
    arguments = (run_directory, "samples(rows=1, columns=1)", "--output", path)
    status, _, err = call(*arguments)
    assert status == 2
    assert f"{path}, which exists. Choose another name, or add `--overwrite`" in err
    assert path.read_bytes() == b"precious"
    assert call(*arguments, "--overwrite")[0] == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("no_tensorflow")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{run}", "manifolds"), "`manifolds` is not one of the figures. Did you mean `manifold`?"),
        (("{run}", "manifold(sise=3)"), "`manifold` has no option `sise`. Did you mean `size`?"),
        (("{run}", "manifold(size=0)"), "`size` is a positive int. Received 0."),
        (("{run}", "samples", "--seed", "-1"), "expected a whole number from 0 to 2147483647"),
        (("{run}", "samples", "--seeds", "1"), "Unrecognized arguments: --seeds 1"),
        (("{run}",), "The following arguments are required: KIND"),
        (("{run}/none", "samples"), "none does not exist"),
        (("{run}", "samples", "--output", "a.pdf"), "Received a.pdf. Write `--output a.png`."),
        (
            ("{run}", "samples", "--output", ""),
            "Argument --output: expected a value, received ''. Give",
        ),
        (("{run}", "samples", "--output", "."), "is a directory. Write `--output picture.png`."),
        (
            ("{run}", "samples", "--output", "{run}/options.json/a.png"),
            "is a file, not a directory",
        ),
        (("{run}", "samples", "--output", "{dir}"), "is a directory. Write `--output "),
    ],
)
def test_commands_that_cannot_be_carried_out_are_refused(
    call, run_directory, tmp_path, arguments, message
):
    folder = tmp_path / "folder.png"
    folder.mkdir()
    arguments = [argument.format(run=run_directory, dir=folder) for argument in arguments]
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("no_tensorflow")
def test_a_place_without_permission_is_refused(call, run_directory, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.os, "access", lambda *_: False)  # root may write anywhere
    for arguments, option in (((), "RUN"), (("--output", tmp_path / "a.png"), "--output")):
        status, _, err = call(run_directory, "samples", *arguments)
        assert status == 2
        assert f"`{option}` names" in err
        assert "can't be written by this user. Choose another place" in err


@pytest.mark.usefixtures("no_tensorflow")
def test_a_run_with_no_place_for_figures_is_refused(call, run_directory, tmp_path):
    shutil.copytree(run_directory, tmp_path / "run", ignore=shutil.ignore_patterns("figures"))
    (tmp_path / "run" / "figures").write_text("a file")
    status, _, err = call(tmp_path / "run", "samples")
    assert status == 2
    assert "figures is a file, not a directory." in err


def test_damaged_data_is_a_failure_and_no_fault_of_the_command(call, run_directory, monkeypatch):
    def fail(*_):
        raise ValueError("The file is damaged.")

    monkeypatch.setattr(queries, "examples", fail)
    status, _, err = call(run_directory, "reconstructions")
    assert status == 1
    assert err.endswith(": The file is damaged.\n")


def test_unknown_split_is_refused_with_those_there_are(call, run_directory):
    status, _, err = call(run_directory, "samples", "--split", "tset")
    assert status == 2
    assert "has the splits train, validation, test. Received `--split tset`." in err
    assert err.count("\n") == 1


def test_a_figure_that_the_model_has_no_place_for_is_refused(call, run_directory):
    status, _, err = call(run_directory, "traversal(latents=(7,))")
    assert status == 2
    assert "names latents of this model: 0 to 1. Received (7,)." in err


def test_a_full_disk_is_a_failure(call, run_directory, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "write_png", fail)
    status, out, err = call(run_directory, "samples", "--output", tmp_path / "a.png")
    assert (status, out) == (1, "")
    assert f"{tmp_path / 'a.png'} can't be written: No space left on device." in err
