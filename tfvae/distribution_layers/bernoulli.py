"""The Bernoulli, for binary data."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import flattened

tfd = tfp.distributions

_LEAST = 1e-3  # probability that a decoder begins with, and its distance from 1, as in [2]
_EDGE = 1e-6  # a probability that is rounded to 0 or 1 leaves this much to the other value


class BernoulliLayer(DistributionLayer, name="bernoulli"):
    """Reads a tensor of logits as independent Bernoullis.

        p(x | logits) = sigmoid(logits)**x * (1 - sigmoid(logits))**(1 - x),  x in {0, 1}

    Use it as p(x|z) for binary data. Grey values between 0 and 1 have no mass under it: binarize
    them first.

    Args:
        event_shape: Shape of one example.

    Call arguments:
        params: Float tensor `[batch, *event_shape]`, logits.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`.

    Raises:
        ValueError: If the shape of `params` is another one.

    Examples:
        >>> import tensorflow as tf
        >>> BernoulliLayer(2)(tf.zeros([1, 2])).mean().numpy().tolist()
        [[0.5, 0.5]]

    References:
        [1] Kingma and Welling, appendix C.1. https://arxiv.org/abs/1312.6114
        [2] Burda et al., in their code: the last bias is the logit of the mean of the training
            data. https://arxiv.org/abs/1509.00519
    """

    support = "{0, 1}"
    moments = ("mean",)
    discrete = True
    proposed = True

    @property
    def params_shape(self):
        """`event_shape`: one logit for each element."""
        return self.event_shape

    def _distribution(self, params):
        bernoulli = _Bernoulli(logits=params, dtype=tf.float32)
        return tfd.Independent(bernoulli, len(self.event_shape))

    def _sample(self, distribution, seed):
        u = noise.uniform(seed, self.event_shape)
        return tf.cast(u < distribution.mean(), tf.float32)

    def _of_moments(self, moments):
        mean = moments["mean"]
        probs = tf.clip_by_value(mean, _EDGE, 1 - _EDGE)
        return self._distribution(tf.math.log(probs) - tf.math.log1p(-probs))

    def _errors(self, distribution, x):
        wrong = tf.not_equal(distribution.mean() > 0.5, x > 0.5)
        return {**super()._errors(distribution, x), "misclassified": tf.cast(wrong, tf.float32)}

    def _params_at(self, mean):
        mean = np.clip(mean, _LEAST, 1 - _LEAST)
        return np.log(mean) - np.log1p(-mean)

    def _in_support(self, x):
        return bool(np.all((x == 0) | (x == 1)))

    def _remedy(self):
        return "Binarize the data, as in `--dataset \"mnist(binarize='dynamic')\"`."


class _Bernoulli(tfd.Bernoulli):  # type: ignore[name-defined]
    """A Bernoulli whose log mass takes one exp and one logarithm, half of what tfd's own does.

        x logits - softplus(logits),  softplus(l) = max(l, 0) + log(1 + exp(-abs(l)))

    Evaluating a trained model is little else. x l - max(l, 0) is exact, and log(1 + d) for d in
    [0, 1] is off by 6e-8 nats at most, where `log1p` would take a fifth longer for the whole.
    """

    def _log_prob(self, x):
        logits = tf.convert_to_tensor(self.logits)
        return flattened(_log_mass, tf.cast(x, logits.dtype), logits)


def _log_mass(x, logits):
    positive = logits >= 0
    # Not `relu` and `abs`, whose gradients at zero are no limits of those beside it.
    above = tf.where(positive, logits, tf.zeros_like(logits))
    decay = tf.exp(tf.where(positive, -logits, logits))
    return x * logits - above - tf.math.log(1 + decay)
