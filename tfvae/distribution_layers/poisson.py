"""The Poisson distribution, for counts."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distribution_layers import draws
from tfvae.distribution_layers.counts import CountsLayer
from tfvae.distribution_layers.elements import Elementwise, positive

tfd = tfp.distributions

_LEAST = 1e-3  # rate that a decoder begins with


class PoissonLayer(CountsLayer, name="poisson"):
    """Reads a tensor of log-rates as independent Poisson distributions.

        P(x) = rate**x exp(-rate) / x!,  rate = exp(params),  x in {0, 1, 2, ...}

    Use it as p(x|z) for counts whose variance is their mean given z; `negative_binomial` fits
    counts that spread more.

    Args:
        event_shape: Shape of one example.

    Call arguments:
        params: Float tensor `[batch, *event_shape]`, log-rates.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> PoissonLayer(1)(tf.zeros([1, 1])).log_prob([[0.0]]).numpy().tolist()
        [-1.0]

    References:
        [1] Zhao et al. Variational autoencoders for sparse and overdispersed discrete
            data. https://arxiv.org/abs/1905.00616
    """

    moments = ("mean",)

    @property
    def params_shape(self):
        """`event_shape`: one log-rate for each element."""
        return self.event_shape

    def _distribution(self, params):
        return tfd.Independent(_Poisson(params), len(self.event_shape))

    def _of_moments(self, moments):
        mean = moments["mean"]
        return self._distribution(tf.math.log(positive(mean)))

    def _params_at(self, mean):
        return np.log(np.maximum(mean, _LEAST))

    def _sample(self, distribution, seed):
        return draws.poisson(seed, distribution.mean())


class _Poisson(Elementwise):
    def __init__(self, log_rate):
        parameters = dict(locals())
        self.log_rate = log_rate
        super().__init__(log_rate, parameters)

    def _log_prob(self, x):
        return draws.poisson_log_mass(x, self.log_rate)

    def _mean(self):
        return tf.exp(self.log_rate)

    _variance = _mean
