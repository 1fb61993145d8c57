"""Draws of distributions that have no quantile in closed form, from counter-based noise.

Each is exact but for the steps of 2**-23 of its uniforms, takes a bounded number of operations,
and depends on the seed of its row alone. They are pure tensor functions, without TensorFlow's
random operations, so an exported SavedModel draws what the model draws.
"""

import math

import tensorflow as tf

from tfvae import noise

# Of rejection samplers that accept more than 0.85 of their proposals: that none of 16 is accepted
# has a probability below 1e-13. All are made at once, which costs less than a loop.
_TRIES = 16

# Below this mean a Poisson variate is found by adding up its masses, of which 64 hold all but
# 1e-25; from here on by rejection.
_SMALL_MEAN = 10.0
_SMALL_TERMS = 64
_CHUNK = 32  # masses that are held in memory at once

# Masses that hardly any uniform in steps of 2**-23 meets.
_NO_MASS = 2.0**-26


def category(u, probs):
    """Draws an index by the inverse of the distribution function.

    Args:
        u: Uniforms in (0, 1), `[*batch]`.
        probs: `[*batch, num]`.

    Returns:
        index: int32 `[*batch]`.

    Examples:
        >>> category(tf.constant([0.1, 0.3, 0.9]), tf.constant([[0.25, 0.25, 0.5]])).numpy()
        array([0, 1, 2], dtype=int32)
    """
    cumulative = tf.cumsum(probs, axis=-1)
    # The sum is 1 to seven digits only; measured by it, u never passes the last index.
    below = u[..., tf.newaxis] * cumulative[..., -1:] >= cumulative
    index = tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)
    return tf.minimum(index, probs.shape[-1] - 1)


def by_adding_up(u, log_first, log_ratio, num):
    """Draws from {0, ..., num - 1} by the inverse of the distribution function, in chunks.

    Args:
        u: Uniforms in (0, 1), `[*batch]`.
        log_first: log P(0), `[*batch]`.
        log_ratio: Function of whole numbers k `[chunk]` -> log(P(k + 1) / P(k)), `[*batch, chunk]`.
        num: Number of values.

    Returns:
        k: Float tensor `[*batch]`.
    """

    def goes_on(start, _, cumulative, *__):
        return tf.logical_and(start < num, tf.reduce_any(u >= cumulative))

    def add(start, log_mass, cumulative, draw, last):
        index = start + tf.range(float(_CHUNK))
        ratios = log_ratio(tf.minimum(index, num - 2.0))
        log_masses = log_mass[..., tf.newaxis] + tf.cumsum(ratios, axis=-1, exclusive=True)
        there = index < num
        mass = tf.where(there, tf.exp(log_masses), tf.zeros_like(log_masses))
        cumulative = cumulative[..., tf.newaxis] + tf.cumsum(mass, axis=-1)
        passed = tf.logical_and(u[..., tf.newaxis] >= cumulative, there)
        draw += tf.reduce_sum(tf.cast(passed, tf.float32), axis=-1)
        heavy = tf.where(mass >= _NO_MASS, index, tf.zeros_like(index))
        last = tf.maximum(last, tf.reduce_max(heavy, axis=-1))
        log_mass = log_masses[..., -1] + ratios[..., -1]
        return start + _CHUNK, log_mass, cumulative[..., -1], draw, last

    zeros = tf.zeros_like(u)
    *_, draw, last = tf.while_loop(goes_on, add, (tf.constant(0.0), log_first, zeros, zeros, zeros))
    # The masses add up to 1 to five digits only: no u leads beyond the last one that it can meet.
    return tf.minimum(draw, last)


