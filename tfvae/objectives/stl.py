"""The evidence lower bound with the sticking-the-landing gradient."""

import tensorflow as tf

from tfvae.divergences import frozen
from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, weigh, with_gradient_of
from tfvae.options import check_count


class STL(Objective, name="stl"):
    """The ELBO with a gradient for the encoder whose noise vanishes at the exact posterior.

        bound(x) = E_q[log p(x|z) + log p(z) - log q(z|x)]
        gradient by the encoder: by z alone, without d log q(z|x) / d phi at a fixed z

    The part left out is a score: zero in expectation, but not for one draw.

    With the posterior `iaf` it inverts the flow, one latent after the other, to take the density of
    a code as a function of the code alone.

    Args:
        num_samples: Codes drawn for each example; the bound is their mean.

    Raises:
        ValueError: If `num_samples` is not a positive int.

    References:
        [1] Roeder, Wu and Duvenaud. Sticking the landing, eq. 8. https://arxiv.org/abs/1703.09194
    """

    def __init__(self, *, num_samples=1):
        self.num_samples = check_count("num_samples", num_samples)

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        path = weigh(x, z, frozen(posterior), prior, likelihood_of)
        bound = tf.reduce_mean(weights.log_weights, axis=0)
        surrogate = tf.reduce_mean(path.log_weights, axis=0)
        metrics = elbo_metrics(weights, posterior, prior)
        return Terms(with_gradient_of(bound, surrogate), metrics)
