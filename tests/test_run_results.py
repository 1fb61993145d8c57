"""What a run leaves at its end, whoever interrupts it, and that one process at a time trains it."""

import functools
import json
import pathlib
import signal
import subprocess
import sys
import types

import pytest

import tfvae
from pipelines import cli, commands, evaluate, finishing, places, results, runs, train
from tfvae import locks
from tfvae.figures import gallery
from tfvae.training import conditions
from tfvae.training.images import Images

SMALL = [
    "--dataset", "synthetic(kind='moons', num=60)", "--likelihood", "normal", "--network",
    "mlp(hidden=(4,))", "--latent-size", "2", "--batch-size", "30", "--epochs", "1",
]  # fmt: skip


@pytest.fixture
def written(monkeypatch, place):
    """A folder to train in, and the list of what is written at the end of training there."""
    written = []

    def report_on(vae, dataset, run, **_):
        epochs = int(vae.optimizer.iterations) // dataset.steps_per_epoch(30)
        written.append(f"evaluation of epoch {epochs}")
        (run / evaluate.REPORT).write_text('{"evaluations": []}')

    def publish(vae, directory, **_):
        version = 1 + sum(line.startswith(f"export to {directory}") for line in written)
        written.append(f"export to {directory}: {version}")
        return types.SimpleNamespace(version=version)

    def render_all(*_, **__):
        written.append("figures")
        return {}

    steps = functools.partialmethod(tfvae.VAE.compile, run_eagerly=True)
    monkeypatch.setattr(tfvae.VAE, "compile", steps)  # quicker for a few of them
    monkeypatch.setattr(train, "_check_data", lambda *_: None)
    monkeypatch.setattr(Images, "on_epoch_end", lambda *_, **__: None)
    monkeypatch.setattr(evaluate, "report_on", report_on)
    monkeypatch.setattr(finishing, "publish", publish)
    monkeypatch.setattr(gallery, "render_all", render_all)
    return written


