"""The continuous Bernoulli, for values between 0 and 1."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise

tfd = tfp.distributions

# Below this |logit| the closed forms lose more digits to cancellation than their series leave out.
_SERIES = 0.5


class ContinuousBernoulliLayer(DistributionLayer, name="continuous_bernoulli"):
    """Reads a tensor of logits as independent continuous Bernoullis.

        p(x | a) = exp(a x) a / (exp(a) - 1),  x in [0, 1]

    The Bernoulli's formula with the normaliser that makes a density of it on the whole interval:
    p(x | s) = C(s) s**x (1 - s)**(1 - x) with s = sigmoid(a). Use it as p(x|z) for grey values. It
    has one parameter, so its spread follows from its mean.

    Args:
        event_shape: Shape of one example.

    Call arguments:
        params: Float tensor `[batch, *event_shape]`, logits.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> ContinuousBernoulliLayer(1)(tf.zeros([1, 1])).mean().numpy().tolist()
        [[0.5]]

    References:
        [1] Loaiza-Ganem and Cunningham. The continuous Bernoulli. https://arxiv.org/abs/1907.06845
    """

    support = "[0, 1]"
    moments = ("mean",)
    proposed = True

    @property
    def params_shape(self):
        """`event_shape`: one logit for each element."""
        return self.event_shape

    def _distribution(self, params):
        return tfd.Independent(_ContinuousBernoulli(params), len(self.event_shape))

    def _sample(self, distribution, seed):
        return distribution.distribution.quantile(noise.open_uniform(seed, self.event_shape))

    def _in_support(self, x):
        return bool(np.all((x >= 0) & (x <= 1)))


class _ContinuousBernoulli(Elementwise):
    """p(x | a) = exp(a x - A(a)),  A(a) = log((exp(a) - 1) / a) = a/2 + log(sinh(a/2) / (a/2))."""

    def __init__(self, logits):
        parameters = dict(locals())
        self._logits = logits
        super().__init__(logits, parameters)

    def _log_prob(self, x):
        a = self._logits
        small, a2 = _where_small(a), a**2
        # log(sinh(y) / y) = y - log(2 y) + log1p(-exp(-2 y)) for y = |a| / 2 > 0
        y = 0.5 * tf.abs(_apart(a))
        closed = y - tf.math.log(2 * y) + tf.math.log1p(-tf.exp(-2 * y))
        series = a2 / 24 * (1 - a2 / 120 * (1 - a2 * (8 / 504)))
        return (x - 0.5) * a - tf.where(small, series, closed)

    def _mean(self):
        a = self._logits
        b, a2 = _apart(a), a**2
        closed = -1 / tf.math.expm1(-b) - 1 / b
        series = 0.5 + a / 12 * (1 - a2 / 60 * (1 - a2 / 42))
        return tf.where(_where_small(a), series, closed)

    def _variance(self):
        a = self._logits
        b, a2 = tf.abs(_apart(a)), a**2
        # 1 / a**2 - 1 / (4 sinh(a / 2)**2), with exponentials that only become small
        closed = 1 / b**2 - tf.exp(-b) / tf.math.expm1(-b) ** 2
        series = 1 / 12 * (1 - a2 / 20 * (1 - a2 * (20 / 504) * (1 - a2 / 40)))
        return tf.where(_where_small(a), series, closed)

    def _quantile(self, u):
        a = self._logits
        # Of the mirror image for a > 0, so that expm1 stays in (-1, 0].
        b = -tf.abs(tf.where(tf.abs(a) < 1e-3, tf.ones_like(a), a))
        v = tf.where(a > 0, 1 - u, u)
        x = tf.math.log1p(v * tf.math.expm1(b)) / b
        x = tf.where(a > 0, 1 - x, x)
        # d quantile / da = u (1 - u) / 2 at a = 0; the next term is below 1e-7 here.
        x = tf.where(tf.abs(a) < 1e-3, u + 0.5 * a * u * (1 - u), x)
        return tf.clip_by_value(x, 0.0, 1.0)


def _where_small(a):
    return tf.abs(a) < _SERIES


def _apart(a):
    """Returns `a` where it is large, and elsewhere a number at which closed forms are finite."""
    return tf.where(_where_small(a), tf.ones_like(a), a)
