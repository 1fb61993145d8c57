"""The count of active latents while a model learns, and what is said when most are idle."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
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