def log_gamma(seed, shape):
    """Draws the logarithm of a Gamma variate with scale 1.

    Rejection from a cubed normal [1], with G(a) = G(a + 1) u**(1/a) where a < 1. The logarithm
    doesn't underflow where a small shape makes the variate tiny.

    Args:
        seed: int32 `[batch, 2]`.
        shape: Positive tensor `[batch, *event]`.

    Returns:
        log_g: `[batch, *event]`.

    References:
        [1] Marsaglia and Tsang. A simple method for generating gamma variables. ACM Transactions on
            Mathematical Software 26, 2000. https://doi.org/10.1145/358407.358414
    """
    uniforms = noise.open_uniform(seed, (2 * _TRIES + 1, *shape.shape[1:]))
    first, second, last = tf.split(uniforms, [_TRIES, _TRIES, 1], axis=1)
    d = (tf.maximum(shape, 1.0) - 1 / 3 + tf.where(shape < 1, shape, tf.zeros_like(shape)))[:, None]
    # A try for each entry of axis 1.
    eps = math.sqrt(2) * tf.math.erfinv(2 * first - 1)
    t = eps / tf.sqrt(9 * d)
    inside = t > -1
    log_v = 3 * tf.math.log1p(tf.where(inside, t, tf.zeros_like(t)))
    # d (log v - v + 1), whose parts cancel: v - 1 = 3 t + 3 t**2 + t**3.
    bound = 0.5 * eps**2 + d * (log_v - t * (3 + t * (3 + t)))
    accepted = tf.logical_and(inside, tf.math.log(second) < bound)
    log_g = tf.math.log(d[:, 0]) + _first(accepted, log_v)
    boost = tf.math.log(last[:, 0]) / shape
    return log_g + tf.where(shape < 1, boost, tf.zeros_like(boost))


def poisson(seed, rate):
    """Draws a Poisson variate: adding up masses where the rate is small, else by rejection [1].

    Args:
        seed: int32 `[batch, 2]`.
        rate: Non-negative tensor `[batch, *event]`.

    Returns:
        k: Float tensor `[batch, *event]`.

    References:
        [1] Hoermann, algorithm PTRS. The transformed rejection method for generating Poisson random
            variables. Insurance: Mathematics and Economics 12, 1993.
            https://doi.org/10.1016/0167-6687(93)90997-4
    """
    uniforms = noise.open_uniform(seed, (2 * _TRIES + 1, *rate.shape[1:]))
    first, v, last = tf.split(uniforms, [_TRIES, _TRIES, 1], axis=1)
    small = tf.minimum(rate, _SMALL_MEAN)
    log_small = tf.math.log(tf.maximum(small, 1e-30))[..., tf.newaxis]
    few = by_adding_up(last[:, 0], -small, lambda k: log_small - tf.math.log(k + 1), _SMALL_TERMS)
    rate = tf.maximum(rate, _SMALL_MEAN)[:, tf.newaxis]
    # A try for each entry of axis 1.
    b = 0.931 + 2.53 * tf.sqrt(rate)
    a = -0.059 + 0.02483 * b
    u = first - 0.5
    us = 0.5 - tf.abs(u)
    k = tf.floor((2 * a / us + b) * u + rate + 0.43)
    inside = tf.logical_and(k >= 0, tf.logical_or(us >= 0.013, v <= us))
    log_v = tf.math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / us**2 + b))
    slowly = log_v <= poisson_log_mass(tf.maximum(k, 0.0), tf.math.log(rate))
    quickly = tf.logical_and(us >= 0.07, v <= 0.9277 - 3.6224 / (b - 2))
    many = _first(tf.logical_or(quickly, tf.logical_and(inside, slowly)), k)
    return tf.where(rate[:, 0] > _SMALL_MEAN, many, few)


def poisson_log_mass(k, log_rate):
    """Returns k log_rate - rate - log k!, without the cancellation of its large terms.

    For k of 16 and above with Stirling's series and the deviance D, d = log(rate / k):

        -k D - 1/2 log(2 pi k) - (1/12 - 1/(360 k**2)) / k,  D = exp(d) - 1 - d

    Args:
        k: Whole numbers from 0.
        log_rate: Logarithm of the mean.
    """
    large = tf.maximum(k, 16.0)
    d = log_rate - tf.math.log(large)
    series = (1 / 12 - 1 / (360 * large * large)) / large
    far = -large * (tf.math.expm1(d) - d) - 0.5 * tf.math.log(2 * math.pi * large) - series
    few = tf.minimum(k, 16.0)
    near = few * log_rate - tf.exp(log_rate) - tf.math.lgamma(few + 1)
    return tf.where(k >= 16, far, near)


def _first(accepted, proposals):
    """Returns the first accepted one of the proposals along axis 1; the last where none is."""
    refused = tf.cast(tf.logical_not(accepted), tf.float32)
    place = tf.reduce_sum(tf.math.cumprod(refused, axis=1), axis=1)
    place = tf.minimum(tf.cast(place, tf.int32), accepted.shape[1] - 1)
    chosen = tf.one_hot(place, accepted.shape[1], on_value=True, off_value=False, axis=1)
    return tf.reduce_sum(tf.where(chosen, proposals, tf.zeros_like(proposals)), axis=1)
