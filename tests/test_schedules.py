"""Schedules and a run: the one fits into the other, and the best epoch is that of the true ELBO."""

import functools
import json
import math

import numpy as np
import pytest

import tfvae
from pipelines import cli, commands, train
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.training import logs, loop, rates

SMALL = [
    "--dataset", "mnist(limit=100)", "--network", "mlp(hidden=(8,))", "--latent-size", "2",
    "--batch-size", "50", "--epochs", "3", "--no-export",
]  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "epochs"),
    [("elbo(warmup_steps=7)", 4), ("capacity(steps=100)", 50)],
)
def test_a_schedule_longer_than_the_run_is_refused_before_training(objective, epochs, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(cli.UsageError) as error:
        train.main([*SMALL, "--objective", objective, "--run", str(run)])
    message = str(error.value)
    assert "3 epochs of 2 steps have 6" in message
    assert message.endswith(f"Shorten the schedule, or add `--epochs {epochs}`.")
    assert not run.exists()


def test_the_library_refuses_it_too(tmp_path):
    data = components.build(Dataset, "mnist(limit=100)")
    vae = tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))", objective="elbo(warmup_steps=3)")
    with pytest.raises(ValueError, match="takes 3 steps, and 1 epochs of 2 steps have 2"):
        loop.train(vae, data, tmp_path, epochs=1, batch_size=50, learning_rate=1e-3)


def test_the_best_epoch_is_that_of_the_true_elbo_and_not_of_the_warmed_up_bound(tmp_path):
    data = components.build(Dataset, "mnist(limit=300)")
    vae = tfvae.VAE(
        (28, 28, 1), 8, network="mlp(hidden=(32,))", objective="elbo(beta=300.0, warmup_steps=6)"
    )
    vae.compile = functools.partial(vae.compile, run_eagerly=True)
    result = loop.train(vae, data, tmp_path, epochs=3, batch_size=150, learning_rate=1e-4)
    records = [record["validation"] for record in logs.read_metrics(tmp_path / "metrics.jsonl")]
    elbos, bounds = ([sign * r[k] for r in records] for k, sign in (("elbo", 1), ("loss", -1)))
    # With a weight that rises to 300 the bound falls from epoch to epoch while the model learns.
    assert np.argmax(bounds) != np.argmax(elbos)
    assert result.best_epoch == 1 + int(np.argmax(elbos))
    assert result.best_value == max(elbos)
    for record in records:
        assert record["elbo"] == pytest.approx(record["reconstruction"] - record["kl"], rel=1e-5)


def test_the_best_epoch_of_a_tighter_bound_is_that_of_the_bound(tmp_path):
    data = components.build(Dataset, "mnist(limit=100)")
    vae = tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))", objective="iwae(num_samples=3)")
    vae.compile = functools.partial(vae.compile, run_eagerly=True)
    result = loop.train(vae, data, tmp_path, epochs=2, batch_size=50, learning_rate=1e-3)
    records = logs.read_metrics(tmp_path / "metrics.jsonl")
    assert result.best_value == max(-record["validation"]["loss"] for record in records)
    assert all(-r["validation"]["loss"] > r["validation"]["elbo"] for r in records)


def test_the_learning_rate_falls_to_its_end_at_the_last_step_and_is_in_the_curves(tmp_path):
    data = components.build(Dataset, "mnist(limit=100)")
    vae = tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))")
    vae.compile = functools.partial(vae.compile, run_eagerly=True)
    numbers = {"epochs": 3, "batch_size": 50, "learning_rate": 1e-3}
    loop.train(vae, data, tmp_path, learning_rate_schedule="cosine", **numbers)
    found = [record["learning_rate"] for record in logs.read_metrics(tmp_path / "metrics.jsonl")]
    wanted = [1e-3 * (1 + math.cos(math.pi * step / 6)) / 2 for step in (2, 4, 6)]
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-10)


def test_a_cosine_in_cycles_is_one_after_the_other():
    found = rates.make("cosine(cycles=2)", 2e-3, 600)
    one = rates.make("cosine", 2e-3, 300)
    for step in (0, 1, 150, 299, 301, 450, 599):
        wanted = 1e-3 * (1 + math.cos(math.pi * (step % 300) / 300))
        assert float(found(step)) == pytest.approx(wanted, rel=1e-4, abs=1e-9)
        assert float(found(step)) == pytest.approx(float(one(step % 300)), rel=1e-4, abs=1e-9)
    assert [float(found(step)) for step in (300, 600)] == pytest.approx([0, 0], abs=1e-10)
    assert rates.describe("cosine(cycles=2)", 2e-3, 600) == (
        "0.002, cosine(cycles=2) over 600 steps"
    )


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("cosin", "one of constant, cosine, stages. Received 'cosin'"),
        ("cosine(cycles=0)", "`cycles` is a positive int. Received 0"),
        ("cosine(cycle=2)", r"`cosine` has the option cycles. Received 'cosine\(cycle=2\)'"),
        ("stages(cycles=2)", "`stages` has no options"),
        ("cosine(2)", "written by name"),
    ],
)
def test_a_schedule_that_there_is_not_is_refused(schedule, message, tmp_path, capsys):
    with pytest.raises(ValueError, match=message):
        rates.make(schedule, 1e-3, 10)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'learning-rate-schedule = "{schedule}"\n')
    with pytest.raises(cli.UsageError, match=message):
        commands.read_recipe(str(recipe))


@pytest.mark.parametrize("steps", [59, 590_000, 9_840_000])
@pytest.mark.parametrize("cycles", [2, 3, 7])
def test_the_rate_is_0_at_the_end_of_each_cycle(steps, cycles):
    found = rates.make(f"cosine(cycles={cycles})", 1.0, steps * cycles)
    for end in range(steps, steps * cycles + 1, steps):
        assert float(found(end)) < 1e-6
        if end < steps * cycles:
            assert float(found(end + 2 + steps * cycles // 10**6)) > 0.98


def test_more_cycles_than_steps_are_refused_before_training(tmp_path):
    run = tmp_path / "run"
    schedule = ["--learning-rate-schedule", "cosine(cycles=7)", "--run", str(run)]
    with pytest.raises(cli.UsageError, match=r"A cycle is a step at least\..* for 6 steps"):
        train.main([*SMALL, *schedule])
    assert not run.exists()


def test_more_epochs_would_change_a_rate_that_falls(tmp_path):
    options = {**commands.DEFAULTS, "learning_rate_schedule": "cosine", "epochs": 3}
    (tmp_path / "options.json").write_text(json.dumps(options))
    with pytest.raises(
        cli.UsageError, match="rate follows from the number of epochs, 3; received 4"
    ):
        train.main(["--resume", "--run", str(tmp_path), "--epochs", "4"])


def test_stages_take_powers_of_three_and_the_rate_falls_to_a_tenth():
    ends, values = rates.stages(1.0, 3280)
    # A value holds up to and including its end.
    assert np.diff([-1, *ends, 3279]).tolist() == [3**i for i in range(8)]
    np.testing.assert_allclose(values, 10 ** (-np.arange(8) / 7))


def test_an_objective_that_does_not_fit_the_parts_is_refused_before_training(tmp_path):
    run = tmp_path / "run"
    parts = ["--objective", "elbo(kl='analytic')", "--prior", "mixture", "--run", str(run)]
    with pytest.raises(cli.UsageError, match="needs a KL divergence in closed form"):
        train.main([*SMALL, *parts])
    assert not run.exists()
