"""The mixture of discretised logistics, for images of 256 levels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers import draws
from tfvae.distribution_layers import levels as lv
from tfvae.distribution_layers.levels import Levels, LevelsLayer

tfd = tfp.distributions


class LogisticMixtureLayer(LevelsLayer, name="logistic_mixture"):
    """Reads a tensor of parameters as independent mixtures of discretised logistics.

        P(x = k step) = sum_j w_j (F_j(k + 1/2) - F_j(k - 1/2)),  w = softmax(logits)

    with F_j the logistic distribution function of loc_j and scale_j, and the outer bins open. Use
    it as p(x|z) for images of 8 bits in [0, 1] where one bump is too few. The channels are
    independent given z: the autoregression over red, green and blue of [1] is left out. loc and
    scale are in units in which the levels lie from -1 to 1.

    Args:
        event_shape: Shape of one example.
        components: Number of logistics an element.
        levels: Number of levels.
        step: Distance of two levels; None for 1 / (levels - 1), which makes [0, 1] the range.

    Call arguments:
        params: Float tensor `[batch, *event_shape, 3 * components]`: logits, locs, log-scales.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is out of range.

    Examples:
        >>> LogisticMixtureLayer((8, 8, 3), components=10).params_shape
        (8, 8, 3, 30)

    References:
        [1] Salimans et al., section 2.1. PixelCNN++. https://arxiv.org/abs/1701.05517
    """

    def __init__(self, event_shape, *, components=5, levels=256, step=None, **kwargs):
        super().__init__(event_shape, levels=levels, step=step, **kwargs)
        if type(components) is not int or components < 1:
            raise ValueError(
                f"`components` is the number of logistics, a positive int. Received {components!r}."
            )
        self.components = components

    @property
    def params_shape(self):
        """`event_shape` and one more axis."""
        return (*self.event_shape, 3 * self.components)

    def _distribution(self, params):
        logits, raw_loc, raw_log_scale = tf.split(params, 3, axis=-1)
        loc, log_scale = lv.logistic_units(raw_loc, raw_log_scale, self.levels)
        mixture = _LogisticMixture(logits, loc, log_scale, self.levels, self.step)
        return tfd.Independent(mixture, len(self.event_shape))

    def _sample(self, distribution, seed):
        d = distribution.distribution
        which, u = (noise.open_uniform(noise.fold_in(seed, i), self.event_shape) for i in range(2))
        chosen = tf.one_hot(draws.category(which, tf.nn.softmax(d.logits)), self.components)
        loc, log_scale = (tf.reduce_sum(chosen * t, -1) for t in (d.loc, d.log_scale))
        return lv.logistic_draw(u, loc, log_scale, self.levels, self.step)


class _LogisticMixture(Levels):
    def __init__(self, logits, loc, log_scale, levels, step):
        parameters = dict(locals())
        self.logits, self.loc, self.log_scale = logits, loc, log_scale
        super().__init__(logits[..., 0], levels, step, parameters)

    def _log_mass(self, index):
        index = index[..., tf.newaxis]
        each = lv.logistic_log_mass(index, self.loc, self.log_scale, self.levels)
        return tf.reduce_logsumexp(tf.nn.log_softmax(self.logits) + each, axis=-1)

    def _survival(self, index):
        loc, log_scale = self.loc[..., tf.newaxis], self.log_scale[..., tf.newaxis]
        weights = tf.nn.softmax(self.logits)[..., tf.newaxis]
        tails = lv.logistic_survival(index, loc, log_scale)
        return tuple(tf.reduce_sum(weights * tail, axis=-2) for tail in tails)
