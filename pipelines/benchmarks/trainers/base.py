"""What a contestant that trains promises."""

import abc

from pipelines.benchmarks import elbo, mnist, works


class Trainer(abc.ABC):
    """Trains the model of a `Work` on its images, with the best settings of its library.

    A member builds the model in `build` and overrides the rest. Nothing of the framework is
    imported before `build`.

    Args:
        work: Fields of the `Work`.
    """

    def __init__(self, work):
        self.work = works.from_json(work)
        self._epochs = 0
        self.build(self.work)

    @abc.abstractmethod
    def build(self, work):
        """Makes the model, the optimizer and the data, ready to train."""

    @abc.abstractmethod
    def fit(self, first_epoch, epochs):
        """Trains `epochs` epochs, `first_epoch` being done already; returns when all is computed.

        An epoch takes each image once, shuffled, in steps of a batch.
        """

    @abc.abstractmethod
    def num_steps(self):
        """Returns how many steps the optimizer itself has counted since `build`."""

    @abc.abstractmethod
    def encode(self, x):
        """Returns mean and log-variance `[batch, latent]` of x `[batch, 28, 28, 1]`, for NumPy."""

    @abc.abstractmethod
    def decode(self, z):
        """Returns the logits of z `[batch, latent]`, for NumPy."""

    def train(self, epochs):
        """Trains so many epochs more: what is timed."""
        self.fit(self._epochs, epochs)
        self._epochs += epochs

    def evaluate(self):
        """Returns what was done: the ELBO of the test images in nats, and the number of steps."""
        images = mnist.test_images(self.work.num_test, self.work.binarized)
        value = elbo.mean_elbo(self.encode, self.decode, images, self.work.seed)
        return {"elbo": value, "steps": int(self.num_steps())}
