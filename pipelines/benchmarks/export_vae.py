"""Exports a model for the runtimes, in a process of its own."""

from pipelines import cli
from pipelines.benchmarks import onnx_graphs, works

REQUIRES = ("tensorflow",)


class Contestant:
    """Writes SavedModels, LiteRT files and the weights; no contestant, but run like one.

    The model isn't trained: what its weights are changes nothing about the time.

    Args:
        work: Fields of the `Work`.
    """

    def __init__(self, work):
        cli.load_tensorflow()
        import tfvae

        work = works.from_json(work)
        self._vae = tfvae.VAE((28, 28, 1), work.latent_size, network=work.network, seed=work.seed)

    def write(self, directory):
        """Writes everything under `directory`, which exists."""
        import tfvae

        tfvae.export(self._vae, directory)
        onnx_graphs.save_weights(self._vae, directory)
