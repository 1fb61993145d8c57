"""The convolutional network for images."""

import math

import keras

from tfvae.networks.base import Network, check_activation, check_size, check_sizes
from tfvae.networks.sides import crop, halved


class Conv(Network, name="conv"):
    """Strided convolutions down to the code, transposed convolutions back up.

        h = activation(kernel * h + b), every second row and column;  params = W h + b

    Each entry of `channels` halves the height and the width. Sizes that are odd, or too small
    to halve, work: the way up is cropped to the sizes of the way down, so the output has
    exactly the shape of the event. Fits events `(height, width, channels)`.

    Args:
        channels: Channels after each halving, from the data to the code.
        hidden: Size of the dense layer next to the code.
        kernel_size: Side of each kernel.
        activation: Name of a Keras activation.

    Raises:
        ValueError: If a size is not a positive int, there is no size in `channels`, the activation
            is unknown, or the event is not an image.

    References:
        [1] Radford, Metz and Chintala. Unsupervised representation learning with deep
            convolutional generative adversarial networks, section 3.
            https://arxiv.org/abs/1511.06434
    """

    def __init__(self, *, channels=(32, 64), hidden=256, kernel_size=4, activation="relu"):
        self.channels = check_sizes("channels", channels)
        if not self.channels:
            raise ValueError("`channels` holds one size at least, such as (32, 64). Received ().")
        self.hidden = check_size("hidden", hidden)
        self.kernel_size = check_size("kernel_size", kernel_size)
        self.activation = check_activation(activation)

    def encoder(self, event_shape, params_shape):
        """Returns x `[batch, *event_shape]` -> params `[batch, *params_shape]`."""
        if len(event_shape) != 3:
            raise ValueError(_no_image(event_shape))
        inputs = keras.Input(event_shape, name="encoder_input")
        h = inputs
        for channels in self.channels:
            h = keras.layers.Conv2D(channels, self.kernel_size, 2, "same")(h)
            h = keras.layers.Activation(self.activation)(h)
        h = keras.layers.Dense(self.hidden, self.activation)(keras.layers.Flatten()(h))
        params = keras.layers.Dense(math.prod(params_shape))(h)
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name="encoder")

    def decoder(self, latent_size, params_shape):
        """Returns z `[batch, latent_size]` -> params `[batch, *params_shape]`."""
        if len(params_shape) < 3:
            raise ValueError(_no_image(params_shape))
        sides = halved(params_shape[:2], len(self.channels))
        inputs = keras.Input((latent_size,), name="decoder_input")
        h = keras.layers.Dense(self.hidden, self.activation)(inputs)
        smallest = (*sides.pop(), self.channels[-1])
        h = keras.layers.Dense(math.prod(smallest), self.activation)(h)
        h = keras.layers.Reshape(smallest)(h)
        for channels in (*self.channels[-2::-1], self.channels[0]):
            h = keras.layers.Conv2DTranspose(channels, self.kernel_size, 2, "same")(h)
            h = crop(h, sides.pop())
            h = keras.layers.Activation(self.activation)(h)
        params = keras.layers.Conv2D(math.prod(params_shape[2:]), 3, 1, "same")(h)
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name="decoder")


def _no_image(shape):
    return (
        f"The network `conv` reads images: an event shape (height, width, channels). "
        f"Received {shape}. Use `--network mlp`, which reads any shape."
    )
