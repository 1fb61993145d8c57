"""The bound with a weight on the total correlation of the latents."""

import math

import tensorflow as tf

from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, weigh
from tfvae.options import check_weight


class BetaTC(Objective, name="beta_tc"):
    """The ELBO with a larger price on latents that depend on each other over the data.

        bound(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)) - (beta - 1) TC
        TC = E[log q(z) - sum_i log q(z_i)],  q(z) = mean_x q(z|x) over the batch

    The KL divergence is the sum of the code's information on x, its total correlation and the
    distance of each latent from the prior; this weighs the second. The aggregate q(z) is that of
    the batch: weighting by the size of the data set, as in [1], adds constants to it. It couples
    the examples of a batch, so large batches are better.

    Args:
        beta: Weight of the total correlation; 1 is the ELBO.

    Raises:
        ValueError: If `beta` is negative, or the marginals of the posterior are not known.

    References:
        [1] Chen et al. Isolating sources of disentanglement in VAEs, eq. 4 and 5.
            https://arxiv.org/abs/1802.04942
    """

    metric_names = ("elbo", "reconstruction", "kl", "total_correlation")
    is_coupled = True

    def __init__(self, *, beta=6.0):
        self.beta = check_weight("beta", beta)

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = draw(posterior, seed)  # [1, batch, latent]
        metrics = elbo_metrics(weigh(x, z, posterior, prior, likelihood_of), posterior, prior)
        correlation = _total_correlation(posterior, z[0])
        bound = metrics["elbo"] - (self.beta - 1) * correlation
        return Terms(bound, {**metrics, "total_correlation": correlation})


def _total_correlation(posterior, z):
    """Returns log q(z) - sum_i log q(z_i) of codes `[batch, latent]`: `[batch]`, nats."""
    z = z[:, tf.newaxis]  # each code under the posterior of every example
    log_batch = (
        math.log(z.shape[0]) if z.shape[0] else tf.math.log(tf.cast(tf.shape(z)[0], z.dtype))
    )
    each = _marginals(posterior).log_prob(z)  # [code, example, latent]
    joint = tf.reduce_logsumexp(posterior.log_prob(z), axis=1) - log_batch
    latents = tf.reduce_logsumexp(each, axis=1) - log_batch
    return joint - tf.reduce_sum(latents, axis=-1)


def _marginals(posterior):
    marginals = getattr(posterior, "marginals", None)
    if marginals is None:
        raise ValueError(
            f"`beta_tc` needs the density of each latent under q(z|x), which isn't known for the "
            f"posterior `{type(posterior).__name__}`. Choose a Gaussian one: `--posterior normal`."
        )
    return marginals()
