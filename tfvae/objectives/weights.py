"""What the objectives share: codes drawn from q(z|x), and what each of them is worth in nats."""

import functools

import tensorflow as tf

from tfvae import noise
from tfvae.divergences import closed_kl, log_ratio


class Weights:
    """What codes z ~ q(z|x) say of an example, in nats.

        log w = log p(x|z) + log p(z) - log q(z|x)

    Args:
        log_likelihood: log p(x|z), `[sample, batch]`.
        ratio_of: Function without arguments -> log q(z|x) - log p(z), `[sample, batch]`. It is
            called where somebody asks: a bound with its divergence in closed form doesn't.
    """

    def __init__(self, log_likelihood, ratio_of):
        self.log_likelihood = log_likelihood
        self._ratio_of = ratio_of

    @functools.cached_property
    def log_ratio(self):
        """What the codes cost, log q(z|x) - log p(z), `[sample, batch]`."""
        return self._ratio_of()

    @property
    def log_weights(self):
        """The logarithm of the importance weights, `[sample, batch]`."""
        return self.log_likelihood - self.log_ratio


def draw(posterior, seed, num_samples=1):
    """Draws codes, each row from its own seed.

    Args:
        posterior: q(z|x), batch shape `[batch]`.
        seed: int32 `[batch, 2]`.
        num_samples: Codes an example.

    Returns:
        z: `[num_samples, batch, latent]`, with gradients to the posterior.
    """
    keys = seed[tf.newaxis]
    if num_samples > 1:
        keys = noise.fold_in(keys, tf.range(num_samples)[:, tf.newaxis])
    return posterior.bijector.forward(noise.normal(keys, tuple(posterior.event_shape)))


def weigh(x, z, posterior, prior, likelihood_of):
    """Returns the `Weights` of codes `[sample, batch, latent]` for examples `[batch, *event]`."""
    return Weights(likelihood_of(z).log_prob(x), lambda: log_ratio(posterior, prior, z))


def log_mean_exp(log_weights):
    """Returns log mean_k w_k over the first axis: `[batch]`."""
    num_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)


def elbo_metrics(weights, posterior, prior):
    """Returns the plain evidence lower bound and its two terms, whatever an objective maximises.

    The KL divergence is in closed form where one is known, and else the mean of the samples.

    Args:
        weights: `Weights`.
        posterior: q(z|x).
        prior: p(z).

    Returns:
        Dict of `elbo`, `reconstruction` and `kl`, `[batch]` each, in nats.
    """
    kl = closed_kl(posterior, prior)
    kl = tf.reduce_mean(weights.log_ratio, axis=0) if kl is None else kl
    reconstruction = tf.reduce_mean(weights.log_likelihood, axis=0)
    return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def with_gradient_of(value, surrogate):
    """Returns `value` with the gradient of `surrogate`."""
    return tf.stop_gradient(value - surrogate) + surrogate
