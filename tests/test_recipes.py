"""The recipes that come with the project: each can be read, says what it is, and trains."""

import pathlib
import re
import shlex

import keras
import numpy as np
import pytest

from pipelines import cli, commands, runs, train
from tfvae import noise
from tfvae.objectives.base import Objective

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


@pytest.mark.parametrize("name", commands.recipes())
def test_a_recipe_has_a_row_in_the_table_of_results_that_agrees_with_it(name):
    rows = [line for line in RESULTS.read_text().splitlines() if f"`{name}`" in line]
    assert rows, f"{RESULTS} lacks a row of `{name}`"
    was_run = not re.search(r"^Result: not run yet", head_of(name), re.MULTILINE)
    assert was_run == any("not run" not in row for row in rows)


@pytest.mark.parametrize("name", commands.recipes())
def test_a_recipe_makes_a_model_with_a_finite_bound(name, training_images):
    _, vae = train._build(options_of(name))  # draws codes of two examples, and weighs them
    terms = vae.terms(training_images, noise.row_seeds(noise.seed_of(1), 2))
    # A model that knows nothing gives 784 pixels log 2 nats each: nothing has gone wrong so far.
    assert np.all(np.abs(terms.bound) < 4 * 784 * np.log(2))


@pytest.fixture(scope="module")
def training_images():
    dataset = runs.dataset_of(options_of(commands.recipes()[0]))
    return next(iter(dataset.training(2, 0)))


def test_a_recipe_trains_to_the_end_with_options_that_override_it(place, monkeypatch):
    monkeypatch.setattr(train, "_finish", lambda vae, *_: taken.append(vae))
    taken = []
    more = ["--dataset", "mnist(limit=40)", "--network", "mlp(hidden=(8,))", "--batch-size", "20"]
    train.main(["--recipe", "dreg_1_layer_k5", *more, "--epochs", "1", "--run", "run"])
    (vae,) = taken
    assert isinstance(vae.objective, Objective)
    assert str(vae.objective.spec) == "dreg(num_samples=5)"
    assert isinstance(vae.optimizer, keras.optimizers.Adam)
    assert vae.optimizer.epsilon == 1e-4
    assert int(vae.optimizer.iterations) == 2
    assert runs.read_options("run")["adam_epsilon"] == 1e-4


def test_a_file_of_that_name_comes_before_the_recipe_of_the_project(place):
    pathlib.Path("vampprior").write_text("epochs = 7\n")
    assert commands.read_recipe("vampprior") == {"epochs": 7}


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are(place):
    with pytest.raises(cli.UsageError, match=r"No such file.* dreg_1_layer_k5, .*vampprior"):
        commands.read_recipe("burda_1_layer")
