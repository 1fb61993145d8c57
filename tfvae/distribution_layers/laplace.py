"""The Laplace distribution, for real values with outliers."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import positive

tfd = tfp.distributions


class LaplaceLayer(DistributionLayer, name="laplace"):
    """Reads a tensor of parameters as independent Laplace distributions.

        p(x | loc, scale) = exp(-|x - loc| / scale) / (2 scale),  scale = exp(second half)

    Use it as p(x|z) for real values whose errors are often small and sometimes large: its log is
    the absolute error, where the Gaussian's is the squared one. Its standard deviation is
    sqrt(2) scale.

    Args:
        event_shape: Shape of one example.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`: loc, log-scale.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> LaplaceLayer(1)(tf.zeros([1, 2])).stddev().numpy().round(3)
        array([[1.414]], dtype=float32)

    References:
        [1] Kotz, Kozubowski and Podgorski. The Laplace distribution and
            generalizations. Birkhaeuser, 2001.
    """

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        loc, log_scale = tf.split(params, 2, axis=-1)
        return tfd.Independent(tfd.Laplace(loc, tf.exp(log_scale)), len(self.event_shape))

    def _of_moments(self, moments):
        mean, stddev = moments["mean"], moments["stddev"]
        log_scale = tf.math.log(positive(stddev)) - 0.5 * math.log(2)
        return self._distribution(tf.concat([mean, log_scale], axis=-1))

    def _sample(self, distribution, seed):
        # The inverse of the distribution function, from the middle: -+ scale log(1 - 2 |u - 1/2|)
        laplace = distribution.distribution
        centred = 2 * noise.open_uniform(seed, self.event_shape) - 1
        return laplace.loc - laplace.scale * tf.sign(centred) * tf.math.log1p(-tf.abs(centred))
