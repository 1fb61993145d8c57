"""The standard normal prior."""

import math

import tensorflow as tf

from tfvae.distributions import DiagonalNormal
from tfvae.priors.base import Prior


class StandardNormal(Prior, name="standard_normal"):
    """An isotropic Gaussian around zero.

        p(z) = N(0, I / precision)

    Args:
        latent_size: Length of a code.
        precision: Inverse of the variance of each latent; positive.

    Raises:
        ValueError: If `precision` is not positive.

    References:
        [1] Kingma and Welling, appendix C. https://arxiv.org/abs/1312.6114
    """

    def __init__(self, latent_size, *, precision=1.0, **kwargs):
        if not isinstance(precision, int | float) or not 0 < precision < math.inf:
            raise ValueError(
                f"`precision` of the prior is the inverse of its variance: a positive number. "
                f"Received {precision!r}. Write `standard_normal(precision=1.0)`."
            )
        super().__init__(latent_size, **kwargs)
        self.log_scale = -0.5 * math.log(precision)

    def _distribution(self, posterior_of):
        del posterior_of
        loc = tf.zeros([self.latent_size])
        return DiagonalNormal(loc, tf.fill([self.latent_size], self.log_scale))

    def _draw(self, noise, posterior_of):
        return self._distribution(posterior_of).bijector.forward(noise["eps"])

    def _quantile(self, u):
        return math.exp(self.log_scale) * tf.math.ndtri(u)
