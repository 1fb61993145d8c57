"""The multilayer perceptron."""

import math

import keras

from tfvae.networks.base import Network, check_activation, check_sizes


class MLP(Network, name="mlp"):
    """Dense hidden layers on the flattened input, and a linear output.

        h = activation(W h + b) for each size in hidden,  params = W h + b

    The decoder has the same hidden sizes in reverse. Fits events of any shape.

    Args:
        hidden: Sizes of the hidden layers, from the data to the code; may be empty, which makes
            both directions linear.
        activation: Name of a Keras activation.

    Raises:
        ValueError: If a size is not a positive int or the activation is unknown.

    References:
        [1] Kingma and Welling, appendix C. https://arxiv.org/abs/1312.6114
    """

    def __init__(self, *, hidden=(500,), activation="relu"):
        self.hidden = check_sizes("hidden", hidden)
        self.activation = check_activation(activation)

    def encoder(self, event_shape, params_shape):
        """Returns x `[batch, *event_shape]` -> params `[batch, *params_shape]`."""
        return self._model(event_shape, self.hidden, params_shape, "encoder")

    def decoder(self, latent_size, params_shape):
        """Returns z `[batch, latent_size]` -> params `[batch, *params_shape]`."""
        return self._model((latent_size,), self.hidden[::-1], params_shape, "decoder")

    def _model(self, input_shape, hidden, params_shape, name):
        inputs = keras.Input(input_shape, name=f"{name}_input")
        h = keras.layers.Flatten()(inputs)
        for size in hidden:
            h = keras.layers.Dense(size, self.activation)(h)
        params = keras.layers.Dense(math.prod(params_shape))(h)
        return keras.Model(inputs, keras.layers.Reshape(params_shape)(params), name=name)
