"""The bound with a price on codes that are distributed otherwise than the prior."""

import tensorflow as tf

from tfvae import noise
from tfvae.draws import draw as draw_prior
from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, weigh
from tfvae.options import check_weight

_PRIOR = 0x6D6D64  # the stream of the prior's codes: "mmd"


class InfoVAE(Objective, name="infovae"):
    """The ELBO with its KL divergence replaced in part by the distance of all codes from the prior.

        bound(x) = E_q[log p(x|z)] - (1 - alpha) KL(q(z|x) || p(z)) - (alpha + weight - 1) MMD
        MMD = mean k(z, z') - 2 mean k(z, y) + mean k(y, y'),  z ~ q(z|x), y ~ p(z) of a batch
        k(a, b) = exp(-|a - b|**2 / latent_size)

    The maximum mean discrepancy [2] leaves the code of one example free, as long as those of all
    examples together follow the prior. alpha = 0 keeps the whole KL divergence, and then the bound
    lies below log p(x); alpha = 1 drops it. It couples the examples of a batch, so large batches
    are better.

    Args:
        alpha: Share of the KL divergence that is dropped, from 0 to 1.
        weight: The lambda of [1]: nats for a distance of 1.

    Raises:
        ValueError: If an option is out of range, or the prior can't be drawn from within a step.

    References:
        [1] Zhao, Song and Ermon. InfoVAE, eq. 6. https://arxiv.org/abs/1706.02262
        [2] Gretton et al. A kernel two-sample test, eq. 5.
            https://jmlr.org/papers/v13/gretton12a.html
    """

    metric_names = ("elbo", "reconstruction", "kl", "mmd")
    is_coupled = True

    def __init__(self, *, alpha=0.0, weight=1000.0):
        self.alpha = check_weight("alpha", alpha, most=1)
        self.weight = check_weight("weight", weight)
        if alpha + weight < 1:
            raise ValueError(
                f"The weight of the distance, alpha + weight - 1, is not negative. Received "
                f"alpha={alpha} and weight={weight}. Write `infovae(alpha={alpha}, weight=1.0)`."
            )

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed)  # [1, batch, latent]
        metrics = elbo_metrics(weigh(x, z, posterior, prior, likelihood_of), posterior, prior)
        distance = _mmd(z[0], draw_prior(prior, noise.fold_in(seed, _PRIOR)))
        kl = (1 - self.alpha) * metrics["kl"]
        bound = metrics["reconstruction"] - kl - (self.alpha + self.weight - 1) * distance
        return Terms(bound, {**metrics, "mmd": tf.fill(tf.shape(bound), distance)})


def _mmd(z, y):
    """Returns the distance between two samples `[batch, latent]`, a scalar that is never negative.

    The mean runs over all pairs, those of a code with itself too: that estimate is the squared
    length of a mean in the space of the kernel.
    """
    return tf.reduce_mean(_kernel(z, z) - 2 * _kernel(z, y) + _kernel(y, y))


def _kernel(a, b):
    """Returns k(a_i, b_j), `[batch, batch]`."""
    differences = a[:, tf.newaxis] - b[tf.newaxis]
    return tf.exp(-tf.reduce_mean(differences**2, axis=-1))
