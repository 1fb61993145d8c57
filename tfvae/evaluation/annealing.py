"""Annealed importance sampling of log p(x), forwards and backwards."""

import numpy as np
import tensorflow as tf

from tfvae import noise, xla
from tfvae.evaluation import hamiltonian

_TARGET = 0.65  # of accepted moves
_RATE = 0.05  # by which a step size follows them
_FIRST = 0.1  # step size
_CALL_STEPS = 50  # between two calls of `on_steps`


def temperatures(num_steps, sharpness=4.0):
    """Returns the powers of the likelihood, from 0 to 1, denser at both ends.

        beta_t = (s(t) - s(0)) / (s(T) - s(0)),  s(t) = sigmoid(sharpness (2 t / T - 1))

    Args:
        num_steps: T.
        sharpness: How much denser.

    Returns:
        betas: float32 `[num_steps + 1]`.

    Examples:
        >>> np.round(np.float64(temperatures(4)), 3).tolist()
        [0.0, 0.105, 0.5, 0.895, 1.0]

    References:
        [1] Wu et al. On the quantitative analysis of decoder-based generative models.
            https://arxiv.org/abs/1611.04273
    """
    s = 1 / (1 + np.exp(-sharpness * np.linspace(-1, 1, num_steps + 1)))
    return ((s - s[0]) / (s[-1] - s[0])).astype(np.float32)


def forward(model, x, z, seeds, betas, step_sizes=None, on_steps=None):
    """Anneals codes from the prior to the posterior.

        log w = sum_t (beta_t - beta_(t-1)) log p(x|z_(t-1)),  z_t ~ HMC at beta_t from z_(t-1)
        E[w] = p(x), so that E[log mean_c w_c] <= log p(x)

    Args:
        model: A `VAE`.
        x: Examples `[example, *event]`.
        z: Draws of the prior, `[chain, example, latent]`.
        seeds: int32 `[chain, example, 2]`.
        betas: Temperatures `[step + 1]` from 0 to 1.
        step_sizes: `[step, example]`, or None to find them on the way. Weights of a run that finds
            them aren't free of bias: it is for the sizes alone.
        on_steps: Called now and then with the number of steps since the last time.

    Returns:
        log_weights: `[chain, example]`, nats.
        step_sizes: `[step, example]`, those that were taken.

    References:
        [1] Neal. Annealed importance sampling, section 2. https://arxiv.org/abs/physics/9803008
    """
    order = np.arange(1, len(betas))
    return _anneal(model, x, z, seeds, betas, step_sizes, order, on_steps)


def reverse(model, x, z, seeds, betas, step_sizes, on_steps=None):
    """Anneals codes from the posterior to the prior.

        log w = sum_t (beta_t - beta_(t-1)) log p(x|z_(t-1)),  z_(t-1) ~ HMC at beta_t from z_t
        E[1 / w] = 1 / p(x), so that E[-log mean_c 1 / w_c] >= log p(x)

    Args:
        model: As in `forward`.
        x: As in `forward`.
        z: Draws of the posterior p(z|x), `[chain, example, latent]`: known where the model itself
            drew z, and then x given z.
        seeds: As in `forward`.
        betas: As in `forward`.
        step_sizes: As in `forward`.
        on_steps: As in `forward`.

    Returns:
        log_weights: `[chain, example]`, nats.

    References:
        [1] Grosse, Ghahramani and Adams. Sandwiching the marginal likelihood using bidirectional
            Monte Carlo, section 4. https://arxiv.org/abs/1511.02543
    """
    order = np.arange(len(betas) - 1, 0, -1)
    return _anneal(model, x, z, seeds, betas, step_sizes, order, on_steps)[0]


def _anneal(model, x, z, seeds, betas, step_sizes, order, on_steps):
    """Takes the steps t in an order, with a few calls of TensorFlow."""
    adapts = step_sizes is None
    backwards = bool(order[0] > order[-1])
    num = len(order)
    sizes = np.full([num, len(x)], _FIRST, np.float32) if adapts else np.array(step_sizes)
    weights, step_size = tf.zeros(z.shape[:2]), tf.fill([len(x)], _FIRST)
    for start in range(0, num, _CALL_STEPS):
        steps = order[start : start + _CALL_STEPS]
        # Filled up, so that one program does for all.
        padded = np.resize(steps, _CALL_STEPS)
        plan = {
            "steps": tf.constant(padded, tf.int32),
            "betas": tf.constant(np.stack([betas[padded - 1], betas[padded]], axis=1)),
            "step_sizes": tf.constant(sizes[padded - 1]),
            "num": tf.constant(len(steps)),
            "adapts": tf.constant(adapts),
            "backwards": tf.constant(backwards),
        }
        z, weights, step_size, taken = _take_steps(model, x, z, weights, seeds, step_size, plan)
        sizes[steps - 1] = taken.numpy()[: len(steps)]
        if on_steps is not None:
            on_steps(len(steps))
    return weights, sizes


@xla.function
def _take_steps(model, x, z, weights, seeds, step_size, plan):
    """Takes some steps.

    Args:
        model: A `VAE`.
        x: `[example, *event]`.
        z: Where the chains stand, `[chain, example, latent]`.
        weights: Log-weights so far, `[chain, example]`.
        seeds: int32 `[chain, example, 2]`.
        step_size: Where those that are found begin, `[example]`.
        plan: Dict of the numbers of the `steps`, int32 `[step]`; of beta_(t-1) and beta_t of each
            as `betas`, `[step, 2]`; of `step_sizes`, `[step, example]`; of how many of them
            there are, `num`; of whether sizes are found on the way, `adapts`; and whether the move
            comes before the weight, `backwards`.

    Returns:
        z, weights, step_size: As they are now.
        taken: Step sizes `[step, example]`.
    """
    prior = model.prior()

    def find(z):
        return hamiltonian.place_at(model, prior, x, z)

    def take(index, step_size, taken, weights, *tensors):
        before, beta = plan["betas"][index, 0], plan["betas"][index, 1]
        size = tf.where(plan["adapts"], step_size, plan["step_sizes"][index])
        place = hamiltonian.Place(*tensors)
        keys = noise.fold_in(seeds, plan["steps"][index])
        moved, accepted = hamiltonian.step(find, place, beta, size, keys)
        weighed = tf.where(plan["backwards"], moved.likelihood, place.likelihood)
        step_size = size * tf.exp(_RATE * (accepted - _TARGET))
        weights += (beta - before) * weighed
        return index + 1, step_size, taken.write(index, size), weights, *moved.tensors()

    most = plan["steps"].shape[0]
    sizes = tf.TensorArray(tf.float32, size=most, element_shape=step_size.shape)
    state = (tf.constant(0), step_size, sizes, weights, *find(z).tensors())
    result = tf.while_loop(lambda index, *_: index < plan["num"], take, state)
    _, step_size, sizes, weights, z = result[:5]
    return z, weights, step_size, sizes.stack()
