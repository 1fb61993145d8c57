"""`python -m pipelines.plot`: files, messages and exit statuses."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from pipelines import cli, plot
from tfvae import components
from tfvae.figures import images
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


def test_help_answers_at_once_and_lists_every_kind():
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipelines.plot", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    # 0.15 s on an idle machine; the contract is a second, and other tests run beside this one.
    assert time.monotonic() - began < 5
    assert not {"tensorflow", "numpy", "matplotlib"} & {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
    }
    for member in components.members("figures").values():
        assert f"  {member}\n" in done.stdout
        assert member.summary in done.stdout


def test_default_output_lies_in_the_run_and_is_replaced(call, run_directory):
    status, out, err = call(run_directory, "manifold(size=3)")
    path = run_directory / "figures" / "manifold.png"
    assert (status, out, err) == (0, f"{path}\n", "")
    first = np.asarray(Image.open(path))
    assert call(run_directory, "manifold(size=2)")[0] == 0
    assert np.asarray(Image.open(path)).shape != first.shape


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
    assert f"{path} exists. Add `--overwrite`" in err
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
        (("{run}", "samples", "--output", "no/a.png"), "no is none. Make it with `mkdir -p no`."),
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
    monkeypatch.setattr(plot.os, "access", lambda *_: False)  # root may write anywhere
    status, _, err = call(run_directory, "samples", "--output", tmp_path / "a.png")
    assert status == 2
    assert f"{tmp_path} is not. Choose another place." in err


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
    assert f"could not be written to {tmp_path / 'a.png'}: No space left on device." in err
