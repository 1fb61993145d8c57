"""The Gaussian, for codes and for real-valued data."""

import tensorflow as tf

from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distributions import DiagonalNormal, reparameterize


class NormalLayer(DistributionLayer, name="normal"):
    """Reads a tensor of parameters as a Gaussian with a diagonal covariance.

        N(x | loc, scale**2),  loc = first half, scale = exp(second half / 2)

    Use it as q(z|x) on an encoder or as p(x|z) on a decoder. The variance is the exp of a
    log-variance, so the network before it may end with any real number.

    Args:
        event_shape: Shape of one example or code.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> NormalLayer(2)(tf.zeros([3, 4])).stddev().numpy().tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]

    References:
        [1] Kingma and Welling, appendix C.2. https://arxiv.org/abs/1312.6114
    """

    reparameterized = True

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        loc, log_variance = tf.split(params, 2, axis=-1)
        return DiagonalNormal(loc, 0.5 * log_variance, event_ndims=len(self.event_shape))

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)
