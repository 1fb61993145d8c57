"""tfvae, VAE.fit."""

from pipelines import cli
from pipelines.benchmarks.trainers.base import Trainer

REQUIRES = ("tensorflow",)


def build(work):
    """Returns the model and its feed, as a user of the library writes it."""
    from tfvae import components
    from tfvae.datasets.base import Dataset

    mode = "dynamic" if work.binarized else "none"
    data = components.build(Dataset, f"mnist(binarize={mode!r}, limit={work.num_images})")
    return model(data, work)


def model(data, work):
    """Returns the model for a data set, ready to train, and what feeds it."""
    import keras

    import tfvae
    from tfvae.training import feeding

    feed = feeding.make(data, work.batch_size, work.seed)
    vae = tfvae.VAE(data.event_shape, work.latent_size, network=work.network, seed=work.seed)
    vae.compile(keras.optimizers.Adam(work.learning_rate), prepare=feed.prepare())
    return vae, feed


def fit(vae, feed, first_epoch, epochs):
    """Trains: the one place that knows how this project wants to be called."""
    vae.fit(
        feed.training(first_epoch, 0),
        steps_per_epoch=len(feed.calls(0)),
        initial_epoch=first_epoch,
        epochs=first_epoch + epochs,
        shuffle=False,
        verbose=0,
    )


class Contestant(Trainer):
    """The model of this project, trained by its public way."""

    def build(self, work):
        """Builds the model as a user does."""
        cli.load_tensorflow()
        self._vae, self._feed = build(work)

    def fit(self, first_epoch, epochs):
        """Trains by `VAE.fit`."""
        fit(self._vae, self._feed, first_epoch, epochs)

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
