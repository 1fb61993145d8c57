"""One pass over a split: what a model says of each example, and of its latents over all of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import masking, noise, xla
from tfvae.distributions import reparameterize
from tfvae.evaluation import importance, latents
from tfvae.evaluation.moments import Moments
from tfvae.noise import Stream

_CODES = 500  # that a decoder sees at once: convolutions hold feature maps of each
_TERMS = ("elbo", "reconstruction", "kl")


@dataclasses.dataclass
class Measures:
    """What a model says of a split.

    Attributes:
        terms: Name -> float32 `[num_examples]`, nats: `elbo`, `reconstruction`, `kl` and, if asked
            for, `log_likelihood`.
        latent_kl: Mean over the examples of the divergence of each latent, float64
            `[latent_size]`, nats; None where it isn't known.
        activity: Var_x(E[z_i|x]) over these examples, float64 `[latent_size]`.
        errors: Name -> how far p(x|z) at the mean of q(z|x) is from the data, on average over all
            elements that are there, and the standard error of that; where there is such an average.
        observed: Elements of each example that aren't missing, ints `[num_examples]`.
    """

    terms: dict
    latent_kl: np.ndarray | None
    activity: np.ndarray
    errors: dict
    observed: np.ndarray

    @property
    def num_examples(self):
        """How many examples the split has."""
        return len(self.terms["elbo"])


def measure(model, dataset, split, *, num_samples=0, seed=0, on_rows=None):
    """Runs a model over every example of a split, the last short batch included.

    An example's noise follows from the seed and from its place, so its terms are the same in a
    batch of any size, but for the rounding of float32. Nothing is kept but a few numbers for each
    example.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        num_samples: Importance samples an example for the log-likelihood; 0 leaves it out.
        seed: Int.
        on_rows: Called now and then with the number of codes decoded since the last time; of all
            examples there are `num_examples * (1 + num_samples)`.

    Returns:
        The `Measures`.
    """
    terms: dict[str, list] = {}
    means, divergences = Moments(), Moments()
    errors: dict = {}
    done, observed = 0, []
    for pair in dataset.split(split, max(1, _CODES // model.objective.num_samples)):
        given, x = model.bind(pair)
        seeds = noise.row_seeds(noise.seed_of(Stream.ELBO, seed), len(x), done)
        batch = _measure(given, x, seeds)
        if num_samples:
            keys = noise.row_seeds(noise.seed_of(Stream.LIKELIHOOD, seed), len(x), done)
            estimate = importance.log_likelihood(given, x, keys, num_samples, on_rows)
            batch["terms"]["log_likelihood"] = estimate
        for name, term in batch["terms"].items():
            terms.setdefault(name, []).append(term.numpy())
        means.add(batch["means"])
        if batch["latent_kl"] is not None:
            divergences.add(batch["latent_kl"])
        for name, sums in batch["errors"].items():
            errors.setdefault(name, []).append(sums.numpy())
        done += len(x)
        there = ~np.isnan(x)
        observed.append(np.count_nonzero(there.reshape(len(x), -1), axis=1))
        if on_rows is not None:
            on_rows(len(x))
    return Measures(
        {name: np.concatenate(term) for name, term in terms.items()},
        divergences.mean if divergences.num else None,
        means.variance(ddof=0),
        _ratios(errors),
        np.concatenate(observed),
    )


def ratio(sums, counts):
    """Returns a mean over all elements, and its standard error over the examples.

    Examples may lack elements, so a mean is a ratio of two means, with the error of a ratio:

        r = sum_n e_n / sum_n m_n,  variance = N / (N - 1) * sum_n (e_n - r m_n)**2 / (sum_n m_n)**2

    Args:
        sums: Of the elements of each example, floats `[num_examples]`.
        counts: Elements of each example, `[num_examples]`.

    Returns:
        Two floats; None for the error of a single example.

    Examples:
        >>> ratio([1.0, 2.0, 6.0], [1, 1, 2])
        (2.25, 0.6027...)
    """
    sums, counts = np.float64(sums), np.float64(counts)
    num, elements = len(sums), counts.sum()
    found = sums.sum() / elements
    spread = np.sum((sums - found * counts) ** 2) / elements**2
    return float(found), None if num < 2 else float(np.sqrt(spread * num / (num - 1)))


def _ratios(errors):
    """Returns the `ratio` of each, but for what is no number: a mean that there isn't, say."""
    found = {}
    for name, parts in errors.items():
        sums, counts = np.concatenate(parts).T
        if counts.any() and np.isfinite(sums).all():
            found[name] = ratio(sums, counts)
    return found


@xla.function
def _measure(model, x, seeds):
    """Returns all that is measured of a batch.

    Returns:
        Dict of `terms`, a dict of `[batch]`; `means` of q(z|x), `[batch, latent]`; `latent_kl`,
        `[batch, latent]` or None; and `errors`, a dict of the sum over the elements that are there
        and their number, `[batch, 2]`.
    """
    metrics = model.terms(x, seeds).metrics
    posterior = model.posterior(x)
    means = posterior.mean()
    return {
        "terms": {name: metrics[name] for name in _TERMS},
        "means": means,
        "latent_kl": latents.kl(posterior, model.prior(), reparameterize(posterior, seeds)),
        "errors": _errors(model, x, means),
    }


def _errors(model, x, z):
    layer = model.likelihood_layer
    there = tf.logical_not(tf.math.is_nan(x))
    errors = layer.errors(layer(model.decode(z)), masking.seen(x))
    event = list(range(1, len(x.shape)))
    num = tf.reduce_sum(tf.cast(there, tf.float32), event)
    return {
        name: tf.stack([tf.reduce_sum(tf.where(there, error, 0.0), event), num], axis=-1)
        for name, error in errors.items()
    }
