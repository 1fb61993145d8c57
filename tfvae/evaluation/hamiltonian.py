"""Hamiltonian Monte Carlo in the latent space of a model, at a temperature."""

import dataclasses

import tensorflow as tf

from tfvae import noise

_LEAPFROGS = 5


@dataclasses.dataclass(frozen=True)
class Place:
    """Where chains stand, and what is known there.

    Attributes:
        z: `[chain, example, latent]`.
        prior: log p(z), `[chain, example]`.
        likelihood: log p(x|z), `[chain, example]`.
        prior_slope: Gradient of `prior` by z, like z.
        likelihood_slope: Gradient of `likelihood` by z, like z.
    """

    z: tf.Tensor
    prior: tf.Tensor
    likelihood: tf.Tensor
    prior_slope: tf.Tensor
    likelihood_slope: tf.Tensor

    def tensors(self):
        """Returns the tensors in their order, for the state of a loop."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def log_density(self, beta):
        """Returns log p(z) + beta log p(x|z)."""
        return self.prior + beta * self.likelihood

    def slope(self, beta):
        """Returns the gradient of the log-density."""
        return self.prior_slope + beta * self.likelihood_slope


def place_at(model, prior, x, z):
    """Returns the `Place` of codes `[chain, example, latent]` of examples `[example, *event]`."""
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(z)
        likelihood = model.likelihood(z).log_prob(x)
        log_prior = prior.log_prob(z)
    slopes = tape.gradient(log_prior, z), tape.gradient(likelihood, z)
    return Place(z, log_prior, likelihood, *slopes)


def step(find, place, beta, step_size, seeds):
    """Moves chains by one trajectory that leaves p(z) p(x|z)**beta as it is.

        momentum ~ N(0, I);  L leapfrog steps;  accept with min(1, exp(H(before) - H(after)))

    The move is reversible: the same one serves a chain that runs backwards.

    Args:
        find: Function z -> `Place`.
        place: Where the chains stand.
        beta: Scalar in [0, 1].
        step_size: `[example]`.
        seeds: int32 `[chain, example, 2]`.

    Returns:
        place: Where they stand now.
        accepted: Share of the chains that moved, `[example]`.

    References:
        [1] Neal. MCMC using Hamiltonian dynamics, section 3. https://arxiv.org/abs/1206.1901
    """
    size = place.z.shape[-1]
    epsilon = step_size[:, tf.newaxis]
    momentum = noise.normal(noise.fold_in(seeds, 0), (size,))

    def leap(index, momentum, *tensors):
        here = Place(*tensors)
        momentum += 0.5 * epsilon * here.slope(beta)
        there = find(here.z + epsilon * momentum)
        momentum += 0.5 * epsilon * there.slope(beta)
        return index + 1, momentum, *there.tensors()

    state = (tf.constant(0), momentum, *place.tensors())
    _, end, *tensors = tf.while_loop(lambda index, *_: index < _LEAPFROGS, leap, state)
    there = Place(*tensors)
    gain = there.log_density(beta) - place.log_density(beta)
    gain += 0.5 * tf.reduce_sum(momentum**2 - end**2, axis=-1)
    u = noise.open_uniform(noise.fold_in(seeds, 1), ())
    accept = tf.math.log(u) < gain  # False where the trajectory has run away to NaN
    chosen = [
        tf.where(tf.reshape(accept, [*accept.shape, *[1] * (new.shape.rank - 2)]), new, old)
        for new, old in zip(there.tensors(), place.tensors(), strict=True)
    ]
    return Place(*chosen), tf.reduce_mean(tf.cast(accept, tf.float32), axis=0)
