"""A deterministic code: the autoencoder as a special case."""

from tfvae.distribution_layers.base import DistributionLayer
from tfvae.point_mass import PointMass


class DeltaLayer(DistributionLayer, name="delta"):
    """Reads a tensor as the code itself, without noise: an autoencoder.

        q(z|x) = delta(z - loc),  z = loc

    The limit of `normal` as its variance goes to zero, but for the prior terms, which are left
    out: they would be infinite. The loss is the mean of -log p(x|z) at z = loc, the metric `elbo`
    its negative, and `kl` is 0. There is no log-likelihood to estimate, and codes don't follow
    the prior, so examples that are generated from it may look like nothing.

    A posterior only.

    Args:
        event_shape: Length of a code.

    Call arguments:
        params: Float tensor `[batch, size]`, the code.

    Returns:
        distribution: Batch shape `[batch]`, event shape `[size]`. Its signature in exports gives
            the mean alone.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> DeltaLayer(2)(tf.ones([1, 2])).mean().numpy().tolist()
        [[1.0, 1.0]]

    References:
        [1] Hinton and Salakhutdinov. Reducing the dimensionality of data with neural networks.
            https://doi.org/10.1126/science.1127647
    """

    reparameterized = True
    is_likelihood = False
    has_density = False
    moments = ("mean",)

    @property
    def params_shape(self):
        """`event_shape`: the code."""
        return self.event_shape

    @property
    def noise_shapes(self):
        """None: a draw is the code."""
        return {}

    def _distribution(self, params):
        return PointMass(params)

    def _sample(self, distribution, seed):
        del seed
        return distribution.mean()
