"""The residual network, for images and for everything else."""

import math

import keras

from tfvae.networks.base import Network, check_activation, check_size, check_sizes
from tfvae.networks.sides import crop, halved


class Residual(Network, name="residual"):
    """Blocks that add to what they are given, convolutional for images and dense for the rest.

        block(h) = h + W activation(norm(V activation(norm(h))))

    An image goes through `blocks` blocks after each halving of its sides, and the way up mirrors
    the way down. An event of another shape is flattened and goes through `blocks` dense ones of
    `hidden` units. The normalisation is that of a layer: over the channels at each place, or over
    the units, so that an example's code doesn't depend on the batch it travels in. Fits events of
    any shape; axes behind the second are channels.

    Args:
        channels: Channels after each halving of an image, from the data to the code.
        blocks: Blocks after each halving, or of the dense network.
        hidden: Units of the dense layers.
        kernel_size: Side of each kernel.
        activation: Name of a Keras activation.
        normalize: Whether a layer normalisation stands before each activation.

    Raises:
        ValueError: If a size is not a positive int, there is no size in `channels`, or the
            activation is unknown.

    References:
        [1] He et al. Identity mappings in deep residual networks, figure 1b.
            https://arxiv.org/abs/1603.05027
        [2] Ba, Kiros and Hinton. Layer normalization, eq. 3. https://arxiv.org/abs/1607.06450
    """

    def __init__(
        self,
        *,
        channels=(32, 64),
        blocks=2,
        hidden=256,
        kernel_size=3,
        activation="relu",
        normalize=True,
    ):
        self.channels = check_sizes("channels", channels)
        if not self.channels:
            raise ValueError("`channels` holds one size at least, such as (32, 64). Received ().")
        self.blocks = check_size("blocks", blocks)
        self.hidden = check_size("hidden", hidden)
        self.kernel_size = check_size("kernel_size", kernel_size)
        self.activation = check_activation(activation)
        if not isinstance(normalize, bool):
            raise ValueError(f"`normalize` is True or False. Received {normalize!r}.")
        self.normalize = normalize

    def encoder(self, event_shape, params_shape):
        """Returns x `[batch, *event_shape]` -> params `[batch, *params_shape]`."""
        inputs = keras.Input(event_shape, name="encoder_input")
        if len(event_shape) < 3:
            return self._dense(inputs, params_shape, "encoder")
        h = keras.layers.Reshape((*event_shape[:2], math.prod(event_shape[2:])))(inputs)
        for channels in self.channels:
            h = keras.layers.Conv2D(channels, self.kernel_size, 2, "same")(h)
            h = self._convolutions(h, channels)
        h = keras.layers.Flatten()(self._activated(h))
        h = keras.layers.Dense(self.hidden, self.activation)(h)
        params = keras.layers.Dense(math.prod(params_shape))(h)
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name="encoder")

    def decoder(self, latent_size, params_shape):
        """Returns z `[batch, latent_size]` -> params `[batch, *params_shape]`."""
        inputs = keras.Input((latent_size,), name="decoder_input")
        if len(params_shape) < 3:
            return self._dense(inputs, params_shape, "decoder")
        sides = halved(params_shape[:2], len(self.channels))
        smallest = (*sides.pop(), self.channels[-1])
        h = keras.layers.Dense(self.hidden, self.activation)(inputs)
        h = keras.layers.Dense(math.prod(smallest))(h)
        h = keras.layers.Reshape(smallest)(h)
        h = self._convolutions(h, self.channels[-1])
        for channels in (*self.channels[-2::-1], self.channels[0]):
            h = keras.layers.Conv2DTranspose(channels, self.kernel_size, 2, "same")(h)
            h = self._convolutions(crop(h, sides.pop()), channels)
        params = keras.layers.Conv2D(math.prod(params_shape[2:]), 3, 1, "same")(self._activated(h))
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name="decoder")

    def _dense(self, inputs, params_shape, name):
        h = keras.layers.Dense(self.hidden)(keras.layers.Flatten()(inputs))
        for _ in range(self.blocks):
            h = self._block(h, lambda: keras.layers.Dense(self.hidden))
        params = keras.layers.Dense(math.prod(params_shape))(self._activated(h))
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name=name)

    def _convolutions(self, h, channels):
        for _ in range(self.blocks):
            h = self._block(
                h, lambda: keras.layers.Conv2D(channels, self.kernel_size, padding="same")
            )
        return h

    def _block(self, h, layer):
        """Returns h and what two layers make of it; `layer` makes one that keeps the shape."""
        added = h
        for _ in range(2):
            added = layer()(self._activated(added))
        return keras.layers.Add()([h, added])

    def _activated(self, h):
        h = keras.layers.LayerNormalization()(h) if self.normalize else h
        return keras.layers.Activation(self.activation)(h)
