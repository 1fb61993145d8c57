"""A flow of affine coupling layers."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distributions import DiagonalNormal
from tfvae.layered import of_noise
from tfvae.options import check_count
from tfvae.priors.base import Prior

tfb = tfp.bijectors
tfd = tfp.distributions

_REACH = 2.0  # of the log-scale of one layer


class Coupling(Prior, name="coupling"):
    """A learned bijector of standard normal noise: affine coupling layers (RealNVP).

        p(z) = N(f(z) | 0, I) |df/dz|,  z = loc + scale * g_L(... g_1(eps))
        g(y) = y where mask is 1, y exp(s) + t elsewhere,  (s, t) = network(mask * y)

    The mask changes sides from layer to layer. Density and draws take one pass each. The KL
    divergence from it has no closed form: `elbo` takes the mean over its samples.

    Args:
        latent_size: Length of a code.
        num_layers: L, coupling layers; two of them change every latent.
        hidden: Units of the hidden layer of each network.

    Raises:
        ValueError: If an option is not a positive int.

    References:
        [1] Dinh, Sohl-Dickstein and Bengio. Density estimation using Real NVP, eq. 7 to 9.
            https://arxiv.org/abs/1605.08803
    """

    def __init__(self, latent_size, *, num_layers=4, hidden=64, **kwargs):
        super().__init__(latent_size, **kwargs)
        check_count("num_layers", num_layers)
        check_count("hidden", hidden)
        self.loc = self.add_weight(shape=(latent_size,), initializer="zeros", name="loc")
        self.log_scale = self.add_weight(
            shape=(latent_size,), initializer="zeros", name="log_scale"
        )
        self.networks = [_network(latent_size, hidden, str(i)) for i in range(num_layers)]

    def _distribution(self, posterior_of):
        del posterior_of
        outer = DiagonalNormal(tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.log_scale))
        layers = [_Layer(self._mask(i), net) for i, net in enumerate(self.networks)]
        return of_noise(self.latent_size, tfb.Chain([outer.bijector, *reversed(layers)]))

    def _draw(self, noise, posterior_of):
        return self._distribution(posterior_of).bijector.forward(noise["eps"])

    def _mask(self, index):
        return tf.cast(tf.range(self.latent_size) % 2 == index % 2, tf.float32)


class _Layer(tfb.Bijector):  # type: ignore[name-defined]
    """One layer: the latents of the mask pass, and say how the others are scaled and shifted."""

    def __init__(self, mask, network):
        parameters = dict(locals())
        self._mask, self._network = mask, network
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name="coupling")

    @classmethod
    def _parameter_properties(cls, dtype):
        return {}

    def _forward(self, x):
        log_scale, shift = self._scale_and_shift(x)
        return x * tf.exp(log_scale) + shift

    def _inverse(self, y):
        log_scale, shift = self._scale_and_shift(y)
        return (y - shift) * tf.exp(-log_scale)

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(self._scale_and_shift(x)[0], axis=-1)

    def _inverse_log_det_jacobian(self, y):
        return -tf.reduce_sum(self._scale_and_shift(y)[0], axis=-1)

    def _scale_and_shift(self, x):
        """Returns both, zero where the mask is one: the same before and after the layer."""
        given = self._mask * x
        size = given.shape[-1]
        params = self._network(tf.reshape(given, [-1, size]))
        params = tf.reshape(params, tf.concat([tf.shape(given)[:-1], [2 * size]], axis=0))
        raw, shift = tf.split(params, 2, axis=-1)
        free = 1 - self._mask
        # Bounded: exp of a free number overflows on the way to a good fit.
        return free * _REACH * tf.tanh(raw / _REACH), free * shift


def _network(latent_size, hidden, name):
    # Nearly the identity at the start; not quite, or no gradient would reach the hidden layer.
    small = keras.initializers.RandomNormal(stddev=0.01)
    return keras.Sequential(
        [
            keras.Input((latent_size,)),
            keras.layers.Dense(hidden, "tanh", dtype="float32"),
            keras.layers.Dense(2 * latent_size, kernel_initializer=small, dtype="float32"),
        ],
        name=f"coupling_{name}",
    )
