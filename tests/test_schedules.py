"""Schedules and a run: the one fits into the other, and the best epoch is that of the true ELBO."""

import numpy as np
import pytest

import tfvae
from pipelines import cli, train
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.training import logs, loop

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
    result = loop.train(vae, data, tmp_path, epochs=3, batch_size=150, learning_rate=1e-4)
    records = [record["validation"] for record in logs.read_metrics(tmp_path / "metrics.jsonl")]
    elbos, bounds = ([sign * r[k] for r in records] for k, sign in (("elbo", 1), ("loss", -1)))
    # With a weight that rises to 300 the bound falls from epoch to epoch while the model learns.
    assert np.argmax(bounds) != np.argmax(elbos)
    assert result.best_epoch == 1 + int(np.argmax(elbos))
    assert result.best_elbo == max(elbos)
    for record in records:
        assert record["elbo"] == pytest.approx(record["reconstruction"] - record["kl"], rel=1e-5)


def test_an_objective_that_does_not_fit_the_parts_is_refused_before_training(tmp_path):
    run = tmp_path / "run"
    parts = ["--objective", "elbo(kl='analytic')", "--prior", "mixture", "--run", str(run)]
    with pytest.raises(cli.UsageError, match="needs a KL divergence in closed form"):
        train.main([*SMALL, *parts])
    assert not run.exists()
