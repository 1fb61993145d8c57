"""The importance-weighted bound with the doubly reparameterized gradient."""

import tensorflow as tf

from tfvae.divergences import frozen
from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import (
    draw,
    elbo_metrics,
    log_mean_exp,
    weigh,
    with_gradient_of,
)
from tfvae.options import check_count


class DReG(Objective, name="dreg"):
    """The bound of `iwae` with a gradient for the encoder that keeps its signal.

        bound(x) = E[log 1/K sum_k w_k],  v_k = w_k / sum_j w_j
        gradient by the decoder and prior:  sum_k v_k      d log w_k / d theta
        gradient by the encoder:            sum_k v_k**2   d log w_k / d z_k   d z_k / d phi

    In expectation it is the gradient of `iwae`. At the exact posterior the gradient for the
    encoder is zero for every draw.

    With the posterior `iaf` it inverts the flow, one latent after the other, to take the density of
    a code as a function of the code alone.

    Args:
        num_samples: K, codes drawn for each example.

    Raises:
        ValueError: If `num_samples` is not a positive int.

    References:
        [1] Tucker et al. Doubly reparameterized gradient estimators, eq. 8.
            https://arxiv.org/abs/1810.04152
    """

    is_tighter = True
    needs_density = True

    def __init__(self, *, num_samples=50):
        self.num_samples = check_count("num_samples", num_samples)

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        bound = log_mean_exp(weights.log_weights)
        shares = tf.stop_gradient(tf.nn.softmax(weights.log_weights, axis=0))
        # The path through z gets a second factor v_k, and the density of q only that path. XLA
        # sees the same numbers computed twice, and computes them once.
        paths = _scale_gradient(z, shares[..., tf.newaxis])
        log_weights = weigh(x, paths, frozen(posterior), prior, likelihood_of).log_weights
        surrogate = tf.reduce_sum(shares * log_weights, axis=0)
        metrics = elbo_metrics(weights, posterior, prior)
        return Terms(with_gradient_of(bound, surrogate), metrics)


@tf.custom_gradient
def _scale_gradient(tensor, factor):
    """Returns the tensor; a gradient that passes through it is multiplied by `factor`."""
    return tf.identity(tensor), lambda gradient: (factor * gradient, None)
