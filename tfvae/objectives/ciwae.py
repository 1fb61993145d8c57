"""The combination of the plain and the importance-weighted bound."""

import tensorflow as tf

from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, log_mean_exp, weigh
from tfvae.options import check_count, check_weight


class CIWAE(Objective, name="ciwae"):
    """Part ELBO, for the encoder, and part importance-weighted bound, for the decoder.

        bound(x) = E[beta 1/K sum_k log w_k + (1 - beta) log 1/K sum_k w_k]  <=  log p(x)

    beta = 0 is `iwae`, beta = 1 the ELBO with K samples.

    Args:
        num_samples: K, codes drawn for each example.
        beta: Share of the ELBO, from 0 to 1.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Rainforth et al. Tighter variational bounds are not necessarily better, section 5.2.
            https://arxiv.org/abs/1802.04537
    """

    is_tighter = True

    def __init__(self, *, num_samples=50, beta=0.5):
        self.num_samples = check_count("num_samples", num_samples)
        self.beta = check_weight("beta", beta, most=1)

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        plain = tf.reduce_mean(weights.log_weights, axis=0)
        tight = log_mean_exp(weights.log_weights)
        bound = self.beta * plain + (1 - self.beta) * tight
        return Terms(bound, elbo_metrics(weights, posterior, prior))
