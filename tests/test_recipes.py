"""The recipes that come with the project: each can be read, says what it is, and trains."""

import pathlib
import re
import shlex

import keras
import pytest

from pipelines import cli, commands, finishing, runs, train
from tfvae import components
from tfvae.objectives.base import Objective
from tfvae.training import loop

RESULTS = pathlib.Path(__file__).parent.parent / "docs" / "results.md"
TRAIN = "python -m pipelines.train "


def head_of(name):
    """Returns the comment that a recipe opens with, without its signs."""
    lines = (commands.RECIPES / f"{name}.toml").read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:end])


def options_of(name, *more):
    return commands.resolve(commands.make_parser().parse_args(["--recipe", name, *more]))


@pytest.mark.parametrize("name", commands.recipes())
def test_a_recipe_opens_with_its_command_its_time_and_its_result(name):
    head = head_of(name)
    found = re.search(rf"^ +{TRAIN}((.*\\\n)*.*)$", head, re.MULTILINE)
    given = commands.make_parser().parse_args(
        shlex.split(found[1].replace("\\\n", " ").replace("$size", "3"))
    )
    assert given.recipe == name
    assert given.run.startswith("runs/")
    assert re.search(r"^Time on 2 CPU cores: \S+", head, re.MULTILINE)
    assert re.search(r"^Result: \S+", head, re.MULTILINE)


def rows_of(name):
    """Returns the rows of a recipe in the tables of results, dicts of column to text."""
    found, header = [], []
    for line in RESULTS.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif f"`{name}`" in line:
            found.append(dict(zip(header, cells, strict=True)))
    return found


@pytest.mark.parametrize("name", commands.recipes())
def test_a_recipe_and_its_rows_in_the_tables_of_results_agree(name):
    head, rows = head_of(name).replace("\n", " "), rows_of(name)
    assert rows, f"{RESULTS} lacks a row of `{name}`"
    text = " ".join(value for row in rows for value in row.values())
    result = head.partition("Result: ")[2].partition(".  ")[0]
    was_run = not result.startswith("not run yet")
    assert was_run == any("not run" not in row.values() for row in rows)
    for number in re.findall(r"-?\d+\.\d+ nats, standard error \d+\.\d+", result):
        assert f"{number.replace(' nats, ', ' (')})" in text
    for number, error in re.findall(r"(-?\d+\.\d+) \(standard error (\d+\.\d+)\)", text):
        assert f"{number} nats, standard error {error}" in result
    published = head.partition("Published")[2].partition("python -m")[0]
    numbers = re.findall(r"\d+\.\d+(?= nats|,)", published)
    if numbers:
        assert [r["published"] for r in rows if not r.get("options")] == numbers[:1]
    for row in rows:
        options = options_of(name, *shlex.split(row.get("options", "").strip("`")))
        assert row["epochs"] == str(options["epochs"])


def test_the_objective_of_every_recipe_can_be_built():
    for name in commands.recipes():
        spec = options_of(name)["objective"]
        assert components.build(Objective, spec).num_samples >= 1


def kinds():
    """Returns one recipe of each kind of model: building one takes a second."""
    parts = ("network", "posterior", "prior", "likelihood")
    names = commands.recipes()
    return {tuple(options_of(name)[p] for p in parts): name for name in reversed(names)}.values()


@pytest.mark.parametrize("name", kinds())
def test_a_recipe_makes_a_model_whose_bound_can_be_taken(name):
    options = options_of(name)
    kept = components.parse("datasets", options["dataset"]).options["binarize"]
    # Of a few images, with as many steps to come: a schedule of the objective is not cut short.
    few = {"dataset": f"mnist(binarize={kept!r}, limit=4)", "batch_size": 2, "epochs": 10**6}
    dataset, vae = train._build({**options, **few})  # which takes the bound of two examples
    assert vae.event_shape == dataset.event_shape
    assert str(vae.objective.spec).startswith(options["objective"].partition("(")[0])


def test_the_options_of_a_recipe_and_those_that_override_it_reach_the_optimizer(place, monkeypatch):
    monkeypatch.setattr(loop, "_fit", lambda vae, feed, *_: taken.append((vae, feed)))
    monkeypatch.setattr(finishing, "finish", lambda *_, **__: None)
    taken = []
    more = ["--dataset", "mnist(limit=40)", "--network", "mlp(hidden=(8,))", "--batch-size", "20"]
    train.main(["--recipe", "dreg_1_layer_k5", *more, "--epochs", "3", "--run", "run"])
    ((vae, feed),) = taken
    assert vae.latent_size == 100
    assert str(vae.objective.spec) == "dreg(num_samples=5)"
    assert (feed.steps, feed.batch_size) == (2, 20)
    assert isinstance(vae.optimizer, keras.optimizers.Adam)
    assert vae.optimizer.epsilon == 1e-4
    assert float(vae.optimizer.learning_rate) == pytest.approx(2e-3)
    assert runs.read_options("run")["adam_epsilon"] == 1e-4


def test_a_file_of_that_name_comes_before_the_recipe_of_the_project(place):
    pathlib.Path("vampprior").write_text("epochs = 7\n")
    assert commands.read_recipe("vampprior") == {"epochs": 7}


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are(place):
    with pytest.raises(cli.UsageError, match=r"No such file.* dreg_1_layer_k5, .*vampprior"):
        commands.read_recipe("burda_1_layer")
