"""The work that every contestant does alike."""

import dataclasses

#: Side and number of pixels of an image.
SIDE = 28
PIXELS = SIDE * SIDE


@dataclasses.dataclass(frozen=True)
class Work:
    """A model and the data it trains on.

        encoder: x -> hidden -> mean and log-variance of q(z|x)
        decoder: z -> hidden -> logits of p(x|z);  Adam on -ELBO, one sample of z, mean over a batch

    With `channels`, three and more strided convolutions stand before the hidden layer and as many
    transposed ones behind it, as in the network `conv` of this project.

    Attributes:
        title: For the report.
        num_images: Training images an epoch, a multiple of the batch size.
        binarized: Whether each pixel is drawn anew each epoch, x ~ Bernoulli(grey).
        channels: Channels after each halving of the image; empty for the perceptron.
        hidden: Size of the hidden dense layer.
        latent_size: Length of a code.
        batch_size: Images a step.
        learning_rate: Of Adam.
        num_test: Test images for the ELBO after training.
        seed: Weights, order and noise follow from it, in each contestant's own way.
    """

    title: str
    num_images: int = 55000  # the training split of `mnist`: 60,000 less 5,000 for validation
    binarized: bool = False
    channels: tuple[int, ...] = ()
    hidden: int = 500
    latent_size: int = 20
    batch_size: int = 100
    learning_rate: float = 1e-3
    num_test: int = 10000
    seed: int = 0

    @property
    def steps(self):
        """Steps of the optimizer an epoch."""
        return self.num_images // self.batch_size

    @property
    def network(self):
        """Spec of this project's network."""
        if self.channels:
            return f"conv(channels={self.channels}, hidden={self.hidden}, kernel_size=4)"
        return f"mlp(hidden=({self.hidden},))"

    @property
    def dense(self):
        """Inputs and outputs of the perceptron's layers, in the order of the computation."""
        return (
            (PIXELS, self.hidden),
            (self.hidden, 2 * self.latent_size),
            (self.latent_size, self.hidden),
            (self.hidden, PIXELS),
        )


WORKS = {
    "aevb": Work("784-500-20-500-784, grey"),
    "aevb_binarized": Work("784-500-20-500-784, dynamically binarized", binarized=True),
    "conv": Work("3 convolutional blocks, grey", 6000, channels=(32, 64, 128), hidden=256),
}


def quick(work):
    """Returns a small version of a work, to see the program run: its times mean nothing."""
    return dataclasses.replace(work, num_images=1000 if work.channels else 5000, num_test=1000)


def to_json(work):
    """Returns a work as a dict that JSON can carry."""
    return dataclasses.asdict(work)


def from_json(fields):
    """Returns the work that `to_json` wrote."""
    return Work(**{**fields, "channels": tuple(fields["channels"])})
