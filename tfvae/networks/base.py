"""The family of networks: x to the parameters of q(z|x), z to the parameters of p(x|z)."""

import abc
import math

import keras
import numpy as np

from tfvae import components


class Network(components.Component, abc.ABC):
    """A pair of functional Keras models, one for each direction.

    A member overrides `encoder` and `decoder`. Both end at the parameter tensor, without an
    activation: a distribution layer reads it. Their last weight is a bias, of every parameter or,
    after a convolution, of those of one place.
    """

    @abc.abstractmethod
    def encoder(self, event_shape, params_shape):
        """Returns a `keras.Model`, x `[batch, *event_shape]` -> params `[batch, *params_shape]`."""

    @abc.abstractmethod
    def decoder(self, latent_size, params_shape):
        """Returns a `keras.Model`, z `[batch, latent_size]` -> params `[batch, *params_shape]`."""

    def conditional_encoder(self, event_shape, params_shape, num_known):
        """Returns the encoder of examples of which more is known: (x, c) -> params.

        It is the encoder of larger events: c stands behind the elements of a vector, and, as a
        channel of its own, behind the others of an image. What it looks like there is learned.

        Args:
            event_shape: Shape of one example.
            params_shape: As of `encoder`.
            num_known: Length of the vector c; 0 for none, and then it is `encoder`.

        Returns:
            A `keras.Model` of [x `[batch, *event_shape]`, c `[batch, num_known]`], or of x.
        """
        if not num_known:
            return self.encoder(event_shape, params_shape)
        x = keras.Input(event_shape, name="encoder_input")
        c = keras.Input((num_known,), name="encoder_condition")
        shown = c
        if len(event_shape) > 1:
            channel = (*event_shape[:-1], 1)
            shown = keras.layers.Dense(math.prod(channel), name="condition_channel")(c)
            shown = keras.layers.Reshape(channel)(shown)
        joined = keras.layers.Concatenate()([x, shown])
        inner = self.encoder(tuple(joined.shape[1:]), params_shape)
        return keras.Model([x, c], inner(joined), name="encoder")


def begin_at(decoder, params_of, mean):
    """Sets the bias that a decoder ends with, so that it begins near parameters.

    A convolution has one bias for all places: there it is the one for the mean over the places.

    Args:
        decoder: What `Network.decoder` returned.
        params_of: Function of a mean `[*event_shape]` -> parameters `[*params_shape]`, NumPy.
        mean: NumPy array `[*event_shape]`.

    Returns:
        Whether the decoder ends with such a bias; one of another kind stays as it is.

    Examples:
        >>> decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> begin_at(decoder, lambda mean: 2 * mean, np.array([0.5, 1.0]))
        True
        >>> decoder(np.zeros([1, 3])).numpy().tolist()
        [[1.0, 2.0]]
    """
    bias, shape = decoder.weights[-1], decoder.output_shape[1:]
    if tuple(bias.shape) == (math.prod(shape),):
        bias.assign(params_of(mean).reshape(bias.shape))
        return True
    if len(shape) >= 3 and tuple(bias.shape) == (math.prod(shape[2:]),):
        everywhere = np.broadcast_to(mean.mean(axis=(0, 1)), mean.shape)
        bias.assign(params_of(everywhere)[0, 0].reshape(bias.shape))
        return True
    return False


def check_sizes(option, sizes):
    """Returns layer sizes as a tuple of positive ints.

    Examples:
        >>> check_sizes("hidden", [200, 200])
        (200, 200)
    """
    sizes = tuple(sizes) if isinstance(sizes, list | tuple) else (sizes,)
    if any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(f"`{option}` holds positive ints, such as (200, 200). Received {sizes!r}.")
    return sizes


def check_size(option, size):
    """Returns one size as a positive int.

    Examples:
        >>> check_size("kernel_size", 4)
        4
    """
    if type(size) is not int or size < 1:
        raise ValueError(f"`{option}` is a positive int, such as 4. Received {size!r}.")
    return size


def check_activation(name):
    """Returns the name of a Keras activation if there is one of that name."""
    message = (
        f"`activation` is the name of a Keras activation, such as 'relu', 'tanh', 'gelu' or "
        f"'sigmoid'. Received {name!r}."
    )
    if not isinstance(name, str):  # a function could not be written down in a spec
        raise ValueError(message)
    try:
        keras.activations.get(name)
    except ValueError as error:
        raise ValueError(message) from error
    return name
