"""The Gaussian with a full covariance, for codes and for short real-valued vectors."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distributions import DiagonalNormal, reparameterize, standard_normal_like

tfb = tfp.bijectors
tfd = tfp.distributions


class FullNormalLayer(DistributionLayer, name="full_normal"):
    """Reads a tensor of parameters as a Gaussian with a full covariance, by its Cholesky factor.

        N(x | loc, L L^T),  x = loc + L eps,  L lower triangular with the diagonal exp(a / 2)
        and b / sqrt(n) left of it

    Use it as q(z|x) where the latents depend on each other given x, or as p(x|z) for short vectors:
    the network gives n (n + 3) / 2 numbers for n elements. A row of n numbers of the size of one
    would begin with a variance of n / 2, in which a decoder hears nothing of loc, and a posterior
    that collapses at once doesn't come back: so they are divided by sqrt(n).

    Args:
        event_shape: Length of one code or example.

    Call arguments:
        params: Float tensor `[batch, n (n + 3) / 2]`: the loc, the `a` of the diagonal, and the
            `b` of the rows left of it.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`. Its standard deviation is
            that of each element by itself.

    Raises:
        ValueError: If the shape of `params` is another one, or the event is no vector.

    Examples:
        >>> import tensorflow as tf
        >>> layer = FullNormalLayer(4)
        >>> params = tf.constant([[0.0] * 8 + [2.0] + [0.0] * 5])
        >>> layer(params).covariance().numpy()[0, :2, :2].tolist()
        [[1.0, 1.0], [1.0, 2.0]]

    References:
        [1] Kingma and Welling. An introduction to variational autoencoders.
            https://arxiv.org/abs/1906.02691
    """

    reparameterized = True

    def __init__(self, event_shape, **kwargs):
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 1:
            raise ValueError(
                f"`full_normal` is over vectors: its parameters grow with the square of their "
                f"length. Received event_shape={self.event_shape}. Choose `normal`."
            )
        n = self.event_shape[0]
        # Where each entry of L stands among (zero, diagonal, entries below it, row by row).
        self._places = np.zeros((n, n), np.int32)
        self._places[np.diag_indices(n)] = 1 + np.arange(n)
        self._places[np.tril_indices(n, -1)] = 1 + n + np.arange(n * (n - 1) // 2)

    @property
    def params_shape(self):
        """`(n (n + 3) / 2,)`."""
        n = self.event_shape[0]
        return (n * (n + 3) // 2,)

    def _distribution(self, params):
        n = self.event_shape[0]
        loc, log_variance, below = tf.split(params, [n, n, n * (n - 1) // 2], axis=-1)
        log_diagonal = 0.5 * log_variance
        entries = [tf.zeros_like(loc[..., :1]), tf.exp(log_diagonal), below / n**0.5]
        tril = tf.gather(tf.concat(entries, axis=-1), self._places, axis=-1)  # [..., n, n]
        return FullNormal(loc, tril, log_diagonal)

    def _sample(self, distribution, seed):
        return reparameterize(distribution, seed)

    def _element_log_prob(self, distribution, x):
        raise ValueError(
            "The elements of a `full_normal` depend on each other, so log p(x) has no term for "
            "each. Choose `normal`."
        )


class FullNormal(tfd.TransformedDistribution):  # type: ignore[name-defined]
    """A Gaussian as a bijector of standard normal noise: z = loc + tril @ eps.

    Args:
        loc: Float tensor `[*batch, n]`.
        tril: Lower triangular `[*batch, n, n]`.
        log_diagonal: Logarithm of its diagonal, `[*batch, n]`.
    """

    def __init__(self, loc, tril, log_diagonal, name="FullNormal"):
        parameters = dict(locals())
        self.loc, self.tril, self.log_diagonal = loc, tril, log_diagonal
        base = standard_normal_like(loc)
        bijector = _Affine(loc, tril, log_diagonal)
        super().__init__(base, bijector, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        one, two = properties(event_ndims=1), properties(event_ndims=2)
        return {"loc": one, "tril": two, "log_diagonal": one}

    def marginals(self):
        """Returns the distribution of each element by itself, batch shape `[*batch, n]`."""
        return tfd.Normal(self.mean(), self.stddev())

    def _mean(self):
        return tf.identity(self.loc)

    _mode = _mean

    def _variance(self):
        return tf.reduce_sum(self.tril**2, axis=-1)

    def _stddev(self):
        return tf.sqrt(self._variance())

    def _covariance(self):
        return tf.matmul(self.tril, self.tril, transpose_b=True)

    def _entropy(self):
        return self.distribution.entropy() + tf.reduce_sum(self.log_diagonal, axis=-1)


class _Affine(tfb.Bijector):  # type: ignore[name-defined]
    """z = loc + tril @ eps, whose log-determinant is the sum of the log-diagonal."""

    def __init__(self, loc, tril, log_diagonal):
        parameters = dict(locals())
        self._loc, self._tril, self._log_diagonal = loc, tril, log_diagonal
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            dtype=loc.dtype,
            parameters=parameters,
            name="affine",
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = tfp.util.ParameterProperties
        one, two = properties(event_ndims=1), properties(event_ndims=2)
        return {"loc": one, "tril": two, "log_diagonal": one}

    def _forward(self, x):
        # Products and sums, rather than a solver's operator: every runtime has them.
        return self._loc + tf.reduce_sum(self._tril * x[..., tf.newaxis, :], axis=-1)

    def _inverse(self, y):
        return _solve(self._tril, (y - self._loc)[..., tf.newaxis])[..., 0]

    def _forward_log_det_jacobian(self, x):
        del x
        return tf.reduce_sum(self._log_diagonal, axis=-1)


def _solve(tril, right):
    """Returns tril**-1 @ right; both broadcast over their batch axes."""
    batch = tf.broadcast_dynamic_shape(tf.shape(tril)[:-2], tf.shape(right)[:-2])
    tril = tf.broadcast_to(tril, tf.concat([batch, tf.shape(tril)[-2:]], 0))
    right = tf.broadcast_to(right, tf.concat([batch, tf.shape(right)[-2:]], 0))
    return tf.linalg.triangular_solve(tril, right)


def _divergence(log_ratio, whitened, distance):
    """KL(q || p) of d = log(diagonal of q / diagonal of p), W = Lp**-1 Lq, y = Lp**-1 (mq - mp).

    1/2 (|W|**2 - n + |y|**2) - sum(d), with exp(2 d) as the diagonal of W squared: expm1 keeps the
    digits near zero.
    """
    twice = 2 * log_ratio
    beside = whitened - tf.linalg.diag(tf.linalg.diag_part(whitened))
    own = tf.reduce_sum(tf.math.expm1(twice) - twice + distance**2, axis=-1)
    return 0.5 * (own + tf.reduce_sum(beside**2, axis=[-2, -1]))


@tfd.RegisterKL(FullNormal, FullNormal)
def _kl_full_full(q, p, name=None):
    with tf.name_scope(name or "kl_full_full"):
        distance = _solve(p.tril, (q.loc - p.loc)[..., tf.newaxis])[..., 0]
        return _divergence(q.log_diagonal - p.log_diagonal, _solve(p.tril, q.tril), distance)


@tfd.RegisterKL(FullNormal, DiagonalNormal)
def _kl_full_diagonal(q, p, name=None):
    with tf.name_scope(name or "kl_full_diagonal"):
        inverse = tf.exp(-p.log_scale)
        whitened = q.tril * inverse[..., tf.newaxis]
        return _divergence(q.log_diagonal - p.log_scale, whitened, (q.loc - p.loc) * inverse)
