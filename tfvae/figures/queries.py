"""What figures ask of a model and its data, as NumPy arrays."""

import math

import numpy as np

from tfvae import batches
from tfvae.evaluation import activity
from tfvae.figures import grids
from tfvae.figures.base import FigureError

_ROWS = 500  # examples or codes that a network sees at once
NUM_CODES = 10_000  # examples that speak for a split


def examples(dataset, split, num):
    """Returns the first examples of a split, float32 `[at most num, *event_shape]`."""
    return np.concatenate([batches.examples(batch) for batch in _batches(dataset, split, num)])


def shown(x):
    """Returns examples as they are drawn: what is missing is grey in images, blank elsewhere."""
    return np.where(np.isnan(x), np.float32(0.5), x) if grids.is_image(x.shape[1:]) else x


def codes(vae, dataset, split, num=NUM_CODES):
    """Returns the means of q(z|x) of the first examples, float32 `[at most num, latent_size]`."""
    return np.concatenate([encode(*vae.bind(batch)) for batch in _batches(dataset, split, num)])


def given(vae, dataset, split, rows):
    """Returns the model given the conditions of some examples of a split, if it is conditional.

    Args:
        vae: A `VAE`.
        dataset: Its `Dataset`.
        split: Name of a split.
        rows: Indices of the examples, an array or a slice.
    """
    return vae if vae.condition is None else vae.given(dataset.values(split)[rows])


def encode(vae, x):
    """Returns the means of q(z|x), `[batch, latent_size]`."""
    return np.asarray(vae.posterior(x).mean())


def decode(vae, z):
    """Returns the means of p(x|z), `[*batch, *event_shape]`, for codes `[*batch, latent_size]`."""
    z = np.asarray(z, np.float32)
    rows = z.reshape(-1, z.shape[-1])
    ends = [(start, start + _ROWS) for start in range(0, len(rows), _ROWS)]
    means = np.concatenate(
        [np.asarray(vae.rows(*end).likelihood(rows[slice(*end)]).mean()) for end in ends]
    )
    return means.reshape(*z.shape[:-1], *means.shape[1:])


def quantiles(vae, u):
    """Returns the prior's quantiles, `[*batch, latent_size]`, at u of the same shape in (0, 1).

    Raises:
        FigureError: If the latents are dependent under the prior.
    """
    u = np.asarray(u, np.float32)
    try:
        z = np.asarray(vae.quantile(u.reshape(-1, u.shape[-1])))
    except ValueError as error:
        raise FigureError(str(error)) from error
    return z.reshape(u.shape)


def most_active(vae, dataset, split, num):
    """Returns the indices of the `num` most active latents and the activity of every latent."""
    means = codes(vae, dataset, split)
    return tuple(activity.most_active(means, num)), activity.activity(means)


def normal_probability(stddevs):
    """Returns the probability below so many standard deviations of a Gaussian.

    Examples:
        >>> normal_probability([0.0, 1.0]).round(3).tolist()
        [0.5, 0.841]
    """
    return np.array([0.5 * math.erfc(-t / math.sqrt(2)) for t in stddevs])


def _batches(dataset, split, num):
    """Yields NumPy batches that hold the first `num` examples together."""
    missing = num
    for batch in dataset.split(split, min(num, _ROWS)).as_numpy_iterator():
        kept = batches.each(lambda part, most=missing: part[:most], batch)
        yield kept
        missing -= len(batches.examples(kept))
        if not missing:
            return
