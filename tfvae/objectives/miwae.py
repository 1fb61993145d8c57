"""The mean of several importance-weighted bounds."""

import tensorflow as tf

from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, log_mean_exp, weigh
from tfvae.options import check_count


class MIWAE(Objective, name="miwae"):
    """The mean of M importance-weighted bounds of K samples each.

        bound(x) = E[1/M sum_m log 1/K sum_k w_mk]  <=  log p(x)

    More samples each tighten the bound, more bounds steady the gradient for the encoder.

    Args:
        num_bounds: M.
        samples_per_bound: K; M K codes are drawn for each example.

    Raises:
        ValueError: If an option is not a positive int.

    References:
        [1] Rainforth et al. Tighter variational bounds are not necessarily better, section 5.1.
            https://arxiv.org/abs/1802.04537
    """

    is_tighter = True

    def __init__(self, *, num_bounds=8, samples_per_bound=8):
        self.num_bounds = check_count("num_bounds", num_bounds)
        self.samples_per_bound = check_count("samples_per_bound", samples_per_bound)
        self.num_samples = num_bounds * samples_per_bound

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        log_weights = tf.reshape(weights.log_weights, [self.samples_per_bound, self.num_bounds, -1])
        bound = tf.reduce_mean(log_mean_exp(log_weights), axis=0)
        return Terms(bound, elbo_metrics(weights, posterior, prior))
