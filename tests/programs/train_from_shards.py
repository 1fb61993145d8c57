"""Trains an epoch on streamed shards, and prints how the resident size of the process goes.

    python train_from_shards.py PATTERN FEATURES

On standard output, in bytes, beside the number of examples: the largest resident size in the first
fifth of the epoch, and in the rest of it.
"""

import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

import tfvae
from tfvae import components
from tfvae.datasets.base import Dataset

BATCH, STEPS = 50, 1  # small beside what is measured: some are on their way at any time


def resident():
    """Returns the resident size of this process in bytes."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch(keras.callbacks.Callback):
    """Keeps the resident size after each block."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def on_train_batch_end(self, batch, logs=None):
        del batch, logs
        self.sizes.append(resident())


def main(pattern, features):
    """Measures."""
    spec = f"tfrecord(pattern={pattern!r}, features={features}, stream=True, buffer=50, test=0)"
    data = components.build(Dataset, spec)
    vae = tfvae.VAE(data.event_shape, 2, network="mlp(hidden=(4,))", likelihood="normal")
    vae.compile(keras.optimizers.Adam(), jit_compile=False)
    watch = Watch()
    vae.fit(
        data.blocks(BATCH, STEPS),
        steps_per_epoch=len(data.block_steps(BATCH, STEPS)),
        shuffle=False,
        verbose=0,
        callbacks=[watch],
    )
    fifth = len(watch.sizes) // 5
    print(data.num_examples("train"), max(watch.sizes[:fifth]), max(watch.sizes[fifth:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
