"""The Gaussian, for codes and for real-valued data."""

import math

import numpy as np
import tensorflow as tf

from tfvae.distribution_layers import variances
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import positive
from tfvae.distributions import DiagonalNormal, reparameterize

_COVARIANCES = ("diagonal", "isotropic", "shared", "shared_diagonal", "unit")


class NormalLayer(DistributionLayer, name="normal"):
    """Reads a tensor of parameters as a Gaussian with a diagonal covariance.

        N(x | loc, scale**2),  scale**2 = exp(a) by default,  x = loc + scale * eps

    Use it as q(z|x) on an encoder or as p(x|z) on a decoder. Where the variance comes from:

        diagonal          the network gives an `a` for each element, behind the locs
        isotropic         one for the example: the mean of one more channel, behind the locs
        shared            one for all data, a weight: sigma-VAE, learned by gradient
        shared_diagonal   one for each element, the same for all data, weights
        unit              scale = 1
        stddev=0.1        scale = 0.1

    Args:
        event_shape: Shape of one example or code.
        variance: How a number `a` becomes a variance: 'exp', 'softplus', 'square' or 'relu'. The
            last three reach zero and are kept above `floor`, where they have no gradient.
            `exp` takes any real number: stay with it unless you compare.
        covariance: One of the names above.
        stddev: The standard deviation, instead of a covariance; None to learn it.
        floor: The least variance of 'softplus', 'square' and 'relu'. Training reports what share
            of the variances it holds up.

    Call arguments:
        params: Float tensor `[batch, *params_shape]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or an option is unknown.

    Examples:
        >>> import tensorflow as tf
        >>> NormalLayer(2)(tf.zeros([3, 4])).stddev().numpy().tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
        >>> NormalLayer(2, stddev=0.5)(tf.zeros([1, 2])).stddev().numpy().tolist()
        [[0.5, 0.5]]

    References:
        [1] Kingma and Welling, appendix C.2. https://arxiv.org/abs/1312.6114
        [2] Rybkin, Daniilidis and Levine. Simple and effective VAE training with
            calibrated decoders. https://arxiv.org/abs/2006.13202
    """

    reparameterized = True
    proposed = True

    def __init__(
        self,
        event_shape,
        *,
        variance="exp",
        covariance="diagonal",
        stddev=None,
        floor=1e-6,
        **kwargs,
    ):
        super().__init__(event_shape, **kwargs)
        variances.check(variance, floor)
        self.covariance = _check_covariance(covariance, stddev)
        self.fixed_log_scale = None
        if self.covariance == "unit":
            self.fixed_log_scale = math.log(1.0 if stddev is None else stddev)
        self.variance, self.floor = variance, floor
        if self.covariance.startswith("shared"):
            self.raw_variance = self.add_weight(
                shape=() if self.covariance == "shared" else self.event_shape,
                initializer=lambda shape, dtype: np.full(shape, variances.ONE[variance], dtype),
                name="raw_variance",
            )

    @property
    def params_shape(self):
        """`event_shape`, its last axis longer by what the variance needs."""
        last = self.event_shape[-1]
        more = {"diagonal": last, "isotropic": 1}.get(self.covariance, 0)
        return (*self.event_shape[:-1], last + more)

    @property
    def has_reports(self):
        """Whether the variance has a floor."""
        return self.variance != "exp" and self.covariance != "unit"

    def _distribution(self, params):
        loc, raw = self._split(params)
        if raw is None:
            log_scale = tf.fill(tf.shape(loc), self.fixed_log_scale)
        else:
            log_scale = variances.log_scale(raw, self.variance, self.floor)
        if self.covariance != "diagonal":
            log_scale = tf.broadcast_to(log_scale, tf.shape(loc))
        return DiagonalNormal(loc, log_scale, event_ndims=len(self.event_shape))

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)

    def _of_moments(self, moments):
        mean, stddev = moments["mean"], moments["stddev"]
        log_scale = tf.math.log(positive(stddev))
        return DiagonalNormal(tf.identity(mean), log_scale, event_ndims=len(self.event_shape))

    def _element_log_prob(self, distribution, x):
        return distribution.element_log_prob(x)

    def _reports(self, params):
        _, raw = self._split(params)
        return {"variance_at_floor": variances.share_at_floor(raw, self.variance, self.floor)}

    def _split(self, params):
        """Returns the loc and what the variance is made of, None where it is fixed."""
        if self.covariance == "diagonal":
            return tf.split(params, 2, axis=-1)
        if self.covariance == "isotropic":
            axes = list(range(-len(self.event_shape), 0))
            return params[..., :-1], tf.reduce_mean(params[..., -1:], axes, keepdims=True)
        if self.covariance == "unit":
            return params, None
        return params, tf.convert_to_tensor(self.raw_variance)


def _check_covariance(covariance, stddev):
    """Returns the name of a covariance: "unit" where the standard deviation is given."""
    if covariance not in _COVARIANCES:
        raise ValueError(
            f"`covariance` is one of {', '.join(map(repr, _COVARIANCES))}. Received "
            f"{covariance!r}. A full one is `full_normal`."
        )
    if stddev is None:
        return covariance
    if type(stddev) not in (int, float) or not 0 < stddev < math.inf:
        raise ValueError(
            f"`stddev` is a positive number, or None to learn it. Received {stddev!r}. Write "
            f"`normal(stddev=0.1)`."
        )
    if covariance != "diagonal":
        raise ValueError(
            f"`stddev` fixes the covariance, so it stands alone: `normal(stddev={stddev!r})`. "
            f"Received `covariance={covariance!r}` with it."
        )
    return "unit"
