"""The count of active latents while a model learns, and what is said when most are idle."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from sources import build

import tfvae
from tfvae.training import logs as written
from tfvae.training import loop
from tfvae.training.latents import ActiveLatents

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def counted(epochs, *, active, **options):
    """Returns the logs of all epochs, and what was said, of a model with so many active latents."""
    vae = tfvae.VAE((6,), 4, network="mlp(hidden=())", likelihood="normal", **options)
    vae.compile()
    kernel, bias = vae.encoder.get_weights()
    kernel[:, active:] = 0.0
    vae.encoder.set_weights([kernel, bias])
    said = []
    latents = ActiveLatents(tf.data.Dataset.from_tensors(X), epochs, said.append)
    latents.set_model(vae)
    logs = [{} for _ in range(epochs)]
    for epoch, log in enumerate(logs):
        latents.on_epoch_end(epoch, log)
    return logs, said


def test_each_epoch_has_the_number_of_active_latents():
    logs, said = counted(4, active=3)
    assert logs == [{"val_active_latents": 3}] * 4
    assert said == []


def test_most_of_them_idle_is_said_once_after_a_quarter_of_the_epochs():
    _, (text,) = counted(9, active=1)
    assert text.startswith("After epoch 3: Most latents carry nothing: 3 of 4 don't depend on the")
    assert "elbo(free_bits=0.1)" in text
    _, (text,) = counted(8, active=0)
    assert text.startswith("After epoch 2: The posterior has collapsed: none of the 4 latents")


@pytest.mark.parametrize(("epochs", "options"), [(1, {}), (4, {"posterior": "delta"})])
def test_nothing_is_said_at_the_end_or_of_an_autoencoder(epochs, options):
    _, said = counted(epochs, active=0, **options)
    assert said == []


def test_a_run_has_them_in_its_curves_and_says_that_it_collapses(tmp_path, capsys):
    vae = tfvae.VAE((2,), 4, network="mlp(hidden=())", likelihood="normal")
    vae.encoder.set_weights([np.zeros_like(weight) for weight in vae.encoder.get_weights()])
    vae.compile = functools.partial(vae.compile, run_eagerly=True)
    data = build("synthetic(kind='moons', num=60)")
    loop.train(vae, data, tmp_path, epochs=4, batch_size=50, learning_rate=1e-9)
    assert "After epoch 1: The posterior has collapsed" in capsys.readouterr().out
    records = written.read_metrics(tmp_path / "metrics.jsonl")
    assert [record["validation"]["active_latents"] for record in records] == [0] * 4
