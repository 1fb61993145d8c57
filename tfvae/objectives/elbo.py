"""The evidence lower bound, weighted and annealed if so wished."""

import tensorflow as tf

from tfvae.distributions import kl_terms
from tfvae.objectives import schedules
from tfvae.objectives.base import Objective, Terms
from tfvae.objectives.weights import draw, elbo_metrics, weigh
from tfvae.options import check_count, check_steps, check_weight

_KL = ("auto", "analytic", "monte_carlo")


class Elbo(Objective, name="elbo"):
    """The evidence lower bound, with a weight and a warm-up of the KL divergence and free bits.

        ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))  <=  log p(x)
        bound(x) = E_q[log p(x|z)] - beta(step) (KL(q(z|x) || p(z)) + deficit)
        beta(step) = beta min(1, (step mod cycle_steps) / warmup_steps)
        deficit = sum_i max(0, free_bits - mean_x KL_i(x)),  a latent a term

    With beta = 1 and no free bits it is the plain bound [1]; a larger beta disentangles [2]. The
    metrics `elbo` and `kl` are those of the plain bound, whatever beta is.

    Args:
        beta: Weight of the KL divergence, at the end of the warm-up.
        warmup_steps: Steps of the optimizer over which the weight rises from 0; 0 for none.
        cycle_steps: Steps after which the warm-up begins anew; 0 for never [3].
        free_bits: Nats that each latent may cost, on average over a batch, before it pays [4].
            Needs independent latents: posterior `normal` and prior `standard_normal`.
        kl: "analytic" for the closed form, "monte_carlo" for the mean of log q - log p over the
            samples, or "auto": in closed form where one is known for the posterior and the prior.
        num_samples: Codes drawn for each example.

    Raises:
        ValueError: If an option is out of range, or a closed form or independent latents are
            asked of a posterior and a prior that have none.

    References:
        [1] Kingma and Welling, eq. 6 to 10. https://arxiv.org/abs/1312.6114
        [2] Higgins et al. beta-VAE, eq. 4. https://openreview.net/forum?id=Sy2fzU9gl
        [3] Fu et al. Cyclical annealing schedule, eq. 6. https://arxiv.org/abs/1903.10145
        [4] Kingma et al. Improved variational inference with inverse autoregressive flow,
            appendix C.8. https://arxiv.org/abs/1606.04934
    """

    def __init__(
        self,
        *,
        beta=1.0,
        warmup_steps=0,
        cycle_steps=0,
        free_bits=0.0,
        kl="auto",
        num_samples=1,
    ):
        self.beta = check_weight("beta", beta)
        self.warmup_steps = check_steps("warmup_steps", warmup_steps)
        self.cycle_steps = _check_cycle(cycle_steps, warmup_steps)
        self.free_bits = check_weight("free_bits", free_bits)
        self.is_coupled = free_bits > 0  # they are counted over the batch
        if kl not in _KL:
            raise ValueError(f"`kl` is one of {', '.join(map(repr, _KL))}. Received {kl!r}.")
        self.kl = kl
        self.num_samples = check_count("num_samples", num_samples)

    @property
    def schedule_steps(self):
        """`warmup_steps`."""
        return self.warmup_steps

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        z = draw(posterior, seed, self.num_samples)  # [sample, batch, latent]
        weights = weigh(x, z, posterior, prior, likelihood_of)
        metrics = self._metrics(weights, posterior, prior)
        kl = metrics["kl"]
        if self.free_bits:
            kl += self._deficit(posterior, prior)
        beta = self.beta * schedules.ramp(step, self.warmup_steps, self.cycle_steps)
        return Terms(metrics["reconstruction"] - beta * kl, metrics)

    def _metrics(self, weights, posterior, prior):
        if self.kl == "auto":
            return elbo_metrics(weights, posterior, prior)
        reconstruction = tf.reduce_mean(weights.log_likelihood, axis=0)
        if self.kl == "monte_carlo":
            kl = tf.reduce_mean(weights.log_ratio, axis=0)
        else:
            kl = _closed_form(posterior, prior)
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    def _deficit(self, posterior, prior):
        """Returns how far the latents are below what is free, together: a scalar in nats.

        Adding it to KL gives max(free_bits, KL_i) for the mean of each latent over the batch,
        and a bound that still lies below the plain one for every example.
        """
        terms = kl_terms(posterior, prior)
        if terms is None:
            raise ValueError(
                f"`free_bits` is counted for each latent, which needs a KL divergence that is a "
                f"sum over latents: a diagonal Gaussian posterior and prior. Received "
                f"{_names(posterior, prior)}. Choose `--posterior normal --prior standard_normal`, "
                f"or leave `free_bits` out."
            )
        means = tf.reduce_mean(terms, axis=0)
        return tf.reduce_sum(tf.nn.relu(self.free_bits - means))


def _closed_form(posterior, prior):
    try:
        return posterior.kl_divergence(prior)
    except NotImplementedError:
        raise ValueError(
            f"`kl='analytic'` needs a KL divergence in closed form. None is known for "
            f"{_names(posterior, prior)}. Write `elbo(kl='monte_carlo', num_samples=1)`, or "
            f"`elbo(kl='auto')`, which takes the closed form where there is one."
        ) from None


def _names(posterior, prior):
    return f"the posterior `{type(posterior).__name__}` and the prior `{type(prior).__name__}`"


def _check_cycle(cycle_steps, warmup_steps):
    check_steps("cycle_steps", cycle_steps)
    if cycle_steps and not 0 < warmup_steps <= cycle_steps:
        raise ValueError(
            f"`cycle_steps` is how often a warm-up begins anew, which must have ended by then: "
            f"0 < warmup_steps <= cycle_steps. Received warmup_steps={warmup_steps} and "
            f"cycle_steps={cycle_steps}. Write `elbo(warmup_steps={max(1, cycle_steps // 2)}, "
            f"cycle_steps={cycle_steps})`."
        )
    return cycle_steps
