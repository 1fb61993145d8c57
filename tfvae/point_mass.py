"""A distribution without a density: the deterministic code of an autoencoder."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distributions import standard_normal_like
from tfvae.divergences import log_ratio

tfb = tfp.bijectors
tfd = tfp.distributions


class PointMass(tfd.TransformedDistribution):  # type: ignore[name-defined]
    """All probability at one point: what a Gaussian becomes as its variance goes to zero.

        z = loc, whatever the noise

    It has no density, and so no prior terms: its KL divergence and its log-ratio from any prior
    count as zero, which turns every bound into E[log p(x|z)] at z = loc.

    Args:
        loc: Float tensor `[*batch, size]`.

    Raises:
        ValueError: If a density is asked of it.
    """

    def __init__(self, loc, name="PointMass"):
        parameters = dict(locals())
        self._loc = loc
        super().__init__(
            distribution=standard_normal_like(loc),
            bijector=_Collapse(loc),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"loc": tfp.util.ParameterProperties(event_ndims=1)}

    def _mean(self):
        return tf.convert_to_tensor(self._loc)

    _mode = _mean

    def _stddev(self):
        return tf.zeros_like(self._loc)

    _variance = _stddev

    def _log_prob(self, value):
        del value
        raise ValueError(
            "A point mass has no density, so there are no importance weights and no log-likelihood "
            "to estimate by them. Train with a posterior that has a density, such as `normal`."
        )


class _Collapse(tfb.Bijector):  # type: ignore[name-defined]
    """The limit of loc + scale * eps: no bijector any more, but it draws as one does."""

    def __init__(self, loc):
        parameters = dict(locals())
        self._loc = loc
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name="collapse")

    @classmethod
    def _parameter_properties(cls, dtype):
        return {"loc": tfp.util.ParameterProperties(event_ndims=1)}

    def _forward(self, eps):
        return self._loc + tf.zeros_like(eps)


@log_ratio.register
def _(q: PointMass, p, z):
    del q, p
    return tf.zeros(tf.shape(z)[:-1])


@tfd.RegisterKL(PointMass, tfd.Distribution)
def _kl_point_mass(q, p, name=None):
    del p
    with tf.name_scope(name or "kl_point_mass"):
        return tf.zeros(q.batch_shape_tensor())
