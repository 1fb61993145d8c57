"""tfvae, VAE.fit."""

from pipelines import cli
from pipelines.benchmarks.trainers.base import Trainer

REQUIRES = ("tensorflow",)


def build(work):
    """Returns the model and the data, as a user of the library writes it."""
    from tfvae import components
    from tfvae.datasets.base import Dataset

    mode = "dynamic" if work.binarized else "none"
    data = components.build(Dataset, f"mnist(binarize={mode!r}, limit={work.num_images})")
    return model(data, work), data


def model(data, work):
    """Returns the model for a data set, ready to train."""
    import keras

    import tfvae

    vae = tfvae.VAE(data.event_shape, work.latent_size, network=work.network, seed=work.seed)
    vae.compile(keras.optimizers.Adam(work.learning_rate), prepare=data.prepare)
    return vae


def fit(vae, data, work, first_epoch, epochs):
    """Trains: the one place that knows how this project wants to be called."""
    vae.fit(
        data.blocks(work.batch_size, _block(work.steps), work.seed, first_epoch * work.steps),
        steps_per_epoch=work.steps // _block(work.steps),
        initial_epoch=first_epoch,
        epochs=first_epoch + epochs,
        shuffle=False,
        verbose=0,
    )


def _block(steps, most=25):
    return next(size for size in range(min(steps, most), 0, -1) if steps % size == 0)


class Contestant(Trainer):
    """The model of this project, trained by its public way."""

    def build(self, work):
        """Builds the model as a user does."""
        cli.load_tensorflow()
        self._vae, self._data = build(work)

    def fit(self, first_epoch, epochs):
        """Trains by `VAE.fit`."""
        fit(self._vae, self._data, self.work, first_epoch, epochs)

    def num_steps(self):
        """Returns the optimizer's iterations."""
        return self._vae.optimizer.iterations.numpy()

    def encode(self, x):
        """Returns the parameters of q(z|x), by halves."""
        import numpy as np

        return np.split(self._vae.encoder(x).numpy(), 2, axis=-1)

    def decode(self, z):
        """Returns the parameters of p(x|z)."""
        return self._vae.decoder(z).numpy()
