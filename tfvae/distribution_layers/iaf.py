"""An inverse autoregressive flow: a posterior that need not be Gaussian."""

import keras
import tensorflow as tf

from tfvae.distribution_layers import autoregressive
from tfvae.distribution_layers.base import DistributionLayer, check_vector
from tfvae.distributions import reparameterize
from tfvae.options import check_count


class IAFLayer(DistributionLayer, name="iaf"):
    """Reads a tensor as a Gaussian that an inverse autoregressive flow bends.

        z_0 = loc + scale * eps
        z_t = gate_t z_(t-1) + (1 - gate_t) shift_t
        (gate_t, shift_t) = network_t(z_(t-1), context)
        log q(z_T|x) = log N(eps) - sum_i(log scale_i + sum_t log gate_ti)

    The numbers for a latent follow from those before it, so a draw and its density take one pass of
    each network; the order turns round from step to step. For the density of a code that it hasn't
    drawn itself the latents are recovered one after the other: right for `dreg`, `stl` and the
    prior `vampprior`, but long to compile where there are many. It has no mean and standard
    deviation in closed form: those that it gives, also in exports, are of 64 draws and their mirror
    images, from noise that is the same for every x.

    A gate is exp(-7) at least, as one of zero could not be inverted. A posterior only.

    Args:
        event_shape: Length of a code.
        num_flows: T.
        hidden: Units of the hidden layer of each network.
        context: Length of what the encoder tells every network of x.

    Call arguments:
        params: Float tensor `[batch, 2 * size + context]`: loc, log-variances, context.

    Returns:
        distribution: Batch shape `[batch]`, event shape `[size]`.

    Raises:
        ValueError: If an option is not a positive int, or the shape of `params` is another one.

    References:
        [1] Kingma et al. Improved variational inference with inverse autoregressive flow, eq. 10
            and algorithm 1. https://arxiv.org/abs/1606.04934
    """

    reparameterized = True
    is_likelihood = False
    one_pass_density = False

    def __init__(self, event_shape, *, num_flows=2, hidden=64, context=16, **kwargs):
        super().__init__(event_shape, **kwargs)
        check_vector(self)
        sizes = {"num_flows": num_flows, "hidden": hidden, "context": context}
        for option, size in sizes.items():
            check_count(option, size)
        self.context = context
        shapes = autoregressive.weight_shapes(self.event_shape[0], hidden, context)
        self.flows = [
            {name: self._add(f"{name}_{i}", shape) for name, shape in shapes.items()}
            for i in range(num_flows)
        ]

    @property
    def params_shape(self):
        """A loc and a log-variance for every latent, and the context."""
        return (2 * self.event_shape[0] + self.context,)

    def _distribution(self, params):
        sizes = [self.event_shape[0]] * 2 + [self.context]
        loc, log_variance, context = tf.split(params, sizes, axis=-1)
        weights = tf.nest.map_structure(tf.convert_to_tensor, self.flows)
        return autoregressive.InverseAutoregressive(loc, 0.5 * log_variance, context, weights)

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)

    def _add(self, name, shape):
        glorot = keras.initializers.GlorotUniform()
        return self.add_weight(
            shape=shape, initializer=glorot if len(shape) == 2 else "zeros", name=name
        )
