"""The Gaussian whose one variance is the best for the data, in closed form."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise, positive

tfd = tfp.distributions


class OptimalNormalLayer(DistributionLayer, name="optimal_normal"):
    """Reads a tensor of locs as a Gaussian with one variance for all data, known in closed form.

        N(x | loc, v I),  v = mean((x - loc)**2)  maximises the sum of log N(x | loc, v I)

    Use it as p(x|z) for real values: the weight of the reconstruction against the KL divergence
    follows from the data, and the network gives the means alone.

    The optimal v looks at the x it is for, which a density may not. So only a step of training uses
    the optimum of its own batch, whose gradient for the network is that of the plain Gaussian at
    that variance. Everything else, validation, test, draws and exports, uses the stored variance:
    the average of the optima of past steps, weighted by decay**age. It is saved with the model. As
    one batch flatters itself, the ELBO of training is a little too high; those of validation and
    test are bounds. Before the first step v = 1.

    Args:
        event_shape: Shape of one example.
        decay: How much of its weight an optimum keeps each step, from 0 to below 1.
        floor: The least variance, which data that a network learns by heart comes to. Training
            reports when the variance is there.

    Call arguments:
        params: Float tensor `[batch, *event_shape]`, the means.
        training: Whether a step of training asks.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is out of range.

    Examples:
        >>> import tensorflow as tf
        >>> layer = OptimalNormalLayer(2)
        >>> _ = layer(tf.zeros([1, 2]), training=True).log_prob([[1.0, 3.0]])
        >>> layer(tf.zeros([1, 2])).variance().numpy().tolist()
        [[5.0, 5.0]]

    References:
        [1] Rybkin, Daniilidis and Levine. Simple and effective VAE training with
            calibrated decoders. https://arxiv.org/abs/2006.13202
    """

    def __init__(self, event_shape, *, decay=0.99, floor=1e-6, **kwargs):
        super().__init__(event_shape, **kwargs)
        if type(decay) not in (int, float) or not 0 <= decay < 1:
            raise ValueError(f"`decay` is a number from 0 to below 1. Received {decay!r}.")
        if type(floor) not in (int, float) or not 0 < floor < math.inf:
            raise ValueError(
                f"`floor` is the least variance, a positive number such as 1e-6. Received "
                f"{floor!r}."
            )
        self.decay, self.floor = decay, floor
        # The sums of the weighted optima and of the weights: their quotient has no bias from where
        # it began.
        self.optima, self.weights_of_optima = (
            self.add_weight(
                shape=(), initializer="zeros", trainable=False, name=name, aggregation="mean"
            )
            for name in ("optima", "weights_of_optima")
        )

    @property
    def params_shape(self):
        """`event_shape`: the means."""
        return self.event_shape

    @property
    def has_reports(self):
        """The variance has a floor."""
        return True

    def check_missing(self, x=None):
        """Refuses missing values: the optimum would take what stands in their place."""
        del x
        raise ValueError(
            "The variance of `optimal_normal` is the mean over all elements of a batch, and some "
            "are missing. Choose `normal(covariance='shared')`, which learns one by gradient."
        )

    def _distribution(self, params):
        return tfd.Independent(_Normal(params, self._stored()), len(self.event_shape))

    def _training_distribution(self, params):
        return tfd.Independent(_Optimal(params, self._optimum), len(self.event_shape))

    def _sample(self, distribution, seed):
        eps = noise.normal(seed, self.event_shape)
        return distribution.mean() + distribution.stddev() * eps

    def _of_moments(self, moments):
        mean, stddev = moments["mean"], moments["stddev"]
        normal = _Normal(tf.identity(mean), positive(stddev**2))
        return tfd.Independent(normal, len(self.event_shape))

    def _reports(self, params):
        del params
        return {"variance_at_floor": tf.cast(self._stored() <= self.floor, tf.float32)}

    def _stored(self):
        """Returns the variance that everything but training uses, a scalar tensor."""
        weight = tf.identity(self.weights_of_optima)
        return tf.where(weight > 0, self.optima / tf.maximum(weight, 1e-30), 1.0)

    def _optimum(self, squares):
        """Returns the best variance for squared errors, and takes it into the average."""
        best = tf.maximum(tf.reduce_mean(squares), self.floor)
        kept = tf.stop_gradient(best)
        finite = tf.math.is_finite(kept)  # a step that is left out leaves no trace here either
        for variable, new in ((self.optima, kept), (self.weights_of_optima, 1.0)):
            old = tf.identity(variable)
            moved = self.decay * old + (1 - self.decay) * new
            variable.assign(tf.where(finite, moved, old))
        return kept  # by the envelope theorem it has no gradient where all elements count alike


class _Normal(Elementwise):
    """N(x | loc, v)."""

    def __init__(self, loc, v):
        parameters = dict(locals())
        self._loc, self._v = loc, v
        super().__init__(loc, parameters)

    def _log_prob(self, x):
        return _log_density((x - self._loc) ** 2, self._v)

    def _mean(self):
        return tf.identity(self._loc)

    def _variance(self):
        return tf.broadcast_to(self._v, tf.shape(self._loc))


class _Optimal(Elementwise):
    """N(x | loc, v) with the v that is the best for the x it is asked for."""

    def __init__(self, loc, optimum):
        parameters = dict(locals())
        self._loc, self._optimum = loc, optimum
        super().__init__(loc, parameters)

    def _log_prob(self, x):
        squares = (x - self._loc) ** 2
        return _log_density(squares, self._optimum(squares))

    def _mean(self):
        return tf.identity(self._loc)


def _log_density(squares, v):
    return -0.5 * (squares / v + tf.math.log(2 * math.pi * v))
