"""The negative binomial distribution, for counts that spread more than Poisson's."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers import draws
from tfvae.distribution_layers.counts import CountsLayer
from tfvae.distribution_layers.elements import Elementwise, log_rising

tfd = tfp.distributions

_LEAST = 1e-3  # mean that a decoder begins with


class NegativeBinomialLayer(CountsLayer, name="negative_binomial"):
    """Reads a tensor of parameters as independent negative binomial distributions.

        P(x) = Gamma(r + x) / (Gamma(r) x!) (r / (r + m))**r (m / (r + m))**x,  x in {0, 1, 2, ...}

    with the mean m = exp(first half) and the size r = exp(second half): a Poisson distribution
    whose rate is a Gamma variate of mean m and shape r. The variance is m + m**2 / r, and it
    becomes Poisson's as r grows. Use it as p(x|z) for counts.

    Args:
        event_shape: Shape of one example.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> NegativeBinomialLayer(1)(tf.zeros([1, 2])).variance().numpy().tolist()
        [[2.0]]

    References:
        [1] Lopez et al. Deep generative modeling for single-cell transcriptomics. Nature
            Methods 15, 2018. https://doi.org/10.1038/s41592-018-0229-2
    """

    proposed = True

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        log_mean, log_size = tf.split(params, 2, axis=-1)
        return tfd.Independent(_NegativeBinomial(log_mean, log_size), len(self.event_shape))

    def _params_at(self, mean):
        log_mean = np.log(np.maximum(mean, _LEAST))
        # A size of 1, the geometric distribution: as broad as its mean is large, whatever it is.
        return np.concatenate([log_mean, np.zeros_like(log_mean)], axis=-1)

    def _sample(self, distribution, seed):
        d = distribution.distribution
        log_g = draws.log_gamma(noise.fold_in(seed, 0), tf.exp(d.log_size))
        return draws.poisson(noise.fold_in(seed, 1), tf.exp(log_g + d.log_mean - d.log_size))


class _NegativeBinomial(Elementwise):
    def __init__(self, log_mean, log_size):
        parameters = dict(locals())
        self.log_mean, self.log_size = log_mean, log_size
        super().__init__(log_mean, parameters)

    def _log_prob(self, x):
        mean, size = tf.exp(self.log_mean), tf.exp(self.log_size)
        # log Gamma(r + x) / Gamma(r) is `log_rising` and x log(r + 8), which goes to the last term.
        at_zero = -size * tf.math.softplus(self.log_mean - self.log_size)
        each = self.log_mean + tf.math.log((size + 8) / (size + mean))
        return log_rising(size, x) - tf.math.lgamma(x + 1) + at_zero + x * each

    def _mean(self):
        return tf.exp(self.log_mean)

    def _variance(self):
        return self._mean() + tf.exp(2 * self.log_mean - self.log_size)
