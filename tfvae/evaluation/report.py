"""What a model is worth on a split, in nats, with the protocol that gives the number a meaning."""

import importlib.metadata
import math

import numpy as np

from tfvae import noise, xla
from tfvae.evaluation import importance
from tfvae.noise import Stream

_BATCH_SIZE = 500
_PACKAGES = ("tensorflow", "keras", "tensorflow-probability")


def evaluate(model, dataset, split, *, num_samples=0, seed=0, on_batch=None):
    """Evaluates a model on every example of a split.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        num_samples: Importance samples an example for the log-likelihood; 0 leaves it out.
        seed: Int; an example's noise follows from it and from the example's place.
        on_batch: Called with the number of examples done, for progress.

    Returns:
        Dict of means over the examples in nats, each beside its standard error: `elbo`,
        `reconstruction`, `kl` and, if asked for, `log_likelihood`; and `protocol`. Where the
        likelihood is one of levels, `bits_per_dimension` too: minus the log-likelihood, or the
        ELBO without one, in bits for each element that is there.
    """
    values: dict[str, list] = {}
    done, there = 0, 0
    for x in dataset.split(split, _BATCH_SIZE):
        seeds = noise.row_seeds(noise.seed_of(Stream.ELBO, seed), len(x), done)
        terms = dict(_metrics(model, x, seeds))
        if num_samples:
            seeds = noise.row_seeds(noise.seed_of(Stream.LIKELIHOOD, seed), len(x), done)
            terms["log_likelihood"] = importance.log_likelihood(model, x, seeds, num_samples)
        for name, term in terms.items():
            values.setdefault(name, []).append(term.numpy())
        done += len(x)
        there += int(np.count_nonzero(~np.isnan(x)))
        if on_batch is not None:
            on_batch(done)
    report = {}
    for name in ("log_likelihood", "elbo", "reconstruction", "kl"):
        if name in values:
            report.update(_mean(name, np.concatenate(values[name])))
    if model.likelihood_layer.in_bits:
        nats = report.get("log_likelihood", report["elbo"])
        report["bits_per_dimension"] = -nats * done / (math.log(2) * there)
    protocol = _protocol(model, dataset, split, done, num_samples, seed)
    if dataset.masks_missing:
        protocol["missing"] = done * math.prod(model.event_shape) - there
    return {**report, "protocol": protocol}


@xla.function
def _metrics(model, x, seeds):
    return model.terms(x, seeds).metrics


def _mean(name, values):
    values = values.astype(np.float64)
    # One example has no spread: null in JSON, which has no NaN.
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {name: float(values.mean()), f"{name}_standard_error": error}


def _samples(num):
    return "one sample" if num == 1 else f"the mean of {num} samples"


def _protocol(model, dataset, split, num_examples, num_samples, seed):
    return {
        "dataset": str(dataset.spec),
        "fingerprint": dataset.fingerprint(),
        "split": split,
        "num_examples": num_examples,
        "units": "nats an example, summed over the event",
        "elbo": f"{_samples(model.objective.num_samples)} of z an example",
        "log_likelihood": f"importance-weighted bound with {num_samples} samples of z an example"
        if num_samples
        else "not estimated",
        "num_samples": num_samples,
        "seed": seed,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
