"""Variational autoencoders on Keras 3 and TensorFlow.

    vae = tfvae.VAE(event_shape=(28, 28, 1), latent_size=20)
    vae.compile(optimizer="adam")
    vae.fit(dataset, epochs=20)
    tfvae.export(vae, "exported/mnist")

Importing `tfvae` costs nothing: TensorFlow is loaded when one of its names is first used. Where
Keras is loaded already, `VAE` is registered with it at once, for `keras.models.load_model`.
"""

import importlib
import sys

__version__ = "0.1.0"

_HOME = {
    "VAE": "tfvae.vae",
    "FromPython": "tfvae.datasets.python",
    "export": "tfvae.exporters.publication",
}

__all__ = ["VAE", "FromPython", "__version__", "export"]


def __getattr__(name):
    """Imports a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'tfvae' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    return sorted(__all__)


if sys.modules.get("keras") is not None:
    importlib.import_module(_HOME["VAE"])
