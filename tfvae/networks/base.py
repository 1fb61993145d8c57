"""The family of networks: x to the parameters of q(z|x), z to the parameters of p(x|z)."""

import abc

import keras

from tfvae import components


class Network(components.Component, abc.ABC):
    """A pair of functional Keras models, one for each direction.

    A member overrides `encoder` and `decoder`. Both end at the parameter tensor, without an
    activation: a distribution layer reads it.
    """

    @abc.abstractmethod
    def encoder(self, event_shape, params_shape):
        """Returns a `keras.Model`, x `[batch, *event_shape]` -> params `[batch, *params_shape]`."""

    @abc.abstractmethod
    def decoder(self, latent_size, params_shape):
        """Returns a `keras.Model`, z `[batch, latent_size]` -> params `[batch, *params_shape]`."""


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
