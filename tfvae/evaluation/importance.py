"""The importance-weighted estimate of log p(x)."""

import contextlib

import tensorflow as tf

from tfvae import noise, side_by_side, xla
from tfvae.options import check_count

# Rows that the decoder sees at once: enough to fill the matrix units, small enough for caches.
_ROWS = 2000
# Rows of one call of TensorFlow, a second or so: between two of them one can be interrupted.
_CALL_ROWS = 200_000


def log_weights(model, x, seeds):
    """Draws z ~ q(z|x) and weighs it.

        log w = log p(x|z) + log p(z) - log q(z|x)

    Args:
        model: Has `posterior(x)`, `likelihood(z)` and `prior()`.
        x: `[batch, *event]`.
        seeds: int32 `[sample, batch, 2]`.

    Returns:
        log_weights: `[sample, batch]`, nats.
    """
    return _weigh(model, x, model.posterior(x), model.prior(), seeds)


def log_likelihood(model, x, seeds, num_samples, on_rows=None):
    """Estimates log p(x) from below with exactly `num_samples` samples an example.

        log p(x) >= E[log mean_k w_k],  equal as the number of samples grows

    The samples are streamed in chunks, so memory doesn't grow with their number, and each has
    noise of its own, so the value is the same for any chunks, but for the rounding of float32.

    Args:
        model: Has `posterior(x)`, `likelihood(z)` and `prior()`.
        x: `[batch, *event]`.
        seeds: int32 `[batch, 2]`.
        num_samples: Positive int.
        on_rows: Called now and then with the number of codes weighed since the last time.

    Returns:
        log_likelihood: `[batch]`, nats.

    Raises:
        ValueError: If `num_samples` is not a positive int, or q(z|x) has no density.

    References:
        [1] Burda et al., eq. 8. https://arxiv.org/abs/1509.00519
    """
    check_count("num_samples", num_samples)
    batch = max(1, int(x.shape[0]))
    chunk = max(1, min(num_samples, _ROWS // batch))
    calls = list(_calls(num_samples, chunk, _chunks_of_call(num_samples // chunk, chunk * batch)))

    def add(call):
        start, num, size = call
        return _add_weights(model, x, seeds, tf.constant(start), tf.constant(num), size)

    sums = []
    with contextlib.closing(side_by_side.run(add, calls)) as parts:
        for (_, num, size), part in zip(calls, parts, strict=True):
            sums.append(part)
            if on_rows is not None:
                on_rows(num * size * batch)
    return tf.reduce_logsumexp(sums, axis=0) - tf.math.log(tf.cast(num_samples, tf.float32))


def _chunks_of_call(num_chunks, rows):
    """Returns how many chunks of so many rows a call takes.

    A multiple of 8 calls of about one size, where there are chunks enough, so that several at once
    end together.

    Examples:
        >>> _chunks_of_call(1250, rows=2000), _chunks_of_call(25, rows=2000)
        (79, 4)
    """
    calls = 8 * -(-num_chunks * rows // (8 * _CALL_ROWS))
    return max(1, -(-num_chunks // max(1, calls)))


def _calls(num_samples, chunk, most):
    """Yields the first sample, the number of chunks and the size of a chunk of each call.

    Examples:
        >>> list(_calls(23, chunk=5, most=3))
        [(0, 3, 5), (15, 1, 5), (20, 1, 3)]
    """
    whole, rest = divmod(num_samples, chunk)
    for start in range(0, whole, most):
        yield start * chunk, min(most, whole - start), chunk
    if rest:
        yield whole * chunk, 1, rest


@xla.function
def _add_weights(model, x, seeds, start, num_chunks, chunk):
    """Adds the weights of `num_chunks` chunks of samples from `start` on.

    A sum of weights is exp(largest) * total: what exp can't hold is never asked of it.

    Returns:
        log_sum: Logarithm of the sum, `[batch]`.
    """
    # Here and not for each chunk: they are the same for all, and an encoder may be dear.
    posterior, prior = model.posterior(x), model.prior()

    def add(index, largest, total):
        samples = start + index * chunk + tf.range(chunk)
        keys = noise.fold_in(seeds[tf.newaxis], samples[:, tf.newaxis])
        weights = _weigh(model, x, posterior, prior, keys)
        new = tf.maximum(largest, tf.reduce_max(weights, axis=0))
        # Where no weight is above zero yet, infinity minus infinity would be NaN.
        shift = tf.where(tf.math.is_inf(new), tf.zeros_like(new), new)
        total = total * tf.exp(largest - shift) + tf.reduce_sum(tf.exp(weights - shift), axis=0)
        return index + 1, new, total

    nothing = tf.fill([tf.shape(x)[0]], float("-inf")), tf.zeros([tf.shape(x)[0]])
    state = (tf.constant(0), *nothing)
    _, largest, total = tf.while_loop(lambda index, *_: index < num_chunks, add, state)
    return largest + tf.math.log(total)


def _weigh(model, x, posterior, prior, seeds):
    """Returns the log-weights `[sample, batch]` of codes from seeds int32 `[sample, batch, 2]`."""
    shape = tuple(posterior.distribution.event_shape)
    z = posterior.bijector.forward(noise.normal(seeds, shape))  # [sample, batch, latent]
    return model.likelihood(z).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)
