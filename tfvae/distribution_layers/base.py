"""The seam between Keras and TensorFlow Probability: parameters in, a distribution out."""

import abc
import math

import keras
import numpy as np

from tfvae import components
from tfvae.distribution_layers import fitting


class DistributionLayer(components.Component, keras.layers.Layer, abc.ABC):
    """Reads a tensor of parameters as a distribution: q(z|x) on an encoder, p(x|z) on a decoder.

    A member overrides `params_shape`, `_distribution` and `_sample`, `_in_support` where not
    every number has a density, `_params_at` where parameters follow from a mean, `_of_moments`
    where its moments tell all of it, and `_share` where a posterior takes weights of the prior.

    Args:
        event_shape: Shape of one example or code, a tuple of ints or an int.

    Call arguments:
        params: Float tensor `[batch, *params_shape]`; more axes may stand before the batch.
        training: Whether a step of training asks, for a likelihood that adapts to its batch.

    Returns:
        distribution: `tfd.Distribution`, batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.
    """

    #: What the distribution is a density or mass over, for messages: "{0, 1}", "the reals".
    support = "the reals"

    #: Whether the distribution is a bijector of standard normal noise, as q(z|x) must be.
    reparameterized = False

    #: Whether it can be p(x|z); what has no density, or a costly one, is a posterior only.
    is_likelihood = True

    #: Whether it has a density. A point mass has none, and then bounds have no prior terms.
    has_density = True

    #: Whether the density of codes that a posterior hasn't drawn itself takes one pass, and not one
    #: for each latent.
    one_pass_density = True

    #: The moments that are parameters of their own: what an export gives. A Bernoulli's standard
    #: deviation follows from its mean, so it leaves that out.
    moments: tuple[str, ...] = ("mean", "stddev")

    #: Whether values carry mass rather than density.
    discrete = False

    #: Whether it is among the first to propose for data that another likelihood doesn't fit.
    proposed = False

    def __init__(self, event_shape, **kwargs):
        # float32, and Keras casts the parameters to it, whatever the networks compute in: a
        # log-variance or a sum over an event of 16 bits loses whole nats.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.event_shape = check_shape("event_shape", event_shape)
        self.transform = None

    @property
    @abc.abstractmethod
    def params_shape(self):
        """Shape of the parameters of one example: what the network before it must end with."""

    @property
    def noise_shapes(self):
        """The noise that a posterior's draw is made of: name -> shape of one row."""
        return {"eps": self.event_shape}

    @property
    def measure(self):
        """What nats of log p(x) are counted against: they compare where this is the same."""
        return "mass" if self.discrete else "density"

    @abc.abstractmethod
    def _distribution(self, params):
        """Returns the distribution; `params` has been checked."""

    @abc.abstractmethod
    def _sample(self, distribution, seed):
        """Draws `[batch, *event]` from row seeds int32 `[batch, 2]`."""

    def _training_distribution(self, params):
        """Returns the distribution in a step of training, where that is another one."""
        return self._distribution(params)

    def _element_log_prob(self, distribution, x):
        """Returns the terms of log p(x); the default takes a `tfd.Independent` apart."""
        return distribution.distribution.log_prob(x)

    def _errors(self, distribution, x):
        """Returns how far the mean is from data; a member adds what suits its kind of data."""
        return {"squared_error": (x - distribution.mean()) ** 2}

    def _params_at(self, mean):
        """Returns parameters, NumPy `[*params_shape]`, for a mean NumPy `[*event_shape]`, or None.

        A mean of data may lie at the border of what the distribution reaches.
        """
        del mean

    def _network_input(self, x):
        """Returns data as an encoder reads it best; the default as it is."""
        return x

    def _in_support(self, x):
        """Says for a NumPy array whether every value lies in the support."""
        del x
        return True

    def _options_for(self, x):
        """Returns the options with which this member fits data best; {} for its defaults."""
        del x
        return {}

    def _of_moments(self, moments):
        """Returns the distribution that has these moments, or None where they don't tell it."""
        del moments

    def _reports(self, params):
        """Returns what of the parameters is worth a warning, name -> share, a scalar tensor."""
        del params
        return {}

    def call(self, params, training=False):  # noqa: D102 - the class docstring has it
        if tuple(params.shape[-len(self.params_shape) :]) != self.params_shape:
            raise ValueError(self._wrong_shape(params))
        return self._training_distribution(params) if training else self._distribution(params)

    def bind(self, transform):
        """Tells the layer what the elements of an example stand for; before it is called.

        Args:
            transform: The `tfvae.transforms.Columns` of a table, or None.

        Raises:
            ValueError: If it can't be put together for these columns.
        """
        self.transform = transform

    def share(self, prior):
        """Tells a posterior of the prior of its model; before it is built.

        Args:
            prior: A `Prior`.

        Raises:
            ValueError: If it is made for another one.
        """
        self._share(prior)

    def _share(self, prior):
        del prior

    @property
    def shared_variables(self):
        """The variables of the prior that a posterior is made of, beside its own."""
        return ()

    def sample(self, params, seed):
        """Draws from the distribution, each row from its own seed.

        Args:
            params: Float tensor `[batch, *params_shape]`.
            seed: int32 `[batch, 2]`.

        Returns:
            Float tensor `[batch, *event_shape]`.
        """
        return self._sample(self(params), seed)

    def network_input(self, x):
        """Returns data of this distribution in a range that the weights of an encoder begin with.

        Args:
            x: Float tensor `[batch, *event_shape]`.

        Returns:
            Float tensor like `x`.
        """
        return self._network_input(x)

    def element_log_prob(self, distribution, x):
        """Returns the terms that log p(x) is the sum of, for likelihoods of independent elements.

        Args:
            distribution: What calling this layer returned.
            x: Float tensor `[*batch, *event_shape]`.

        Returns:
            log_prob: `[*batch, *event_shape]`, nats.

        Raises:
            ValueError: If the elements depend on each other.
        """
        return self._element_log_prob(distribution, x)

    def errors(self, distribution, x):
        """Returns how far what a likelihood expects is from the data, in plain numbers.

        Args:
            distribution: What calling this layer returned.
            x: Float tensor `[*batch, *event_shape]`.

        Returns:
            Dict of name to `[*batch, *event_shape]`: always `squared_error`, of the mean, in
            squared units of the data; `misclassified`, 0 or 1, where the most probable value
            means something.
        """
        return self._errors(distribution, x)

    def of_moments(self, moments):
        """Returns the distribution that has given moments: to ask what rounding them costs.

        Args:
            moments: Dict of name, each of `self.moments`, to a float tensor
                `[batch, *event_shape]`. A deviation of zero counts as just above it, and a
                probability of 0 or 1 as just beside it.

        Returns:
            distribution: As of a call; None where the moments don't tell it.
        """
        return self._of_moments(moments)

    @property
    def begins_at_mean(self):
        """Whether `params_at` is defined: a decoder begins at the mean of the training data."""
        return type(self)._params_at is not DistributionLayer._params_at

    def params_at(self, mean):
        """Returns parameters at which the distribution has a mean, as near as it may be.

        Args:
            mean: Array `[*event_shape]`.

        Returns:
            params: NumPy array `[*params_shape]`, or None where `begins_at_mean` is False.
        """
        return self._params_at(np.asarray(mean))

    @property
    def has_reports(self):
        """Whether `reports` may have something to say."""
        return False

    def reports(self, params):
        """Returns what of the parameters a user should know of, such as a bound that is hit.

        Args:
            params: Float tensor `[batch, *params_shape]`.

        Returns:
            Dict of name to the share of the elements that it holds for, a scalar tensor.
        """
        return self._reports(params)

    def check_data(self, x):
        """Refuses data that this distribution gives no density, and names likelihoods that fit.

        Args:
            x: NumPy array `[num, *event_shape]`.

        Raises:
            ValueError: If a value lies outside the support.
        """
        if not self._in_support(x):
            fits = fitting.proposals(DistributionLayer, self.event_shape, x, self.transform)
            others = " or ".join(f'`--likelihood "{spec}"`' for spec in fits)
            remedies = [self._remedy(), f"Choose one that fits: {others}." if fits else ""]
            raise ValueError(" ".join(filter(None, [self._refusal(x), *remedies])))

    def check_range(self, least, greatest):
        """Refuses data that reach beyond the support.

        Args:
            least: Least value of all elements of all examples, a float.
            greatest: Greatest value of them.

        Raises:
            ValueError: If one of them lies outside the support.
        """
        self.check_data(np.array([least, greatest], np.float32))

    def check_missing(self, x=None):
        """Refuses missing values, where they would count in spite of being left out of log p(x).

        Args:
            x: NumPy array `[num, *event_shape]` of data, NaN where it is missing; or None, to ask
                for the likelihood alone.

        Raises:
            ValueError: If it is so.
        """

    def _refusal(self, x):
        return (
            f"The likelihood `{self.member_name}` is defined for values in {self.support}. "
            f"Received data with values from {x.min():.6g} to {x.max():.6g}."
        )

    def _remedy(self):
        """Returns a sentence on how to make the data fit, where there is a way."""
        return ""

    def _wrong_shape(self, params):
        size = math.prod(self.params_shape)
        return (
            f"`{type(self).__name__}` for event_shape={self.event_shape} reads parameters of "
            f"shape {('batch', *self.params_shape)}. Received an input of shape "
            f"{tuple(params.shape)}. End the network before it with `Dense({size})` and "
            f"`Reshape({self.params_shape})`."
        )


def check_vector(layer):
    """Refuses an event shape that is not that of a code: for layers that are posteriors only."""
    if len(layer.event_shape) != 1:
        raise ValueError(
            f"`{layer.member_name}` is a posterior, a distribution over codes: its event is a "
            f"vector, such as (16,). Received event_shape={layer.event_shape}. Choose another "
            f"likelihood, such as `normal`."
        )


def check_shape(argument, shape):
    """Returns a shape as a tuple of positive ints.

    Examples:
        >>> check_shape("event_shape", 16)
        (16,)
    """
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = (shape,)
    if not sizes or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(
            f"`{argument}` is a tuple of positive ints without the batch axis, such as "
            f"(28, 28, 1) or (16,). Received {shape!r}."
        )
    return sizes
