"""Distributions that several families share, on top of TensorFlow Probability."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise

tfb = tfp.bijectors
tfd = tfp.distributions


class DiagonalNormal(tfd.TransformedDistribution):  # type: ignore[name-defined]
    """A Gaussian with a diagonal covariance, as a bijector of standard normal noise.

        N(z | loc, scale**2),  z = bijector.forward(eps) = loc + scale * eps,  eps ~ N(0, 1)

    Args:
        loc: Float tensor `[*batch, *event]`.
        log_scale: Float tensor like `loc`: half of the log-variance, so that every real number
            is a valid one.
        event_ndims: How many of the last axes form the event.

    References:
        [1] Kingma and Welling, section 2.4. https://arxiv.org/abs/1312.6114
    """

    def __init__(self, loc, log_scale, event_ndims=1, name="DiagonalNormal"):
        parameters = dict(locals())
        self._loc = loc
        self._log_scale = log_scale
        self._event_ndims = event_ndims
        super().__init__(
            distribution=standard_normal_like(loc, event_ndims),
            bijector=tfb.Shift(loc)(tfb.Scale(log_scale=log_scale)),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        ndims = {"event_ndims": lambda self: self._event_ndims}
        properties = tfp.util.ParameterProperties
        return {"loc": properties(**ndims), "log_scale": properties(**ndims)}

    @property
    def loc(self):
        """The mean, `[*batch, *event]`."""
        return self._loc

    @property
    def log_scale(self):
        """The logarithm of the standard deviation, `[*batch, *event]`."""
        return self._log_scale

    def _mean(self):
        return tf.broadcast_to(self._loc, tf.shape(self._loc + self._log_scale))

    _mode = _mean

    def _stddev(self):
        return tf.exp(tf.broadcast_to(self._log_scale, tf.shape(self._loc + self._log_scale)))

    def _variance(self):
        return self._stddev() ** 2

    def element_log_prob(self, value):
        """Returns the terms of log N(value) in nats, `[*batch, *event]`.

        What the base's density and the bijector's determinant come to, without TensorFlow
        Probability's machinery for bijectors of any kind, which takes many times as long to trace.
        """
        # By the inverse, since the bijector remembers the noise of what it drew: it keeps the
        # digits that a small scale loses.
        return normal_terms(self.bijector.inverse(value), self._log_scale)

    def _log_prob(self, value):
        return self._sum(self.element_log_prob(value))

    def _entropy(self):
        # H = sum(log scale) + n/2 log(2 pi e): the base's entropy and the log-determinant.
        return self.distribution.entropy() + self._sum(self._log_scale)

    def marginals(self):
        """Returns the distribution of each element, batch shape `[*batch, *event]`."""
        return tfd.Normal(self.mean(), self.stddev())

    def _sum(self, tensor):
        return tf.reduce_sum(tensor, axis=list(range(-self._event_ndims, 0)))


def normal_terms(eps, log_scale):
    """Returns log N(loc + scale eps | loc, scale**2) of each element, nats."""
    return -0.5 * (eps**2 + math.log(2 * math.pi)) - log_scale


@tfd.RegisterKL(DiagonalNormal, DiagonalNormal)
def _kl_diagonal_normal(q, p, name=None):
    """KL(q || p) in nats, in closed form [Kingma and Welling, appendix B, for any p]."""
    with tf.name_scope(name or "kl_diagonal_normal"):
        return q._sum(kl_terms(q, p))


def kl_terms(q, p):
    """Returns what each latent adds to KL(q || p), where the divergence is a sum over latents.

        log(sp / sq) + (sq**2 + (mq - mp)**2) / (2 sp**2) - 1/2, with d = log(sq / sp):
        1/2 (exp(2 d) - 1 - 2 d + ((mq - mp) / sp)**2), where expm1 keeps the digits near zero

    Args:
        q: A distribution over codes.
        p: Another one.

    Returns:
        terms: `[*batch, *event]`, nats, or None unless both are Gaussians with independent latents.
    """
    if not isinstance(q, DiagonalNormal) or not isinstance(p, DiagonalNormal):
        return None
    twice = 2 * (q.log_scale - p.log_scale)
    distance = (q.loc - p.loc) * tf.exp(-p.log_scale)
    return 0.5 * (tf.math.expm1(twice) - twice + distance**2)


def standard_normal_like(tensor, event_ndims=1):
    """Returns the noise that a bijector makes into values of the shape of a tensor.

    Args:
        tensor: Float tensor `[*batch, *event]`.
        event_ndims: How many of the last axes form the event.

    Returns:
        distribution: N(0, I), batch shape `[*batch]`, event shape `[*event]`.
    """
    return tfd.Independent(tfd.Normal(tf.zeros_like(tensor), tf.ones_like(tensor)), event_ndims)


def reparameterize(distribution, seed, num_samples=None):
    """Draws z = g(eps), with noise from outside that is keyed by row.

    Args:
        distribution: A `tfd.TransformedDistribution` of standard normal noise, batch `[batch]`.
        seed: int32 `[batch, 2]`, one seed for each row.
        num_samples: None for one draw without a sample axis.

    Returns:
        z: `[batch, *event]`, or `[num_samples, batch, *event]`.
    """
    event_shape = tuple(distribution.distribution.event_shape)
    if num_samples is None:
        return distribution.bijector.forward(noise.normal(seed, event_shape))
    seed = noise.fold_in(seed[tf.newaxis], tf.range(num_samples)[:, tf.newaxis])
    return distribution.bijector.forward(noise.normal(seed, event_shape))
