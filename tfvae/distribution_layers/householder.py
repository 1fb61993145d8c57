"""A Gaussian that a few reflections turn: a Householder flow."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distribution_layers.base import DistributionLayer, check_vector
from tfvae.distributions import DiagonalNormal, reparameterize, standard_normal_like
from tfvae.options import check_count

tfb = tfp.bijectors
tfd = tfp.distributions

_TINY = 1e-12  # squared length below which a vector has no direction


class HouseholderLayer(DistributionLayer, name="householder"):
    """Reads a tensor as a Gaussian whose axes are turned by reflections that depend on x.

        q(z|x) = N(loc, R diag(scale**2) R^T),  z = loc + R (scale * eps)
        R = H_1 ... H_n,  H_i = I - 2 v_i v_i^T / |v_i|**2

    Between a diagonal and a full covariance: each reflection costs one vector of parameters, and
    as many as there are latents reach every covariance. The KL divergence from a diagonal
    Gaussian prior is in closed form.

    A posterior only.

    Args:
        event_shape: Length of a code.
        num_reflections: n.

    Call arguments:
        params: Float tensor `[batch, (2 + num_reflections) * size]`: loc, log-variances, vectors.

    Returns:
        distribution: Batch shape `[batch]`, event shape `[size]`.

    Raises:
        ValueError: If an option is out of range, or the shape of `params` is another one.

    Examples:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> params = tf.constant([[5.0, 6.0, 0.0, 2.0, 1.0, 1.0]])
        >>> q = HouseholderLayer(2, num_reflections=1)(params)
        >>> q.mean().numpy().tolist()  # the reflection at (1, 1) swaps the axes, and so the scales
        [[5.0, 6.0]]
        >>> np.round(np.float64(q.variance()), 2).tolist()
        [[7.39, 1.0]]

    References:
        [1] Tomczak and Welling. Improving variational auto-encoders using Householder flow, eq. 9.
            https://arxiv.org/abs/1611.09630
    """

    reparameterized = True
    is_likelihood = False

    def __init__(self, event_shape, *, num_reflections=4, **kwargs):
        super().__init__(event_shape, **kwargs)
        check_vector(self)
        self.num_reflections = check_count("num_reflections", num_reflections)

    @property
    def params_shape(self):
        """A loc, a log-variance and a share of each vector for every latent."""
        return ((2 + self.num_reflections) * self.event_shape[0],)

    def _distribution(self, params):
        loc, log_variance, *vectors = tf.split(params, 2 + self.num_reflections, axis=-1)
        return HouseholderNormal(loc, 0.5 * log_variance, tuple(vectors))

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)


class HouseholderNormal(tfd.TransformedDistribution):  # type: ignore[name-defined]
    """N(loc, R diag(scale**2) R^T) with R a product of reflections.

    Args:
        loc: Float tensor `[*batch, size]`.
        log_scale: Float tensor like `loc`.
        vectors: Tuple of float tensors like `loc`, the normals of the mirrors, of any length.
    """

    def __init__(self, loc, log_scale, vectors, name="HouseholderNormal"):
        parameters = dict(locals())
        self._loc, self._log_scale = loc, log_scale
        self._normals = [_unit(vector) for vector in vectors]
        super().__init__(
            distribution=standard_normal_like(loc),
            bijector=tfb.Chain(
                [
                    tfb.Shift(loc),
                    *(_Reflection(normal) for normal in self._normals),
                    tfb.Scale(log_scale=log_scale),
                ]
            ),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {"loc": properties(event_ndims=1), "log_scale": properties(event_ndims=1)}

    @property
    def loc(self):
        """The mean, `[*batch, size]`."""
        return self._loc

    @property
    def log_scale(self):
        """The logarithms of the standard deviations along the axes that are turned."""
        return self._log_scale

    def marginals(self):
        """Returns the distribution of each latent, batch shape `[*batch, size]`."""
        return tfd.Normal(self.mean(), self.stddev())

    def _mean(self):
        return tf.convert_to_tensor(self._loc)

    _mode = _mean

    def _variance(self):
        # The rows of R diag(scale): what the columns diag(scale) become under the reflections.
        columns = tf.linalg.diag(tf.exp(self._log_scale))
        for normal in reversed(self._normals):
            columns = _reflect(columns, normal[..., tf.newaxis, :])
        return tf.reduce_sum(columns**2, axis=-2)

    def _stddev(self):
        return tf.sqrt(self._variance())


class _Reflection(tfb.Bijector):  # type: ignore[name-defined]
    """At the mirror with a normal of length one; its own inverse, and keeps volumes."""

    def __init__(self, normal):
        parameters = dict(locals())
        self._normal = normal
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            parameters=parameters,
            name="reflection",
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return {"normal": tfp.util.ParameterProperties(event_ndims=1)}

    def _forward(self, x):
        return _reflect(x, self._normal)

    _inverse = _forward

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)


@tfd.RegisterKL(HouseholderNormal, DiagonalNormal)
def _kl_householder_normal(q, p, name=None):
    """KL(q || p) in closed form, in nats.

    1/2 sum(var_q / var_p + ((mean_q - mean_p) / sp)**2 - 1) + sum(log sp) - sum(log scale_q): the
    trace needs the variances of q alone, and a reflection leaves the determinant as it is.
    """
    with tf.name_scope(name or "kl_householder_normal"):
        precision = tf.exp(-2 * p.log_scale)
        quadratic = (q.variance() + (q.loc - p.loc) ** 2) * precision
        return tf.reduce_sum(0.5 * (quadratic - 1) + p.log_scale - q.log_scale, axis=-1)


def _reflect(x, normal):
    return x - 2 * normal * tf.reduce_sum(normal * x, axis=-1, keepdims=True)


def _unit(vector):
    """Returns the direction of a vector; a fixed one where it has none."""
    square = tf.reduce_sum(vector**2, axis=-1, keepdims=True)
    first = tf.one_hot(0, vector.shape[-1])
    has_direction = square > _TINY
    return tf.where(has_direction, vector, first) * tf.math.rsqrt(
        tf.where(has_direction, square, tf.ones_like(square))
    )
