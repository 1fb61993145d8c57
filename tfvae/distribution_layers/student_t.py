"""Student's t, for real values with gross outliers."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise, positive

tfd = tfp.distributions


class StudentTLayer(DistributionLayer, name="student_t"):
    """Reads a tensor of parameters as independent Student's t distributions.

        p(x | loc, scale) = Gamma((df+1)/2) / (Gamma(df/2) sqrt(pi df) scale)
                            (1 + ((x - loc) / scale)**2 / df)**(-(df+1)/2)

    with scale = exp(second half). Use it as p(x|z) for real values with gross outliers: a value far
    out costs its logarithm, not its square. Its standard deviation is scale sqrt(df / (df - 2)).

    Args:
        event_shape: Shape of one example.
        df: Degrees of freedom, above 2 so that there is a variance: the smaller, the heavier the
            tails; or None to learn one number for all data, from 5 on.

    Call arguments:
        params: Float tensor `[batch, *event_shape[:-1], 2 * event_shape[-1]]`: loc, log-scale.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one, or `df` is not above 2.

    Examples:
        >>> import tensorflow as tf
        >>> StudentTLayer(1, df=4.0)(tf.zeros([1, 2])).stddev().numpy().round(3)
        array([[1.414]], dtype=float32)

    References:
        [1] Takahashi et al. Student-t variational autoencoder for robust density estimation.
            IJCAI 2018. https://doi.org/10.24963/ijcai.2018/374
        [2] Bailey. Polar generation of random variates with the t-distribution. Mathematics
            of Computation 62, 1994. https://doi.org/10.2307/2153537
    """

    def __init__(self, event_shape, *, df=5.0, **kwargs):
        super().__init__(event_shape, **kwargs)
        if df is not None and (type(df) not in (int, float) or not 2 < df < math.inf):
            raise ValueError(
                f"`df` is a number above 2, at which the variance is infinite, or None to learn "
                f"it. Received {df!r}. Write `student_t(df=5.0)`."
            )
        self.df = df
        if df is None:
            self.raw_df = self.add_weight(
                shape=(),
                initializer=lambda shape, dtype: np.full(shape, math.log(5.0 - 2.0), dtype),
                name="raw_df",
            )

    @property
    def params_shape(self):
        """`event_shape` with its last axis twice as long."""
        return (*self.event_shape[:-1], 2 * self.event_shape[-1])

    def _distribution(self, params):
        loc, log_scale = tf.split(params, 2, axis=-1)
        return tfd.Independent(_StudentT(self._df(), loc, log_scale), len(self.event_shape))

    def _df(self):
        return tf.constant(float(self.df)) if self.df else 2 + tf.exp(tf.identity(self.raw_df))

    def _of_moments(self, moments):
        mean, stddev = moments["mean"], moments["stddev"]
        df = self._df()
        log_scale = tf.math.log(positive(stddev)) + 0.5 * tf.math.log((df - 2) / df)
        return self._distribution(tf.concat([mean, log_scale], axis=-1))

    def _sample(self, distribution, seed):
        # With uniform u and v, sqrt(df (u**(-2/df) - 1)) cos(2 pi v) is a t variate [2].
        t = distribution.distribution
        u, v = (noise.open_uniform(noise.fold_in(seed, i), self.event_shape) for i in range(2))
        radius = tf.sqrt(t.df * tf.math.expm1(-2 / t.df * tf.math.log(u)))
        return t.loc + tf.exp(t.log_scale) * radius * tf.cos(2 * math.pi * v)


class _StudentT(Elementwise):
    """Student's t with a log-scale, so that no square overflows."""

    def __init__(self, df, loc, log_scale):
        parameters = dict(locals())
        self.df, self.loc, self.log_scale = df, loc, log_scale
        super().__init__(loc, parameters)

    def _log_prob(self, x):
        half = 0.5 * self.df
        # log(1 + y**2 / df) of a distance y = exp(d), without y**2: softplus(2 d - log df).
        distance = tf.maximum(tf.abs(x - self.loc), 1e-30)
        square = 2 * (tf.math.log(distance) - self.log_scale) - tf.math.log(self.df)
        normaliser = tf.math.lgamma(half + 0.5) - tf.math.lgamma(half)
        normaliser -= 0.5 * tf.math.log(math.pi * self.df) + self.log_scale
        return normaliser - (half + 0.5) * tf.math.softplus(square)

    def _mean(self):
        return tf.identity(self.loc)

    def _variance(self):
        return tf.exp(2 * self.log_scale) * self.df / (self.df - 2)
