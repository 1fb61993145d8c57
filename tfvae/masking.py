"""Missing values: NaN in an example, which networks see as 0 and likelihoods leave out."""

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions
# What `tfd.Independent` makes of scalars that are no composite tensors, as most here aren't.
_Independent = tfd.Independent.__bases__[0]


class Observed(tfd.Distribution):  # type: ignore[name-defined]
    """A likelihood of independent elements that leaves the missing ones out.

        log p(x_observed | z) = sum over i with x_i not NaN of log p(x_i | z)

    which is the marginal of the observed elements, since the others integrate to 1. With
    nothing missing it is the likelihood itself, to the last bit. Its moments are those of all
    elements: what a model says of the missing ones.

    Args:
        distribution: p(x|z): a `tfd.Independent` of scalars, or one with `element_log_prob`, as
            `DiagonalNormal` has.

    Raises:
        ValueError: If its elements aren't known to be independent.

    Examples:
        >>> normal = tfd.Independent(tfd.Normal([0.0, 1.0], 1.0), 1)
        >>> x = [float("nan"), 1.0]
        >>> bool(Observed(normal).log_prob(x) == tfd.Normal(1.0, 1.0).log_prob(1.0))
        True

    References:
        [1] Nazábal et al. Handling incomplete heterogeneous data using VAEs, eq. 2 and 7.
            https://arxiv.org/abs/1807.03653
    """

    def __init__(self, distribution, name="Observed"):
        parameters = dict(locals())
        check_independent(distribution)
        self._distribution = distribution
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"distribution": tfp.util.BatchedComponentProperties()}

    @property
    def distribution(self):
        """The distribution of all elements."""
        return self._distribution

    def _event_shape(self):
        return self._distribution.event_shape

    def _event_shape_tensor(self):
        return self._distribution.event_shape_tensor()

    def _log_prob(self, x):
        missing = tf.math.is_nan(x)
        terms = _terms(self._distribution, _filled(x, missing))
        axes = list(range(-len(self.event_shape), 0))
        return tf.reduce_sum(tf.where(missing, 0.0, terms), axes)

    def _mean(self):
        return self._distribution.mean()

    def _mode(self):
        return self._distribution.mode()

    def _stddev(self):
        return self._distribution.stddev()

    def _variance(self):
        return self._distribution.variance()


def seen(x):
    """Returns what a network sees of examples: 0 where a value is missing."""
    return tf.where(tf.math.is_nan(x), 0.0, x)


def check_independent(distribution):
    """Refuses a distribution whose elements aren't known to be independent.

    Raises:
        ValueError: If they are not.
    """
    base = getattr(distribution, "distribution", None)
    by_element = isinstance(distribution, _Independent) and _is_scalar(base)
    if not (by_element or hasattr(distribution, "element_log_prob")):
        raise ValueError(
            f"Missing values are left out of p(x|z) one by one, so its elements are independent "
            f"given z. Those of `{type(distribution).__name__}` aren't known to be. Choose another "
            f"likelihood, such as `normal` or `bernoulli`, or fill in what is missing."
        )


def _is_scalar(distribution):
    return distribution.event_shape.rank == 0


def _terms(distribution, x):
    """Returns the terms of log p(x) of each element, `[*batch, *event]`; they add up to it."""
    if hasattr(distribution, "element_log_prob"):
        return distribution.element_log_prob(x)
    return distribution.distribution.log_prob(x)


def _filled(x, missing):
    """Returns examples with an observed value for each missing one.

    It lies in the support, so the term that is dropped is finite and so is its gradient:
    `tf.where` multiplies that by 0, and 0 times infinity is NaN. One half, where nothing is
    observed at all, lies in all supports but those of whole numbers, where densities go on.
    """
    largest = tf.reduce_max(tf.where(missing, -float("inf"), x))
    return tf.where(missing, tf.where(tf.math.is_finite(largest), largest, 0.5), x)
