"""The importance-weighted bound."""

from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, log_mean_exp, weigh
from tfvae.options import check_count


class IWAE(Objective, name="iwae"):
    """The importance-weighted bound: tighter with more samples, the ELBO with one.

        bound(x) = E[log 1/K sum_k w_k]  <=  log p(x),  w = p(x|z) p(z) / q(z|x),  z_k ~ q(z|x)

    The gradient for the encoder loses its signal as K grows; `dreg` has the same bound and a
    better gradient.

    Args:
        num_samples: K, codes drawn for each example.

    Raises:
        ValueError: If `num_samples` is not a positive int.

    References:
        [1] Burda et al., eq. 8. https://arxiv.org/abs/1509.00519
    """

    is_tighter = True

    def __init__(self, *, num_samples=50):
        self.num_samples = check_count("num_samples", num_samples)

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        metrics = elbo_metrics(weights, posterior, prior)
        return Terms(log_mean_exp(weights.log_weights), metrics)
