"""The beta-binomial distribution, for images of 256 levels and bounded counts."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers import draws
from tfvae.distribution_layers.elements import stirling_rest
from tfvae.distribution_layers.levels import Levels, LevelsLayer

tfd = tfp.distributions


class BetaBinomialLayer(LevelsLayer, name="beta_binomial"):
    """Reads a tensor of parameters as independent beta-binomials over levels.

        P(x = k step) = C(n, k) B(k + a, n - k + b) / B(a, b),  n = levels - 1

    the number of successes among n where their probability is a Beta(a, b) variate. The mean
    is n m and a + b = s, with m = sigmoid(first half) and s = exp(second half): binomial as s
    grows, with all mass at the two ends as it vanishes. Use it as p(x|z) for images of 8 bits in
    [0, 1], or with `step=1` for counts that end at n.

    Args:
        event_shape: Shape of one example.
        levels: Number of levels, n + 1.
        step: Distance of two levels; None for 1 / (levels - 1), which makes [0, 1] the range.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is out of range.

    Examples:
        >>> import tensorflow as tf
        >>> layer = BetaBinomialLayer(1, levels=3, step=1)
        >>> tf.exp(layer(tf.zeros([1, 2])).log_prob([[1.0]])).numpy().round(4)
        array([0.25], dtype=float32)

    References:
        [1] Skellam. A probability distribution derived from the binomial distribution by regarding
            the probability of success as variable between the sets of trials. JRSS B 10, 1948.
    """

    def __init__(self, event_shape, *, levels=256, step=None, **kwargs):
        super().__init__(event_shape, levels=levels, step=step, **kwargs)

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        logit, log_size = tf.split(params, 2, axis=-1)
        beta_binomial = _BetaBinomial(logit, log_size, self.levels, self.step)
        return tfd.Independent(beta_binomial, len(self.event_shape))

    def _sample(self, distribution, seed):
        d, n = distribution.distribution, self.levels - 1
        a, b = (size[..., tf.newaxis] for size in d.sizes())

        def log_ratio(k):  # P(k + 1) / P(k)
            return tf.math.log((n - k) / (k + 1)) + tf.math.log((a + k) / (b + n - k - 1))

        u = noise.open_uniform(seed, self.event_shape)
        first = d.log_prob(tf.zeros_like(u))
        return self.step * draws.by_adding_up(u, first, log_ratio, self.levels)


class _BetaBinomial(Levels):
    def __init__(self, logit, log_size, levels, step):
        parameters = dict(locals())
        self.logit, self.log_size = logit, log_size
        super().__init__(logit, levels, step, parameters)

    def sizes(self):
        """Returns a and b, above zero where their exponentials underflow."""
        a = tf.exp(self.log_size + tf.math.log_sigmoid(self.logit))
        b = tf.exp(self.log_size + tf.math.log_sigmoid(-self.logit))
        return tf.maximum(a, 1e-30), tf.maximum(b, 1e-30)

    def _log_mass(self, index):
        # With h(a, k) = log of a (a+1) ... (a+k-1) / k!, log P(k) = h(a, k) + h(b, n-k) - h(s, n).
        # Both gamma functions of each product are large and their ratio is not, so h comes from
        # Stirling's series at a + 8, where its large parts meet and drop out.
        n, k = self.levels - 1.0, index
        m = n - k
        a, b = self.sizes()
        s = a + b
        of_ones = tf.gather(_of_ones(self.levels), tf.cast(k, tf.int32))
        powers = k * _log_ratio(a, k, s, n) + m * _log_ratio(b, m, s, n)
        return of_ones + powers + _stirling(a, k) + _stirling(b, m) - _stirling(s, n)

    def _mean(self):
        return self.step * (self.levels - 1) * tf.sigmoid(self.logit)

    def _variance(self):
        n, s = self.levels - 1.0, tf.exp(self.log_size)
        both = tf.sigmoid(self.logit) * tf.sigmoid(-self.logit)
        # (s + n) / (s + 1), which large s would round
        return self.step**2 * n * both * (1 + (n - 1) / (s + 1))


def _log_ratio(a, k, s, n):
    """Returns log((a + 8 + k) / (s + 8 + n) (9 + n) / (9 + k)), near zero where the mass is."""
    there = (s + 8 + n) * (9 + k)
    ratio = (a + 8 + k) * (9 + n) / there
    excess = (9 * (a - s) + a * n - s * k + k - n) / there  # ratio - 1, without rounding 1
    near = ratio > 0.5
    return tf.where(
        near, tf.math.log1p(tf.where(near, excess, tf.zeros_like(excess))), tf.math.log(ratio)
    )


def _stirling(start, num):
    """Returns log(Gamma(start + num) / Gamma(start)) - num log(start + 8 + num).

        sum_{i<8} log((start + i) / (start + num + i))    # the way from `start` to t = start + 8
        + (t - 1/2) log1p(num / t) - num + c(t + num) - c(t)

    without the term - num, of which those of k, n - k and n cancel.
    """
    t = start + 8
    ratios = tf.add_n([tf.math.log((start + i) / (start + num + i)) for i in range(8)])
    return ratios + (t - 0.5) * tf.math.log1p(num / t) + stirling_rest(t + num) - stirling_rest(t)


def _of_ones(levels):
    """Returns the part of log C(n, k) that `powers` lacks, for each k, from double precision."""
    n = levels - 1.0
    k = np.arange(levels, dtype=np.float64)
    log_factorial = np.array([math.lgamma(x + 1) for x in k])
    choose = log_factorial[-1] - log_factorial - log_factorial[::-1]
    powers = k * np.log((9 + n) / (9 + k)) + (n - k) * np.log((9 + n) / (9 + n - k))
    return tf.constant(choose - powers, tf.float32)
