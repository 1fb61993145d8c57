"""The bound with a KL divergence that is led to a value that grows."""

from tfvae.objectives import schedules
from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, weigh
from tfvae.options import check_count, check_weight


class Capacity(Objective, name="capacity"):
    """The capacity-annealed beta-VAE: codes are allowed more nats as training goes on.

        bound(x) = E_q[log p(x|z)] - gamma |KL(q(z|x) || p(z)) - C(step)|
        C(step) = max_capacity min(1, step / steps)

    Latents are taken into use one after the other, those that explain most first.

    Args:
        max_capacity: Nats of a code at the end.
        gamma: Price of a nat too much or too little.
        steps: Steps of the optimizer over which the capacity grows.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Burgess et al. Understanding disentangling in beta-VAE, eq. 8.
            https://arxiv.org/abs/1804.03599
    """

    needs_density = True  # for a divergence to be led

    def __init__(self, *, max_capacity=25.0, gamma=30.0, steps=5000):
        self.max_capacity = check_weight("max_capacity", max_capacity)
        self.gamma = check_weight("gamma", gamma)
        self.steps = check_count("steps", steps)

    @property
    def schedule_steps(self):
        """`steps`."""
        return self.steps

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        z = draw(posterior, seed)  # [1, batch, latent]
        metrics = elbo_metrics(weigh(x, z, posterior, prior, likelihood_of), posterior, prior)
        capacity = self.max_capacity * schedules.ramp(step, self.steps)
        bound = metrics["reconstruction"] - self.gamma * abs(metrics["kl"] - capacity)
        return Terms(bound, metrics)
