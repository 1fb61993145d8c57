"""Runs `pipelines.train` with a step compiled as a test wants it: XLA would keep it waiting.

python train_as.py '{"jit_compile": false}' [OPTIONS OF pipelines.train]
"""

import functools
import json
import sys

from pipelines import cli, train


def load_and_set(load, options):
    """Loads TensorFlow, quietly, and sets how each `VAE` is compiled."""
    load()
    from tfvae.vae import VAE

    VAE.compile = functools.partialmethod(VAE.compile, **options)


if __name__ == "__main__":
    options = json.loads(sys.argv.pop(1))
    cli.load_tensorflow = functools.partial(load_and_set, cli.load_tensorflow, options)
    cli.run(train.main)
