"""A posterior of two stochastic layers."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layered
from tfvae.distribution_layers.base import DistributionLayer, check_vector
from tfvae.distribution_layers.estimated import EstimatedMoments
from tfvae.distributions import normal_terms, reparameterize, standard_normal_like
from tfvae.options import check_count

tfb = tfp.bijectors


class HierarchicalLayer(DistributionLayer, name="hierarchical"):
    """Two stochastic layers as one vector of codes: the lower one is read off, the upper inferred.

        q(z|x) = q(lower | x) q(upper | lower),  z = (lower, upper)
        q(lower | x) = N(loc, diag(scale**2)) by the encoder
        q(upper | lower) = N(loc(lower), diag(scale(lower)**2)) by a network of this layer

    Made for the prior `hierarchical` with the same `top`. The mean and standard deviation that it
    gives, also in exports, are of 64 draws and their mirror images, from noise that is the same
    for every x.

    A posterior only.

    Args:
        event_shape: Length of a code, both layers together.
        top: Latents of the upper layer; None for half of them.
        hidden: Units of each of the two hidden layers between.

    Call arguments:
        params: Float tensor `[batch, 2 * (size - top)]`: loc and log-variances of the lower layer.

    Returns:
        distribution: Batch shape `[batch]`, event shape `[size]`.

    Raises:
        ValueError: If an option is out of range, or the shape of `params` is another one.

    References:
        [1] Burda et al., section 5 and appendix C. https://arxiv.org/abs/1509.00519
    """

    reparameterized = True
    is_likelihood = False

    def __init__(self, event_shape, *, top=None, hidden=100, **kwargs):
        super().__init__(event_shape, **kwargs)
        check_vector(self)
        check_count("hidden", hidden)
        (size,) = self.event_shape
        self.top = layered.default_top(size, top)
        shapes = layered.weight_shapes(size - self.top, self.top, hidden)
        self.network = layered.add_weights(self, shapes)

    @property
    def params_shape(self):
        """A loc and a log-variance for every latent of the lower layer."""
        return (2 * (self.event_shape[0] - self.top),)

    def _distribution(self, params):
        loc, log_variance = tf.split(params, 2, axis=-1)
        weights = {name: tf.convert_to_tensor(w) for name, w in self.network.items()}
        return HierarchicalNormal(loc, 0.5 * log_variance, weights)

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)


class HierarchicalNormal(EstimatedMoments):
    """A Gaussian, and another one given its value.

    Args:
        loc: Of the lower layer, float tensor `[*batch, lower]`.
        log_scale: Float tensor like `loc`.
        weights: Dict of tensors, as `layered.weight_shapes` names them.
    """

    def __init__(self, loc, log_scale, weights, name="HierarchicalNormal"):
        parameters = dict(locals())
        num_upper = weights["bias_2"].shape[-1] // 2
        above = tf.tile(tf.zeros_like(loc[..., :1]), [*[1] * (loc.shape.rank - 1), num_upper])
        # The noise of the upper layer passes the affine map of the lower one as it is.
        loc_all, log_scale_all = (tf.concat([part, above], axis=-1) for part in (loc, log_scale))
        upper = layered.Conditioned(weights, loc.shape[-1], "lower")
        self._log_scales = lambda z: log_scale_all + upper.log_scales(z)
        super().__init__(
            distribution=standard_normal_like(loc_all),
            bijector=tfb.Chain([upper, tfb.Shift(loc_all), tfb.Scale(log_scale=log_scale_all)]),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {"loc": properties(event_ndims=1), "log_scale": properties(event_ndims=1)}

    def element_log_prob(self, z):
        """Returns log q(lower_i) and log q(upper_i | lower), `[*batch, latent]`."""
        return normal_terms(self.bijector.inverse(z), self._log_scales(z))
