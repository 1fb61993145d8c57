"""Draws of distributions that have no quantile in closed form, from counter-based noise.

Each is exact but for the steps of 2**-23 of its uniforms, takes a bounded number of operations,
and depends on the seed of its row alone. They are pure tensor functions, without TensorFlow's
random operations, so an exported SavedModel draws what the model draws.
"""

import tensorflow as tf

from tfvae import noise

# Of a rejection sampler that accepts at least 0.85 of its proposals: none is left after 24 tries
# but with a probability below 1e-19.
_TRIES = 24

# Below this mean a Poisson variate is found by adding up its masses, of which 60 hold all but
# 1e-25; from here on by rejection.
_SMALL_MEAN = 10.0
_SMALL_TERMS = 60

# Masses that no uniform in steps of 2**-23 can meet, beyond the mode.
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
    """Draws from {0, ..., num - 1} by the inverse of the distribution function, one mass at a time.

    Args:
        u: Uniforms in (0, 1), `[*batch]`.
        log_first: log P(0), `[*batch]`.
        log_ratio: Function of a scalar k -> log(P(k + 1) / P(k)), `[*batch]`.
        num: Number of values that are told apart.

    Returns:
        k: Float tensor `[*batch]`.
    """

    def goes_on(k, going, *_):
        return tf.logical_and(k < num - 1, tf.reduce_any(going))

    def add(k, going, log_mass, cumulative, draw):
        draw += tf.cast(going, tf.float32)
        ratio = log_ratio(k)
        log_mass += ratio
        mass = tf.exp(log_mass)
        cumulative += mass
        ends = tf.logical_and(ratio < 0, mass < _NO_MASS)
        going = tf.logical_and(going, tf.logical_and(u >= cumulative, tf.logical_not(ends)))
        return k + 1, going, log_mass, cumulative, draw

    first = tf.exp(log_first)
    start = (tf.constant(0.0), u >= first, log_first, first, tf.zeros_like(u))
    return tf.while_loop(goes_on, add, start)[-1]


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
    event = tuple(shape.shape[1:])
    d = tf.maximum(shape, 1.0) - 1 / 3 + tf.cast(shape < 1, tf.float32) * tf.minimum(shape, 1.0)
    c = 1 / tf.sqrt(9 * d)

    def propose(seed):
        eps = noise.normal(noise.fold_in(seed, 0), event)
        u = noise.open_uniform(noise.fold_in(seed, 1), event)
        t = c * eps
        inside = t > -1
        log_v = 3 * tf.math.log1p(tf.where(inside, t, tf.zeros_like(t)))
        # d (log v - v + 1), whose parts cancel: v - 1 = 3 t + 3 t**2 + t**3.
        bound = 0.5 * eps**2 + d * (log_v - t * (3 + t * (3 + t)))
        return tf.logical_and(inside, tf.math.log(u) < bound), log_v

    log_v = _first_accepted(noise.fold_in(seed, 0), propose, tf.zeros_like(shape))
    boost = tf.math.log(noise.open_uniform(noise.fold_in(seed, 1), event)) / shape
    return tf.math.log(d) + log_v + tf.where(shape < 1, boost, tf.zeros_like(boost))


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
    event = tuple(rate.shape[1:])
    small = tf.minimum(rate, _SMALL_MEAN)
    log_small = tf.math.log(tf.maximum(small, 1e-30))
    u = noise.open_uniform(noise.fold_in(seed, 0), event)
    few = by_adding_up(u, -small, lambda k: log_small - tf.math.log(k + 1), _SMALL_TERMS)
    rate = tf.maximum(rate, _SMALL_MEAN)
    log_rate = tf.math.log(rate)
    b = 0.931 + 2.53 * tf.sqrt(rate)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = tf.math.log(1.1239 + 1.1328 / (b - 3.4))

    def propose(seed):
        u = noise.open_uniform(noise.fold_in(seed, 0), event) - 0.5
        v = noise.open_uniform(noise.fold_in(seed, 1), event)
        us = 0.5 - tf.abs(u)
        k = tf.floor((2 * a / us + b) * u + rate + 0.43)
        inside = tf.logical_and(k >= 0, tf.logical_or(us >= 0.013, v <= us))
        bound = poisson_log_mass(tf.maximum(k, 0.0), log_rate)
        log_v = tf.math.log(v) + log_inverse_alpha - tf.math.log(a / us**2 + b)
        quickly = tf.logical_and(us >= 0.07, v <= 0.9277 - 3.6224 / (b - 2))
        return tf.logical_or(quickly, tf.logical_and(inside, log_v <= bound)), k

    many = _first_accepted(noise.fold_in(seed, 1), propose, tf.floor(rate))
    return tf.where(rate > _SMALL_MEAN, many, few)


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
    far = -large * (tf.math.expm1(d) - d) - 0.5 * tf.math.log(6.283185307179586 * large) - series
    few = tf.minimum(k, 16.0)
    near = few * log_rate - tf.exp(log_rate) - tf.math.lgamma(few + 1)
    return tf.where(k >= 16, far, near)


def _first_accepted(seed, propose, otherwise):
    """Returns the first accepted proposal of each element.

    Args:
        seed: int32 `[batch, 2]`.
        propose: Function of a seed -> whether it is accepted, and the value.
        otherwise: What is returned after too many tries.
    """

    def goes_on(index, done, _):
        return tf.logical_and(index < _TRIES, tf.logical_not(tf.reduce_all(done)))

    def attempt(index, done, value):
        accepted, proposal = propose(noise.fold_in(seed, index))
        value = tf.where(tf.logical_and(accepted, tf.logical_not(done)), proposal, value)
        return index + 1, tf.logical_or(done, accepted), value

    none = tf.zeros_like(otherwise, tf.bool)
    return tf.while_loop(goes_on, attempt, (tf.constant(0), none, otherwise))[-1]
