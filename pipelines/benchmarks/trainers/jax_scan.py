"""JAX by hand, jitted scan."""

import numpy as np

from pipelines.benchmarks import jax_networks, mnist
from pipelines.benchmarks.trainers.base import Trainer

REQUIRES = ("jax",)


def loss_of(work, encode, decode):
    """Returns the function (weights, x, key) -> mean of -ELBO(x), nats."""
    import jax
    import jax.numpy as jnp

    def loss(weights, x, key):
        of_pixels, of_code = jax.random.split(key)
        if work.binarized:
            x = jax.random.bernoulli(of_pixels, x).astype(jnp.float32)
        mean, log_variance = jnp.split(encode(weights[0], x), 2, axis=-1)
        eps = jax.random.normal(of_code, mean.shape)
        logits = decode(weights[1], mean + jnp.exp(0.5 * log_variance) * eps)
        reconstruction = jnp.sum(x * logits - jax.nn.softplus(logits))
        kl = 0.5 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1 - log_variance)
        return (kl - reconstruction) / len(x)

    return loss


def adam(rate, gradients, state):
    """Takes a step of Adam, with its defaults; `state` is (step, weights, first, second)."""
    import jax
    import jax.numpy as jnp

    step, weights, first, second = state
    step = step + 1
    first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, gradients)
    second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, gradients)
    rate = rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    weights = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second
    )
    return step, weights, first, second


def epoch_of(work, loss):
    """Returns the function (state, images, order, key) -> state and losses, compiled.

    Convolutions are stepped from Python: XLA runs them eight times slower within a loop on CPUs.
    """
    import jax
    from jax import lax

    def step(state, images, rows, key):
        noise = jax.random.fold_in(key, state[0])
        value, gradients = jax.value_and_grad(loss)(state[1], images[rows], noise)
        return adam(work.learning_rate, gradients, state), value

    def scan(state, images, order, key):
        return lax.scan(lambda state, rows: step(state, images, rows, key), state, order)

    if not work.channels:
        return jax.jit(scan, donate_argnums=0)
    compiled = jax.jit(step, donate_argnums=0)

    def loop(state, images, order, key):
        values = []
        for rows in order:
            state, value = compiled(state, images, rows, key)
            values.append(value)
        return state, values

    return loop


class Contestant(Trainer):
    """What one writes in JAX to be fast; the noise is Threefry, JAX's default."""

    def build(self, work):
        """Puts weights and images on the device."""
        import jax
        import jax.numpy as jnp

        encode, decode = jax_networks.networks(work)
        weights = jax.tree.map(jnp.asarray, jax_networks.initial_weights(work))
        zeros = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
        self._state = (jnp.int32(0), weights, *zeros)
        self._images = jnp.asarray(mnist.training_images(work.num_images).reshape(-1, 784))
        self._epoch = epoch_of(work, loss_of(work, encode, decode))
        self._encode, self._decode = jax.jit(encode), jax.jit(decode)
        self._orders = np.random.default_rng(work.seed)
        self._key = jax.random.key(work.seed)

    def fit(self, first_epoch, epochs):
        """Runs the compiled epoch; the order is drawn by NumPy, which is faster at it."""
        import jax

        del first_epoch
        for _ in range(epochs):
            order = self._orders.permutation(self.work.num_images).astype(np.int32)
            order = order.reshape(-1, self.work.batch_size)
            self._state, _ = self._epoch(self._state, self._images, order, self._key)
        jax.block_until_ready(self._state)

    def num_steps(self):
        """Returns the step that Adam carries."""
        return self._state[0]

    def encode(self, x):
        """Returns the encoder's output, by halves."""
        return np.split(np.asarray(self._encode(self._state[1][0], x.reshape(-1, 784))), 2, -1)

    def decode(self, z):
        """Returns the decoder's output."""
        return self._decode(self._state[1][1], z)
