"""Stochastic layers in one vector: codes of the one that depend on those of the other."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distributions import normal_terms, standard_normal_like

tfb = tfp.bijectors
tfd = tfp.distributions


def weight_shapes(num_given, num_free, hidden):
    """Returns the shapes of the weights of the network from given codes to the others, by name."""
    return {
        "kernel_0": (num_given, hidden),
        "bias_0": (hidden,),
        "kernel_1": (hidden, hidden),
        "bias_1": (hidden,),
        "kernel_2": (hidden, 2 * num_free),
        "bias_2": (2 * num_free,),
    }


def add_weights(layer, shapes, suffix=""):
    """Adds weights to a Keras layer: kernels as Glorot begins them, biases of zero.

    Args:
        layer: The layer.
        shapes: Dict of name to shape.
        suffix: What the layer calls them by besides.

    Returns:
        Dict of name to variable.
    """
    glorot = keras.initializers.GlorotUniform
    return {
        name: layer.add_weight(
            shape=shape,
            initializer=glorot() if len(shape) == 2 else "zeros",
            name=f"{name}{suffix}",
        )
        for name, shape in shapes.items()
    }


def features(weights, given):
    """Returns what the network makes of given codes: two layers of hidden units."""
    for layer in (0, 1):
        product = tf.tensordot(given, weights[f"kernel_{layer}"], 1)
        given = tf.tanh(product + weights[f"bias_{layer}"])
    return given


def params(weights, hidden):
    """Returns loc and log-variance of the free codes."""
    product = tf.tensordot(hidden, weights["kernel_2"], 1)
    return tf.split(product + weights["bias_2"], 2, axis=-1)


class OfNoise(tfd.TransformedDistribution):  # type: ignore[name-defined]
    """A bijector of standard normal noise.

    A class of its own: TensorFlow Probability makes its own class into another when called.
    """


def of_noise(size, bijector):
    """Returns the distribution of a bijector of standard normal noise, batch shape `[]`."""
    return OfNoise(standard_normal_like(tf.zeros([size])), bijector)


class OfLayers(OfNoise):
    """Layers of Gaussians, each given others, as one bijector of standard normal noise."""

    def element_log_prob(self, z):
        """Returns log p(z_i | the codes of other layers that it is drawn by), `[..., latent]`."""
        return normal_terms(self.bijector.inverse(z), self.bijector.log_scales(z))


def of_layers(size, bijector):
    """Returns the distribution of a bijector that has `log_scales`, batch shape `[]`."""
    return OfLayers(standard_normal_like(tf.zeros([size])), bijector)


def default_top(latent_size, top):
    """Returns the size of the top layer: half of the latents unless it is given.

    Examples:
        >>> default_top(5, None)
        2
        >>> default_top(5, 5)
        Traceback (most recent call last):
        ValueError: `top` is the number of latents of the upper layer, from 0 to 4 of these 5...
    """
    if top is None:
        return latent_size // 2
    if type(top) is not int or not 0 <= top < latent_size:
        raise ValueError(
            f"`top` is the number of latents of the upper layer, from 0 to {latent_size - 1} of "
            f"these {latent_size}, or None for half of them. Received {top!r}."
        )
    return top


class Conditioned(tfb.Bijector):  # type: ignore[name-defined]
    """Makes the codes of one layer of noise and of the codes of the other, which pass.

        z = (lower, upper);  free = loc(given) + scale(given) * eps,  given = as it came

    Density and draws take one pass of the network each.

    Args:
        weights: Dict of tensors, as `weight_shapes` names them.
        num_lower: Codes of the lower layer, which stand first.
        given: "lower" or "upper": the layer that passes.
    """

    def __init__(self, weights, num_lower, given):
        parameters = dict(locals())
        self._weights, self._num_lower, self._given = weights, num_lower, given
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name="conditioned")

    @classmethod
    def _parameter_properties(cls, dtype):
        return {}

    def _forward(self, x):
        given, free = self._split(x)
        loc, log_scale = self._network(given)
        return self._join(given, loc + tf.exp(log_scale) * free)

    def _inverse(self, y):
        given, free = self._split(y)
        loc, log_scale = self._network(given)
        return self._join(given, (free - loc) * tf.exp(-log_scale))

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(self._network(self._split(x)[0])[1], axis=-1)

    def _inverse_log_det_jacobian(self, y):
        return -tf.reduce_sum(self._network(self._split(y)[0])[1], axis=-1)

    def log_scales(self, z):
        """Returns the log-scale of each code given the other layer, 0 of one that passes."""
        given, free = self._split(z)
        return self._join(tf.zeros_like(given), self._network(given)[1] + tf.zeros_like(free))

    def _split(self, z):
        lower, upper = z[..., : self._num_lower], z[..., self._num_lower :]
        return (lower, upper) if self._given == "lower" else (upper, lower)

    def _join(self, given, free):
        parts = (given, free) if self._given == "lower" else (free, given)
        return tf.concat(parts, axis=-1)

    def _network(self, given):
        """Returns loc and log-scale of the free codes."""
        loc, log_variance = params(self._weights, features(self._weights, given))
        return loc, 0.5 * log_variance
