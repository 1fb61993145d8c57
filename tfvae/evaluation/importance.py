"""The importance-weighted estimate of log p(x)."""

import tensorflow as tf

from tfvae import noise, xla
from tfvae.options import check_count

# Rows that the decoder sees at once: enough to fill the matrix units, small enough for caches.
_ROWS = 2000


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
    posterior = model.posterior(x)
    shape = tuple(posterior.distribution.event_shape)
    z = posterior.bijector.forward(noise.normal(seeds, shape))  # [sample, batch, latent]
    return model.likelihood(z).log_prob(x) + model.prior().log_prob(z) - posterior.log_prob(z)


def log_likelihood(model, x, seeds, num_samples):
    """Estimates log p(x) from below with exactly `num_samples` samples an example.

        log p(x) >= E[log mean_k w_k],  equal as the number of samples grows

    The samples are streamed in chunks, so memory doesn't grow with their number, and each has
    noise of its own, so the chunks don't matter to the value.

    Args:
        model: Has `posterior(x)`, `likelihood(z)` and `prior()`.
        x: `[batch, *event]`.
        seeds: int32 `[batch, 2]`.
        num_samples: Positive int.

    Returns:
        log_likelihood: `[batch]`, nats.

    Raises:
        ValueError: If `num_samples` is not a positive int, or q(z|x) has no density.

    References:
        [1] Burda et al., eq. 8. https://arxiv.org/abs/1509.00519
    """
    check_count("num_samples", num_samples)
    chunk = max(1, min(num_samples, _ROWS // max(1, int(x.shape[0]))))
    whole, rest = divmod(num_samples, chunk)
    total = _log_sum_weights(model, x, seeds, tf.constant(0), tf.constant(whole), chunk)
    if rest:
        start = tf.constant(whole * chunk)
        last = _log_sum_weights(model, x, seeds, start, tf.constant(1), rest)
        total = tf.experimental.numpy.logaddexp(total, last)
    return total - tf.math.log(tf.cast(num_samples, tf.float32))


@xla.function
def _log_sum_weights(model, x, seeds, start, num_chunks, chunk):
    """Returns log sum_k w_k `[batch]` over `num_chunks` chunks of samples from `start` on."""

    def add(index, total):
        samples = start + index * chunk + tf.range(chunk)
        keys = noise.fold_in(seeds[tf.newaxis], samples[:, tf.newaxis])
        chunk_total = tf.reduce_logsumexp(log_weights(model, x, keys), axis=0)
        return index + 1, tf.experimental.numpy.logaddexp(total, chunk_total)

    empty = tf.fill([tf.shape(x)[0]], tf.constant(float("-inf")))
    return tf.while_loop(lambda index, _: index < num_chunks, add, (tf.constant(0), empty))[1]
