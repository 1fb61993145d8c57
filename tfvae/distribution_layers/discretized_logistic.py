"""The discretised logistic, for images of 256 levels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers import levels as lv
from tfvae.distribution_layers.levels import Levels, LevelsLayer

tfd = tfp.distributions


class DiscretizedLogisticLayer(LevelsLayer, name="discretized_logistic"):
    """Reads a tensor of parameters as independent logistic distributions cut into levels.

        P(x = k step) = F(k + 1/2) - F(k - 1/2),  F(t) = sigmoid((t - loc) / scale)

    where the first bin reaches to -infinity and the last to infinity. Use it as p(x|z) for images
    of 8 bits in [0, 1]: a mass, comparable over models, told in bits a dimension. loc and scale
    are in units in which the levels lie from -1 to 1; scale = exp(second half).

    Args:
        event_shape: Shape of one example.
        levels: Number of levels.
        step: Distance of two levels; None for 1 / (levels - 1), which makes [0, 1] the range.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is out of range.

    Examples:
        >>> import tensorflow as tf
        >>> layer = DiscretizedLogisticLayer(1, levels=3)
        >>> tf.exp(layer(tf.zeros([1, 2])).log_prob([[0.5]])).numpy().round(4)
        array([0.2449], dtype=float32)

    References:
        [1] Kingma et al. Improved variational inference with inverse
            autoregressive flow. https://arxiv.org/abs/1606.04934
        [2] Salimans et al., section 2.1. PixelCNN++. https://arxiv.org/abs/1701.05517
    """

    proposed = True

    def __init__(self, event_shape, *, levels=256, step=None, **kwargs):
        super().__init__(event_shape, levels=levels, step=step, **kwargs)

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        raw_loc, raw_log_scale = tf.split(params, 2, axis=-1)
        loc, log_scale = lv.logistic_units(raw_loc, raw_log_scale, self.levels)
        logistic = _DiscretizedLogistic(loc, log_scale, self.levels, self.step)
        return tfd.Independent(logistic, len(self.event_shape))

    def _sample(self, distribution, seed):
        d = distribution.distribution
        u = noise.open_uniform(seed, self.event_shape)
        return lv.logistic_draw(u, d.loc, d.log_scale, self.levels, self.step)


class _DiscretizedLogistic(Levels):
    def __init__(self, loc, log_scale, levels, step):
        parameters = dict(locals())
        self.loc, self.log_scale = loc, log_scale
        super().__init__(loc, levels, step, parameters)

    def _log_mass(self, index):
        return lv.logistic_log_mass(index, self.loc, self.log_scale, self.levels)

    def _survival(self, index):
        loc, log_scale = self.loc[..., tf.newaxis], self.log_scale[..., tf.newaxis]
        return lv.logistic_survival(index, loc, log_scale)
