"""The main use, end to end: train, watch, resume, evaluate; and what it says to bad input."""

import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfvae
from pipelines import cli, commands, evaluate, export, places, runs, train
from tfvae import components
from tfvae.training import logs, loop

SMALL = [
    "--dataset", "mnist(limit=300)", "--network", "mlp(hidden=(32,))", "--latent-size", "2",
    "--batch-size", "50",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three epochs, to its end: (directory, the process that has ended)."""
    place = tmp_path_factory.mktemp("finished")
    process = program("train", *SMALL, "--epochs", "3", "--run", "run", cwd=place)
    assert process.returncode == 0, process.stderr
    return place / "run", process


def program(name, *arguments, cwd):
    """Runs a program of the project as a user does."""
    command = [sys.executable, "-m", f"pipelines.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def refused(main, *arguments):
    """Returns the message with which a program refuses its arguments, in this process."""
    with pytest.raises(cli.UsageError) as error:
        main([str(argument) for argument in arguments])
    return str(error.value)


def test_a_run_directory_holds_all_that_is_promised(finished):
    run, _ = finished
    names = {path.name for path in run.iterdir()}
    assert names == {
        "options.json", "train", "validation", "metrics.jsonl", "checkpoints", "figures",
        "model.keras", "evaluation.json", "results.json", ".lock",
    }  # fmt: skip
    pictures = {path.name for path in (run / "figures").iterdir()}
    assert {"reconstructions.png", "samples.png", "manifold.png", "latents.png"} <= pictures


def test_the_terminal_shows_progress_and_none_of_tensorflows_noise(finished):
    _, process = finished
    assert process.stderr == ""
    assert "epoch 3/3  train elbo -" in process.stdout
    assert re.search(r"   \d+:\d\d left\n", process.stdout)


def test_a_run_ends_with_exports_that_generate(finished):
    run, process = finished
    exported = run.parent / "exported" / "mnist"
    assert "Published version 1 of exported/mnist" in process.stdout
    for path in ("encoder/1/saved_model.pb", "decoder/1/saved_model.pb"):
        assert (exported / path).is_file()
    assert {path.name for path in (exported / "litert" / "1").iterdir()} == {
        "encoder.tflite",
        "decoder.tflite",
    }
    release = json.loads((exported / "releases/1/manifest.json").read_text())
    (evaluation,) = json.loads((run / "evaluation.json").read_text())["evaluations"]
    assert release["evaluations"] == [evaluation]
    assert release["dataset"]["fingerprint"] == evaluation["protocol"]["fingerprint"]
    assert release["options"]["latent_size"] == 2
    output = run.parent / "samples.npy"
    process = program("generate", exported, "--num", 3, "--output", output, cwd=run.parent)
    assert process.returncode == 0, process.stderr
    samples = np.load(output)
    assert samples.shape == (3, 28, 28, 1)
    assert 0 <= samples.min() < samples.max() <= 1


def test_tensorboard_holds_the_figures_of_the_trained_model(finished):
    run, _ = finished
    events = EventAccumulator(str(run / "validation"), size_guidance={"tensors": 0}).Reload()
    tags = {tag for tag in events.Tags()["tensors"] if tag.startswith("final/")}
    assert {"final/manifold", "final/latents", "final/samples"} <= tags


def test_a_run_that_has_finished_is_left_as_it_is(finished, capsys):
    run, _ = finished
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.keras")}
    train.main(["--resume", "--run", str(run)])
    assert "had finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.keras")} == before
    assert [path.name for path in (run.parent / "exported/mnist/decoder").iterdir()] == ["1"]


def test_tensorboard_curves_overlay_with_the_iterations_as_step(finished):
    run, _ = finished
    steps = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(run / part), size_guidance={"tensors": 0}).Reload()
        assert {"elbo", "reconstruction", "kl", "loss"} <= set(events.Tags()["tensors"])
        steps[part] = [event.step for event in events.Tensors("elbo")]
    assert steps["train"] == steps["validation"] == [6, 12, 18]  # 300 images in batches of 50


def test_tensorboard_holds_pictures_of_reconstructions_and_samples(finished):
    run, _ = finished
    for part, tag in (("validation", "reconstructions"), ("train", "samples")):
        events = EventAccumulator(str(run / part), size_guidance={"tensors": 0}).Reload()
        pictures = events.Tensors(tag)
        assert [event.step for event in pictures] == [6, 12, 18]
        assert pictures[0].tensor_proto.string_val[2].startswith(b"\x89PNG")


def test_metrics_jsonl_is_the_curves_in_text(finished):
    run, _ = finished
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    for record in records:
        for part in ("train", "validation"):
            values = record[part]
            # Means of float32 terms over the same examples.
            assert values["elbo"] == pytest.approx(
                values["reconstruction"] - values["kl"], rel=1e-5
            )
            assert values["loss"] == pytest.approx(-values["elbo"], rel=1e-5)
    assert records[-1]["train"]["elbo"] > records[0]["train"]["elbo"]


def test_a_run_without_a_name_takes_the_next_free_one(place):
    (place / "runs" / "mnist-1").mkdir(parents=True)
    with places.begun(None, "mnist") as run:
        assert str(run) == "runs/mnist-2"
        assert (place / "runs" / "mnist-2").is_dir()


def test_a_run_is_its_own_recipe(finished):
    run, _ = finished
    given = commands.make_parser().parse_args(["--recipe", str(run / "options.json")])
    options = runs.read_options(run)
    assert options.pop("tfvae_version") == tfvae.__version__
    assert options["export"] == "exported/mnist"
    assert commands.resolve(given) == options


@pytest.mark.xla
def test_the_same_command_gives_the_same_bits(finished, tmp_path):
    run, _ = finished  # by another process
    options = runs.read_options(run)
    dataset, vae = train._build(options)
    loop.train(vae, dataset, tmp_path, **{key: options[key] for key in train._NUMBERS})
    vae.save(tmp_path / "model.keras")
    assert weights(tmp_path) == weights(run)
    records = logs.read_metrics(tmp_path / "metrics.jsonl")
    before = logs.read_metrics(run / "metrics.jsonl")
    for record, whole in zip(records, before, strict=True):
        assert {**record, "seconds": 0} == {**whole, "seconds": 0}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_one_message_a_checkpoint_and_its_status(number, status, tmp_path):
    root = pathlib.Path(__file__).parent
    eagerly = [root / "programs" / "train_as.py", json.dumps({"run_eagerly": True})]
    with subprocess.Popen(
        [sys.executable, *eagerly, *SMALL, "--run", "run", "--no-export", "--epochs", "3000"],
        env={**os.environ, "PYTHONPATH": str(root.parent)}, cwd=tmp_path, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        wait_for(lambda: list(tmp_path.glob("run/checkpoints/step-*.npz")))
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
    assert process.returncode == status
    assert message.count("\n") == 1
    assert "Go on with `python -m pipelines.train --resume --run run`" in message
    newest = max(tmp_path.glob("run/checkpoints/step-*.npz"))
    done = int(newest.stem.removeprefix("step-")) // 6
    records = logs.read_metrics(tmp_path / "run" / "metrics.jsonl")
    # What a checkpoint stands for has been logged before it appears.
    assert [record["epoch"] for record in records] == list(range(1, done + 1))
    assert "has not finished" in refused(evaluate.main, tmp_path / "run")


def weights(run):
    model = keras.models.load_model(run / "model.keras")
    return [np.asarray(v.value).tobytes() for v in [*model.variables, *model.optimizer.variables]]


def wait_for(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)


def test_evaluation_is_of_every_example_and_says_how_it_was_made(finished):
    run, _ = finished
    reports = evaluate.read_reports(run / "evaluation.json")
    report = next(report for report in reports if report["protocol"]["split"] == "test")
    assert report["protocol"]["num_examples"] == 300
    assert report["protocol"]["fingerprint"] == runs.open_run(run).dataset().fingerprint()
    assert report["elbo"] == pytest.approx(report["reconstruction"] - report["kl"], rel=1e-6)
    model, dataset = runs.open_run(run).model(), runs.open_run(run).dataset()
    x = np.concatenate(list(dataset.split("test", 128)))
    # The same noise for the same place: equal but for the order of float32 sums.
    assert report["elbo"] == pytest.approx(float(np.mean(model.elbo(x))), rel=1e-5)


def test_another_evaluation_is_added_and_the_same_one_replaced(finished, capsys):
    run, _ = finished
    before = evaluate.read_reports(run / "evaluation.json")
    for _ in range(2):
        evaluate.main([str(run), "--num-samples", "20", "--split", "validation"])
    after = evaluate.read_reports(run / "evaluation.json")
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    assert after[-1]["log_likelihood"] > after[-1]["elbo"]  # a tighter bound
    assert "log-likelihood, 20 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "mpl"], "`mpl` is not one of the networks. Did you mean `mlp`? Known: "),
        (["--network", "mlp(hiden=3)"], "has no option `hiden`. Did you mean `hidden`?"),
        (["--dataset", "mnist(binarize=dynamic)"], "Put quotes around a string"),
        (["--epochs", "0"], "Argument --epochs: expected a whole number above 0 (below 2**31)"),
        (["--epoch", "1"], "Unrecognized arguments: --epoch 1"),
        (["--learning-rate", "nan"], "expected a number above 0, received 'nan'"),
        (["--seed", "-1"], "expected a whole number from 0 to 2147483647"),
        (["--recipe", "nowhere.toml"], "The recipe nowhere.toml can't be read: No such file"),
        (["--latent-size", "99999999999"], "expected a whole number above 0 (below 2**31)"),
        (["--precision", "float8"], "expected one of float32, mixed_bfloat16, mixed_float16"),
        (["--clip-norm", "0"], "Argument --clip-norm: expected a number above 0, received '0'"),
        (["--resume"], "`--resume` needs the run to go on with: add `--run DIR`"),
        (["--resume", "--run", "nowhere"], "nowhere holds no options.json"),
        (["--resume", "--run", "n" * 300], "holds no options.json"),
        (["--recipe", "n" * 300], "can't be read: File name too long"),
        (["--export", ""], "Argument --export: expected a value, received ''"),
        (["--recipe", ""], "Argument --recipe: expected a value, received ''"),
        (["--run="], "Argument --run: expected a value, received ''"),
        (["--network", ""], "A spec is a name with keyword options"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_refused_with_its_remedy(arguments, message):
    assert message in refused(train.main, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "mnist(binarize='static', limit=-1)"], "Received -1"),
        (["--dataset", "mnist(binarize='sometimes')"], "`binarize` is one of 'none', 'threshold'"),
        (["--dataset", "mnist(binarize='none')"], "`bernoulli` is defined for values in {0, 1}"),
        (["--posterior", "bernoulli"], "The posterior is a bijector of standard normal noise"),
        (["--network", "mlp(activation='rleu')"], "`activation` is the name of a Keras activation"),
        (["--prior", "standard_normal(precision=0)"], "a positive number. Received 0"),
    ],
)
def test_a_value_out_of_range_is_refused_before_a_run_begins(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert message in refused(train.main, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_exists_is_never_a_new_run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("kept")
    message = refused(train.main, "--run", tmp_path / "run")
    assert "`--run` names a new directory" in message
    assert "--resume" not in message  # there is nothing to resume
    (tmp_path / "run" / "options.json").write_text("{}")
    assert "--resume" in refused(train.main, "--run", tmp_path / "run")
    assert (tmp_path / "run" / "precious").read_text() == "kept"


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("kept")
    assert "is a file, not a directory" in refused(train.main, "--run", tmp_path / "file" / "run")
    assert "is a file, not a directory" in refused(train.main, "--export", tmp_path / "file" / "x")


@pytest.mark.parametrize("option", ["--run", "--export"])
def test_a_place_that_can_t_be_made_is_refused(option, place):
    (place / "link").symlink_to(place / "gone")
    for name, message in {
        "n" * 300: "a name of 300 bytes, and there is room for",
        f"a/{'n' * 300}/b": "a name of 300 bytes, and there is room for",
        "ab/" * 2000: "a path of",
        "link": f"link is a link to {place}/gone, which isn't there. Make what it points to",
        "link/a": f"link is a link to {place}/gone, which isn't there. Make what it points to",
    }.items():
        said = refused(train.main, option, name)
        assert said.startswith(f"`{option}` ")
        assert message in said
    assert [path.name for path in place.iterdir()] == ["link"]


def test_a_place_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path)  # root may everywhere
    assert "can't be written by this user" in refused(train.main, "--run", tmp_path / "run")


def test_a_resumed_run_keeps_its_options(finished):
    run, _ = finished
    message = refused(train.main, "--resume", "--run", run, "--latent-size", "3")
    assert "`--latent-size 2`; received 3" in message
    assert "but for more epochs" in refused(train.main, "--resume", "--run", run, "--epochs", "1")


def test_training_is_by_default_what_is_promised():
    options = commands.resolve(commands.make_parser().parse_args([]))
    assert options == {
        "dataset": "mnist(binarize='dynamic')", "network": "mlp", "posterior": "normal",
        "likelihood": "bernoulli", "prior": "standard_normal", "objective": "elbo",
        "condition": None, "latent_size": 20, "epochs": 20, "batch_size": 100,
        "learning_rate": 1e-3, "learning_rate_schedule": "constant", "adam_epsilon": 1e-7,
        "clip_norm": None, "precision": "float32", "strategy": "auto", "seed": 0,
        "export": "exported/mnist",
    }  # fmt: skip
    assert components.members("networks")["mlp"].options["hidden"] == "(500,)"


def test_recipes_are_read_and_overridden(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("latent-size = 7\nepochs = 3\nnetwork = 'conv'\n")
    given = commands.make_parser().parse_args(["--recipe", str(recipe), "--epochs", "4"])
    options = commands.resolve(given)
    assert (options["latent_size"], options["epochs"], options["network"]) == (7, 4, "conv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latent-sise = 7", "has an option `latent-sise` that training doesn't know"),
        ("latent-size = -7", "option `latent-size`: expected a whole number above 0"),
        ("network = 'mpl'", "Did you mean `mlp`?"),
        ("latent-size = ", "is no valid .toml"),
        # Equal to the default, but of another type.
        ("epochs = 20.0", "option `epochs`: expected a whole number above 0"),
        ("batch-size = 100.0", "option `batch-size`: expected a whole number above 0"),
        ("seed = false", "option `seed`: expected a whole number from 0"),
        ("learning-rate = true", "option `learning-rate`: expected a number above 0"),
        ("export = 3", "option `export`: expected a directory in quotes, or false for none"),
        ("export = ''", "option `export`: expected a value, received ''"),
        ("batch-size = 50\nbatch_size = 60", "twice, as `batch-size` and as `batch_size`"),
    ],
)
def test_a_bad_recipe_is_refused(text, message, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    assert message in refused(train.main, "--recipe", recipe)


def test_a_recipe_in_json_is_read_as_one_in_toml(tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"epochs": 4}')
    assert commands.read_recipe(str(recipe)) == {"epochs": 4}
    recipe.write_text('{"epochs": 4, "epochs": 5}')
    assert "is no valid .json: the key 'epochs' is there twice." in refused(
        train.main, "--recipe", recipe
    )


@pytest.mark.parametrize("main", [evaluate.main, export.main])
def test_programs_that_need_a_run_say_so(main, tmp_path):
    assert "does not exist" in refused(main, tmp_path / "nowhere")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "options.json").write_text("{}")
    assert "has not finished" in refused(main, tmp_path / "half")
    (tmp_path / "half" / "model.keras").touch()
    for text in ("{", "{}", "[]", '{"dataset": 3}', '{"dataset": "mnist("}'):
        (tmp_path / "half" / "options.json").write_text(text)
        assert "is damaged, or not of a run" in refused(main, tmp_path / "half")


def test_a_resumed_run_of_another_version_is_refused(finished, tmp_path):
    run, _ = finished
    (tmp_path / "run").mkdir()
    options = {**runs.read_options(run), "tfvae_version": "0.0.1"}
    (tmp_path / "run" / "options.json").write_text(json.dumps(options))
    message = refused(train.main, "--resume", "--run", tmp_path / "run")
    assert f"was written by tfvae 0.0.1, and this is {tfvae.__version__}" in message


def test_a_damaged_evaluation_is_found_before_the_work(finished, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    (run / "evaluation.json").write_text('{"evaluations": [{}]}')
    monkeypatch.setattr(cli, "load_tensorflow", lambda: pytest.fail("the work has begun"))
    with pytest.raises(cli.Failure, match="is damaged"):
        evaluate.main([str(run)])


def test_a_damaged_model_is_one_message(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    (run / "model.keras").write_bytes((run / "model.keras").read_bytes()[:1000])
    with pytest.raises(cli.Failure, match="can't be loaded"):
        evaluate.main([str(run)])


def test_ctrl_c_while_results_are_written_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    # Quicker for a few steps.
    monkeypatch.setattr(
        tfvae.VAE, "compile", functools.partialmethod(tfvae.VAE.compile, run_eagerly=True)
    )
    monkeypatch.setattr(evaluate, "report_on", interrupt)
    with pytest.raises(KeyboardInterrupt, match="--resume --run run"):
        train.main([*SMALL, "--epochs", "1", "--run", "run"])
    assert [path.name for path in (tmp_path / "run").glob(".*")] == [".lock"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    # A gate that refuses the export ends with a failure, and the run is finished all the same.
    arguments = ["--resume", "--run", "run", "--export", "exported", "--require", "elbo >= 0"]
    with pytest.raises(cli.Failure, match=r"Nothing has been exported .* Required: elbo >= 0\."):
        train.main(arguments)
    assert (tmp_path / "run" / "evaluation.json").is_file()
    assert (tmp_path / "run" / "figures" / "samples.png").is_file()
    refusal = json.loads((tmp_path / "exported/releases/refused/manifest.json").read_text())
    assert [gate["passed"] for gate in refusal["gates"]] == [False]
    assert not (tmp_path / "exported" / "encoder").exists()


def test_errors_of_a_program_are_one_line_and_a_status(tmp_path):
    process = program("train", "--network", "mpl", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("python -m pipelines.train: `mpl` is not one of the networks.")
    assert process.stderr.count("\n") == 1
    assert not list(pathlib.Path(tmp_path).iterdir())
