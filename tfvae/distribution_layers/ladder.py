"""A posterior of several stochastic layers that goes down the path of the prior."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import top_down
from tfvae.distribution_layers.base import DistributionLayer, check_vector
from tfvae.distribution_layers.estimated import EstimatedMoments
from tfvae.distributions import normal_terms, reparameterize, standard_normal_like
from tfvae.options import check_count

_HIDDEN = 100  # units of a path of its own


class LadderLayer(DistributionLayer, name="ladder"):
    """What the encoder says of each layer's codes, combined with what the layers above say of them.

        q(z|x) = prod_l N(z_l | loc_l, diag(scale_l**2)),  from the top l = L down to 1
        scale_l**-2 = scale_e**-2 + scale_p**-2
        loc_l = scale_l**2 (scale_e**-2 loc_e + scale_p**-2 loc_p),  loc_e = (1 + scale_e**2) m

    with m and scale_e of layer l by the encoder, and loc_p, scale_p those of p(z_l | z_>l): the
    surer the encoder, the more it corrects the prior. m is what loc_l would be under a prior
    N(0, 1), so that it counts however unsure the encoder is: one that gives loc_e itself, as in
    [1], learns to say nothing before the decoder has learnt to listen. At the top the prior is
    N(0, I), and combined like any other ([1] leaves it out there), so that m = 0 without any
    precision gives the prior as a whole.

    With the prior `ladder` it shares that one's weights; with another prior it has a path of its
    own. The mean and standard deviation that it gives, also in exports, are of 64 draws and their
    mirror images, from noise that is the same for every x.

    A posterior only.

    Args:
        event_shape: Length of a code, all layers together.
        sizes: Latents of each layer, the lowest first, such as (20, 10, 5); None for those of the
            prior `ladder`, and with another prior for two halves.
        hidden: Units of each hidden layer of the path; None for those of the prior `ladder`, and
            with another prior for 100.

    Call arguments:
        params: Float tensor `[batch, 2 * size]`: m and log scale_e**2 of each latent.

    Returns:
        distribution: Batch shape `[batch]`, event shape `[size]`.

    Raises:
        ValueError: If an option is out of range or not that of the prior `ladder`, or the shape of
            `params` is another one.

    References:
        [1] Sonderby et al. Ladder variational autoencoders, section 2: the precision-weighted
            combination. https://arxiv.org/abs/1602.02282
    """

    reparameterized = True
    is_likelihood = False

    def __init__(self, event_shape, *, sizes=None, hidden=None, **kwargs):
        super().__init__(event_shape, **kwargs)
        check_vector(self)
        self.sizes = None if sizes is None else top_down.check_sizes(self.event_shape[0], sizes)
        self.hidden = None if hidden is None else check_count("hidden", hidden)
        self.path_down: Any = None
        self._is_shared = False

    def build(self, input_shape):
        """Makes a path of its own, where the prior has none."""
        del input_shape
        if self.path_down is None:
            sizes = top_down.check_sizes(self.event_shape[0], self.sizes)
            self.path_down = top_down.Path(self, sizes, self.hidden or _HIDDEN)

    @property
    def params_shape(self):
        """A loc and a log-variance for every latent."""
        return (2 * self.event_shape[0],)

    @property
    def shared_variables(self):
        """The weights of the prior's path."""
        return tuple(self.path_down.variables) if self._is_shared else ()

    def _share(self, prior):
        if self.path_down is not None:
            raise ValueError(
                f"A posterior `{self.member_name}` belongs to one model, with whose prior it "
                f"shares weights. Received one that another model has. Give each its own, by a "
                f"spec: `posterior={str(self.spec)!r}`."
            )
        path = prior.path_down
        if path is None:
            return
        wanted = {"sizes": path.sizes, "hidden": path.hidden}
        given = {"sizes": self.sizes, "hidden": self.hidden}
        if any(given[option] not in (None, value) for option, value in wanted.items()):
            received = ", ".join(f"{k}={v!r}" for k, v in given.items() if v is not None)
            raise ValueError(
                f"The posterior `{self.member_name}` goes down the path of the prior "
                f"`{prior.spec}`, so their layers are the same. Received {received}. Leave the "
                f"options of the posterior out: `--posterior {self.member_name}`."
            )
        self.path_down, self._is_shared = path, True

    def _distribution(self, params):
        loc, log_variance = tf.split(params, 2, axis=-1)
        return LadderNormal(loc, log_variance, self.path_down.weights(), self.path_down.sizes)

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)


class LadderNormal(EstimatedMoments):
    """Gaussians from the top down, each given the values above it.

    Args:
        loc: What the encoder says, m of all layers: float tensor `[*batch, latent]`.
        log_variance: log scale_e**2, float tensor like `loc`.
        weights: As `top_down.Path.weights` returns them.
        sizes: Number of latents of each layer, the lowest first.
    """

    def __init__(self, loc, log_variance, weights, sizes, name="LadderNormal"):
        parameters = dict(locals())
        super().__init__(
            distribution=standard_normal_like(loc),
            bijector=top_down.TopDown(weights, sizes, loc, log_variance),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {"loc": properties(event_ndims=1), "log_variance": properties(event_ndims=1)}

    def element_log_prob(self, z):
        """Returns log q(z_i | the codes above it), `[*batch, latent]`."""
        return normal_terms(self.bijector.inverse(z), self.bijector.log_scales(z))
