"""The evidence lower bound with the KL divergence in closed form."""

from tfvae.distributions import reparameterize
from tfvae.objectives.base import Objective, Terms


class Elbo(Objective, name="elbo"):
    """The evidence lower bound, with one sample of z and the KL divergence in closed form.

        ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))  <=  log p(x)

    Needs a posterior and a prior whose KL divergence TensorFlow Probability knows.

    References:
        [1] Kingma and Welling, eq. 7 and 10. https://arxiv.org/abs/1312.6114
    """

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        del step
        z = reparameterize(posterior, seed)  # [batch, latent]
        reconstruction = likelihood_of(z).log_prob(x)
        kl = posterior.kl_divergence(prior)
        elbo = reconstruction - kl
        return Terms(elbo, {"elbo": elbo, "reconstruction": reconstruction, "kl": kl})