def interrupted(*arguments, at, monkeypatch):
    """Trains up to Ctrl-C at (module, name of its function); returns what is said."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*at, interrupt)
        with pytest.raises(KeyboardInterrupt) as error:
            train.main(list(arguments))
    return str(error.value)


def test_results_are_written_once_whenever_they_are_interrupted(written, monkeypatch, capsys):
    train.main([*SMALL, "--run", "run", "--export", "first"])
    assert written == ["evaluation of epoch 1", "export to first: 1", "figures"]

    # For more epochs, up to Ctrl-C: the figures of the first epoch are there.
    resume, more = ["--resume", "--run", "run"], ["--epochs", "2", "--keep", "3"]
    written.clear()
    said = interrupted(*resume, *more, at=(evaluate, "report_on"), monkeypatch=monkeypatch)
    assert "`python -m pipelines.train --resume --run run --keep 3`" in said
    interrupted(*resume, at=(gallery, "write_all"), monkeypatch=monkeypatch)
    assert written == ["evaluation of epoch 2", "export to first: 1", "figures"]
    written.clear()
    train.main(resume)
    assert written == ["evaluation of epoch 2", "figures"]  # and it isn't published again

    written.clear()
    train.main([*resume, "--export", "second"])
    assert written == ["export to second: 1"]  # all the rest was there
    train.main(resume)
    assert "had finished already, and was published as version 1 of second" in (
        capsys.readouterr().out
    )
    assert written == ["export to second: 1"]
    assert json.loads(pathlib.Path("run/results.json").read_text()) == {
        "epoch": 2,
        "finished": True,
        "exports": {"first": 1, "second": 1},
    }


def test_a_run_that_is_not_gone_on_with_keeps_its_options(written, monkeypatch):
    del written
    train.main([*SMALL, "--run", "run", "--no-export"])
    options = pathlib.Path("run/options.json")
    before = options.read_bytes()
    monkeypatch.setattr(conditions, "_devices", lambda _: "1 x another")
    with pytest.raises(cli.Failure, match="devices: 1 x CPU, and now 1 x another"):
        train.main(["--resume", "--run", "run", "--epochs", "2"])
    assert options.read_bytes() == before


def test_a_run_that_was_refused_is_not_published_by_resuming_it(written, monkeypatch):
    def refuse(*_, **__):
        raise cli.Failure("A gate refused.")

    given = commands.make_parser().parse_args([])
    options = {**commands.DEFAULTS, "epochs": 2, "export": "exported"}
    data = types.SimpleNamespace(splits=("validation",), steps_per_epoch=lambda size: size)
    vae = tfvae.VAE((2,), 2, network="mlp(hidden=())", likelihood="normal")
    vae.compile("adam")
    run = pathlib.Path("run")
    run.mkdir()
    finish = functools.partial(finishing.finish, vae, data, run, options, given)
    with monkeypatch.context() as patch:
        patch.setattr(finishing, "publish", refuse)
        with pytest.raises(cli.Failure, match="A gate refused"):
            finish(trained=True)
    assert written == ["evaluation of epoch 0", "figures"]  # finished all the same
    with pytest.raises(cli.Failure, match=r"`python -m pipelines.export run --output exported`"):
        finish(trained=False)  # without the condition that it failed
    (run / "evaluation.json").unlink()
    with pytest.raises(cli.Failure, match=r"`python -m pipelines.export run --output exported`"):
        finish(trained=False)
    assert written == 2 * ["evaluation of epoch 0", "figures"]


def test_a_run_has_the_epochs_of_its_model_while_more_are_trained(tmp_path):
    (tmp_path / "options.json").write_text('{"dataset": "mnist", "epochs": 5}')
    (tmp_path / "model.keras").touch()
    assert runs.open_run(tmp_path).options["epochs"] == 5
    results.write(tmp_path, results.Results(3))
    assert runs.open_run(tmp_path).options["epochs"] == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"epoch": "2"}', '{"epoch": 2, "a": 1}'])
def test_a_damaged_record_records_nothing(text, tmp_path):
    (tmp_path / "results.json").write_text(text)
    assert results.read(tmp_path) is None


def test_a_run_that_another_process_trains_is_neither_resumed_nor_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "load_tensorflow", lambda: pytest.fail("the work has begun"))
    run = tmp_path / "run"
    with places.begun(run, "mnist"):
        (run / "options.json").write_text('{"dataset": "mnist"}')
        for begin in (lambda: train.main(["--resume", "--run", str(run)]), in_time(run)):
            with pytest.raises(cli.UsageError, match=f"another one trains {run}. Wait until it"):
                begin()
    with places.resumed(run):
        pass


def in_time(run):
    """Returns a function that begins a run whose directory had been free when it was checked."""

    def begin():
        with places.begun(run, "mnist"):
            pytest.fail("two processes own the run")

    return begin


def test_a_run_that_has_been_taken_meanwhile_is_not_begun(tmp_path):
    (tmp_path / "options.json").write_text("{}")
    with pytest.raises(cli.UsageError, match="names a new directory"):
        in_time(tmp_path)()


def test_a_killed_process_leaves_no_lock_and_what_it_was_writing_is_removed(tmp_path):
    code = (
        "import pathlib, sys\nfrom tfvae import locks\n"
        "with locks.locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    (tmp_path / "checkpoints").mkdir()
    half = [tmp_path / ".model.tmp.keras", tmp_path / "checkpoints/.step-000000006.npz.7.tmp"]
    whole = [tmp_path / "model.keras", tmp_path / "checkpoints/step-000000003.npz"]
    for path in [*half, *whole]:
        path.touch()
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(cli.UsageError, match="another one trains"), places.resumed(tmp_path):
            pass
        assert all(path.exists() for path in half)
        process.send_signal(signal.SIGKILL)
    with places.resumed(tmp_path):
        assert not any(path.exists() for path in half)
        assert all(path.exists() for path in whole)


def test_a_file_system_without_locks_is_said_and_trained_on(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(places.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with places.begun(tmp_path / "run", "mnist"):
        assert "lies on a file system without locks" in capsys.readouterr().out


def test_a_run_and_its_export_are_different_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cli.UsageError, match="`--run` and `--export` name different directories"):
        train.main(["--run", "x", "--export", str(tmp_path / "x")])


def test_a_file_named_runs_is_told_without_an_option_that_nobody_gave(place):
    pathlib.Path("runs").touch()
    with pytest.raises(cli.UsageError, match=r"Without `--run` .*runs is a file, .*`--run DIR`"):
        train.main([])
