"""Likelihoods of values on a finite number of levels, such as the 256 of an image."""

import abc

import numpy as np
import tensorflow as tf

from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise

_MOST_LEVELS = 65_536
_CHUNK = 32  # levels that a sum holds in memory at once


class LevelsLayer(DistributionLayer, abc.ABC):
    """A likelihood of x in {0, step, 2 step, ..., (levels - 1) step}.

    A member adds its parameters. The encoder reads levels as [0, 1].

    Args:
        event_shape: Shape of one example.
        levels: Number of levels.
        step: Distance of two levels; None for 1 / (levels - 1), which makes [0, 1] the range.
    """

    discrete = True

    def __init__(self, event_shape, *, levels, step, **kwargs):
        super().__init__(event_shape, **kwargs)
        if type(levels) is not int or not 2 <= levels <= _MOST_LEVELS:
            raise ValueError(
                f"`levels` is the number of different values, from 2 to {_MOST_LEVELS}, such as "
                f"256 for an image. Received {levels!r}."
            )
        if step is not None and (type(step) not in (int, float) or not 0 < step < float("inf")):
            raise ValueError(
                f"`step` is the distance of two levels, a positive number, or None for 1 / "
                f"(levels - 1). Received {step!r}."
            )
        self.levels, self.step = levels, 1 / (levels - 1) if step is None else float(step)
        if self.step == 1 / (levels - 1):
            self.support = f"{{0, 1/{levels - 1}, 2/{levels - 1}, ..., 1}}"
        else:
            self.support = f"{{0, {self.step:g}, ..., {(levels - 1) * self.step:g}}}"

    def _network_input(self, x):
        return x if self.step == 1 / (self.levels - 1) else x / (self.step * (self.levels - 1))

    def _in_support(self, x):
        index = np.asarray(x, np.float64) / self.step
        whole = np.abs(index - np.round(index)) < 0.01  # float32 has seven digits
        return bool(np.all(whole & (index > -0.01) & (index < self.levels - 0.99)))

    def _options_for(self, x):
        """Returns the least number of levels, of [0, 1], that data lies on."""
        if x.min() < 0 or x.max() > 1:
            return {}
        distinct = np.unique(x)
        if len(distinct) > 256 or _lies_on(distinct, 256):
            return {}
        fitting = (n for n in range(max(3, len(distinct)), 257) if _lies_on(distinct, n))
        levels = next(fitting, None)
        return {} if levels is None else {"levels": levels}


def _lies_on(x, levels):
    index = x.astype(np.float64) * (levels - 1)
    return bool(np.all(np.abs(index - np.round(index)) < 1e-3))


class Levels(Elementwise):
    """A distribution of a level's index, scaled by `step`.

    A subclass overrides `_log_mass`, and `_survival` or both moments.

    Args:
        like: Tensor whose shape is the batch shape.
        levels: Number of levels.
        step: Distance of two levels.
        parameters: Dict of the constructor's arguments.
    """

    def __init__(self, like, levels, step, parameters):
        self.levels, self.step = levels, step
        super().__init__(like, parameters)

    def _log_mass(self, index):
        """Returns the log mass of whole numbers from 0 to levels - 1."""
        raise NotImplementedError

    def _survival(self, index):
        """Returns P(k >= index) and P(k < index) for indices `[chunk]` behind the batch shape."""
        raise NotImplementedError

    def _log_prob(self, x):
        index = tf.clip_by_value(tf.round(x / self.step), 0.0, self.levels - 1.0)
        return self._log_mass(index)

    def _mean(self):
        return self.step * self._add_up(lambda index, above, below: above)

    def _variance(self):
        # E (k - c)**2 - (E k - c)**2 around a whole number c near the mean: sums of positive terms.
        mean = self._mean() / self.step
        c = tf.round(mean)[..., tf.newaxis]

        def square(index, above, below):
            weight = 2 * tf.abs(c - index + 0.5)  # k**2 is the sum of the first k odd numbers
            return weight * tf.where(index > c, above, below)

        squares = self._add_up(square)
        return self.step**2 * tf.maximum(squares - (mean - c[..., 0]) ** 2, 0.0)

    def _add_up(self, term):
        """Adds up a function of each index from 1 and of the mass above and below it."""

        def add(start, total):
            index = start + tf.range(float(_CHUNK))
            terms = term(index, *self._survival(index))
            terms = tf.where(index < self.levels, terms, tf.zeros_like(terms))
            return start + _CHUNK, total + tf.reduce_sum(terms, axis=-1)

        start = (tf.constant(1.0), tf.zeros_like(self._like))
        return tf.while_loop(lambda index, _: index < self.levels, add, start)[1]


def logistic_log_mass(index, loc, log_scale, levels):
    """Returns the log mass of a level under a logistic distribution that is cut into bins.

        P(k) = F(k + 1/2) - F(k - 1/2),  F(t) = sigmoid((t - loc) / scale)

    where the first bin reaches to -infinity and the last one to infinity. With a and b the two
    arguments of the sigmoid, b - a = 1 / scale = d,

        sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(-d))

    whose logarithm loses no digits, however narrow the bin or far out the level.

    Args:
        index: Whole numbers from 0 to levels - 1.
        loc: In units of levels.
        log_scale: As `loc`.
        levels: Number of levels.
    """
    width = tf.exp(-log_scale)
    below = tf.math.log_sigmoid((index + 0.5 - loc) * width)
    above = tf.math.log_sigmoid((loc - index + 0.5) * width)
    inside = tf.math.log(-tf.math.expm1(-tf.maximum(width, 1e-30)))
    middle = below + above + inside
    return tf.where(index <= 0, below, tf.where(index >= levels - 1, above, middle))


def logistic_survival(index, loc, log_scale):
    """Returns P(k >= index) and P(k < index) of the logistic distribution that is cut into bins."""
    distance = (loc - index + 0.5) * tf.exp(-log_scale)
    return tf.sigmoid(distance), tf.sigmoid(-distance)


def logistic_units(raw_loc, raw_log_scale, levels):
    """Returns loc and log-scale in levels, of numbers in units in which these go from -1 to 1."""
    half = 0.5 * (levels - 1)
    return half * (raw_loc + 1), raw_log_scale + float(np.log(half))


def logistic_draw(u, loc, log_scale, levels, step):
    """Returns values from uniforms: the inverse of the distribution function, then the bin."""
    latent = loc + tf.exp(log_scale) * (tf.math.log(u) - tf.math.log1p(-u))
    return step * tf.clip_by_value(tf.round(latent), 0.0, levels - 1.0)
