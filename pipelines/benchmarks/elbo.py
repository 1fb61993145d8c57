"""The ELBO, in NumPy: one measure for all contestants, whatever they say of themselves."""

import numpy as np

_CHUNK = 500


def mean_elbo(encode, decode, images, seed=0):
    """Estimates the mean ELBO with one sample of z for each image, in nats.

        ELBO(x) = log p(x|z) - KL(q(z|x) || N(0, I)),  z = mean + exp(log_variance / 2) * eps

    Args:
        encode: Function of x `[num, 28, 28, 1]` to mean and log-variance, `[num, latent]` each.
        decode: Function of z `[num, latent]` to logits, `num * 784` of them in any shape.
        images: float32 `[num, 28, 28, 1]`.
        seed: Int; all contestants get the same noise.

    Returns:
        Float, nats.
    """
    rng = np.random.default_rng(seed)
    total = 0.0
    for start in range(0, len(images), _CHUNK):
        x = images[start : start + _CHUNK]
        mean, log_variance = (np.asarray(part) for part in encode(x))
        eps = rng.standard_normal(mean.shape).astype(np.float32)
        z = mean + np.exp(log_variance / 2) * eps
        logits = np.asarray(decode(z)).reshape(len(x), -1)
        total += log_likelihood(x.reshape(len(x), -1), logits) - divergence(mean, log_variance)
    return total / len(images)


def log_likelihood(x, logits):
    """Returns the sum of log p(x|z) = x * logits - log(1 + exp(logits)), in nats."""
    return float(np.sum(x * logits - np.logaddexp(0, logits), dtype=np.float64))


def divergence(mean, log_variance):
    """Returns the sum of KL(N(mean, exp(log_variance)) || N(0, 1)), in nats."""
    terms = np.exp(log_variance) + mean**2 - 1 - log_variance
    return float(np.sum(terms, dtype=np.float64)) / 2
