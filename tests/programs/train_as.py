"""Runs `pipelines.train` with a step compiled as a test wants it: XLA would keep it waiting.

    python train_as.py '{"jit_compile": false}' [OPTIONS OF pipelines.train]
"""

import functools
import json
import sys

from pipelines import cli, train

OPTIONS = json.loads(sys.argv.pop(1))
load_tensorflow = cli.load_tensorflow


def load_and_set():
    """Loads TensorFlow, quietly, and sets how each `VAE` is compiled."""
    load_tensorflow()
    from tfvae.vae import VAE

    VAE.compile = functools.partialmethod(VAE.compile, **OPTIONS)


if __name__ == "__main__":
    cli.load_tensorflow = load_and_set
    cli.run(train.main)
