"""The categorical distribution over levels or codes."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers import draws
from tfvae.distribution_layers.levels import Levels, LevelsLayer

tfd = tfp.distributions


class CategoricalLayer(LevelsLayer, name="categorical"):
    """Reads a tensor of logits as independent categorical distributions over levels.

        P(x = k step) = softmax(logits)[k]

    Use it as p(x|z) where any shape may be needed: for images of 8 bits in [0, 1], or with
    `step=1` for codes 0, 1, ..., levels - 1. It knows nothing of which levels are near, and asks
    for `levels` numbers an element: take `--network conv` for images.

    Args:
        event_shape: Shape of one example.
        levels: Number of levels.
        step: Distance of two levels; None for 1 / (levels - 1), which makes [0, 1] the range.

    Call arguments:
        params: Float tensor `[batch, *event_shape, levels]`, logits.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`. Mean and standard deviation
            are those of the levels: of codes without an order they mean nothing.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is out of range.

    Examples:
        >>> import tensorflow as tf
        >>> layer = CategoricalLayer(1, levels=4, step=1)
        >>> tf.exp(layer(tf.zeros([1, 1, 4])).log_prob([[3.0]])).numpy().tolist()
        [0.25]

    References:
        [1] van den Oord, Kalchbrenner and Kavukcuoglu. Pixel recurrent neural
            networks. https://arxiv.org/abs/1601.06759
    """

    def __init__(self, event_shape, *, levels=256, step=None, **kwargs):
        super().__init__(event_shape, levels=levels, step=step, **kwargs)

    @property
    def params_shape(self):
        """`event_shape` and an axis of levels."""
        return (*self.event_shape, self.levels)

    def _distribution(self, params):
        return tfd.Independent(_Categorical(params, self.step), len(self.event_shape))

    def _errors(self, distribution, x):
        likeliest = tf.argmax(distribution.distribution.logits, axis=-1, output_type=tf.int32)
        wrong = tf.not_equal(tf.cast(tf.round(x / self.step), tf.int32), likeliest)
        return {**super()._errors(distribution, x), "misclassified": tf.cast(wrong, tf.float32)}

    def _sample(self, distribution, seed):
        probs = tf.nn.softmax(distribution.distribution.logits)
        index = draws.category(noise.open_uniform(seed, self.event_shape), probs)
        return self.step * tf.cast(index, tf.float32)


class _Categorical(Levels):
    def __init__(self, logits, step):
        parameters = dict(locals())
        self.logits = logits
        super().__init__(logits[..., 0], logits.shape[-1], step, parameters)

    def _log_mass(self, index):
        chosen = tf.one_hot(tf.cast(index, tf.int32), self.levels)
        return tf.reduce_sum(chosen * tf.nn.log_softmax(self.logits), axis=-1)

    def _mean(self):
        return self.step * tf.reduce_sum(tf.nn.softmax(self.logits) * self._indices(), -1)

    def _variance(self):
        distance = self._indices() - self._mean()[..., tf.newaxis] / self.step
        return self.step**2 * tf.reduce_sum(tf.nn.softmax(self.logits) * distance**2, -1)

    def _indices(self):
        return tf.range(float(self.levels))
