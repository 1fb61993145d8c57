"""The family of objectives: bounds on log p(x)."""

import abc
import dataclasses

import tensorflow as tf

from tfvae import components


@dataclasses.dataclass(frozen=True)
class Terms:
    """What an objective says of each example, in nats.

    Attributes:
        bound: `[batch]`, to be maximised.
        metrics: Name -> `[batch]`. Always holds `elbo`, `reconstruction` and `kl`, where
            elbo = reconstruction - kl is the plain evidence lower bound, whatever the bound.
    """

    bound: tf.Tensor
    metrics: dict


class Objective(components.Component, abc.ABC):
    """A bound on log p(x), one value for each example; its mean and sign are the model's matter.

    A member overrides `_terms`, extends `metric_names` if it reports more, and overrides
    `schedule_steps` if it changes while the model learns.
    """

    metric_names: tuple[str, ...] = ("elbo", "reconstruction", "kl")

    #: Codes that are drawn for each example.
    num_samples: int = 1

    #: Whether it bounds log p(x) from below, and tighter than the ELBO: then the best epoch is the
    #: one with the highest bound. Else it is the one with the highest plain ELBO.
    is_tighter: bool = False

    #: Whether it means nothing without log q(z|x), which a point mass lacks.
    needs_density: bool = False

    #: Whether an example's terms depend on the others of its batch: several devices, which have a
    #: share each, would all compute something else.
    is_coupled: bool = False

    @property
    def criterion(self):
        """What says which epoch is the best, in words."""
        return f"bound ({self.spec})" if self.is_tighter else "ELBO"

    @property
    def schedule_steps(self):
        """Steps of the optimizer until the objective is what training is meant to end with.

        A run must be longer, or it never trains on the bound it was asked for.
        """
        return 0

    @abc.abstractmethod
    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        """Returns the `Terms`."""

    def __call__(self, x, posterior, prior, likelihood_of, step, seed):
        """Computes the bound for each example.

        Args:
            x: `[batch, *event]`.
            posterior: q(z|x), batch shape `[batch]`: a bijector of standard normal noise.
            prior: p(z), batch shape `[]`.
            likelihood_of: Function z `[..., latent]` -> p(x|z), batch shape `[...]`.
            step: Scalar int tensor, the optimizer's iterations: schedules are functions of it.
            seed: int32 `[batch, 2]`, one seed for each row; all noise comes from it.

        Returns:
            terms: `Terms` in nats.
        """
        terms = self._terms(x, posterior, prior, likelihood_of, step, seed)
        if set(terms.metrics) != set(self.metric_names):
            raise ValueError(
                f"`{type(self).__name__}` must report the metrics that its `metric_names` "
                f"promises, {sorted(self.metric_names)}. It returned {sorted(terms.metrics)}."
            )
        return terms
