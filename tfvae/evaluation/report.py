"""What a model is worth on a split, in nats, with the protocol that gives the number a meaning."""

import importlib.metadata
import math
import platform

import numpy as np

from tfvae.distributions import kl_terms
from tfvae.evaluation import collapse, latents
from tfvae.evaluation.measures import measure, ratio
from tfvae.evaluation.moments import Moments
from tfvae.evaluation.mutual_information import mutual_information

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")
_TERMS = ("log_likelihood", "elbo", "reconstruction", "kl")


def evaluate(model, dataset, split, *, num_samples=0, seed=0, on_rows=None):
    """Evaluates a model on every example of a split.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        num_samples: Importance samples an example for the log-likelihood; 0 leaves it out.
        seed: Int; an example's noise follows from it and from the example's place.
        on_rows: As of `measures.measure`, for progress.

    Returns:
        Dict of what `summarize` returns, and `information`, what `mutual_information` does.
    """
    found = measure(model, dataset, split, num_samples=num_samples, seed=seed, on_rows=on_rows)
    report = summarize(model, dataset, split, found, num_samples=num_samples, seed=seed)
    information = mutual_information(model, dataset, split, found.terms["kl"], seed=seed)
    return {**report, "information": information}


def summarize(model, dataset, split, found, *, num_samples=0, seed=0):
    """Makes a report of what has been measured.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        found: The `measures.Measures` of the model on it.
        num_samples: What was asked for.
        seed: As `num_samples`.

    Returns:
        Dict of means over the examples in nats, each beside its standard error: `elbo`,
        `reconstruction`, `kl` and, if asked for, `log_likelihood`; `rate` and `distortion`, which
        are the divergence and minus the reconstruction term; the errors of the reconstruction;
        `latents`; and `protocol`. Where values carry mass, `bits_per_dimension` too: minus the
        log-likelihood, or the ELBO without one, in bits for each element that is there, with its
        standard error.
    """
    report: dict = {}
    for name in _TERMS:
        if name in found.terms:
            report |= with_error(name, found.terms[name])
    report |= {"rate": report["kl"], "distortion": -report["reconstruction"]}
    ratios = dict(found.errors)
    if model.likelihood_layer.discrete and found.observed.any():
        name = "log_likelihood" if "log_likelihood" in found.terms else "elbo"
        bits = -np.float64(found.terms[name]) / math.log(2)
        ratios = {"bits_per_dimension": ratio(bits, found.observed), **ratios}
    for name, (mean, error) in ratios.items():
        report |= {name: mean, f"{name}_standard_error": error}
    report["latents"] = _latents(found, model, dataset, split)
    report["protocol"] = _protocol(model, dataset, split, found.num_examples, num_samples, seed)
    if dataset.masks_missing:
        elements = found.num_examples * math.prod(model.event_shape)
        report["protocol"]["missing"] = elements - int(found.observed.sum())
    return report


def with_error(name, values):
    """Returns the mean of values and its standard error, a dict of two.

    Examples:
        >>> with_error("elbo", [1.0, 2.0, 3.0])
        {'elbo': 2.0, 'elbo_standard_error': 0.5773502691896257}
    """
    moments = Moments()
    moments.add(values)
    # One example has no spread: null in JSON, which has no NaN.
    return {name: float(moments.mean), f"{name}_standard_error": moments.standard_error}


def _latents(found, model, dataset, split):
    given, x = model.bind(next(iter(dataset.split(split, 1))))
    parts = given.posterior(x), given.prior()
    kl = None if found.latent_kl is None else found.latent_kl.tolist()
    active = collapse.active(found.activity)
    return {
        "num_active": int(active.sum()),
        "activity": found.activity.tolist(),
        "kl": kl,
        "kl_method": latents.method(*parts),
        "alarm": collapse.alarm(found.activity, kl, independent=kl_terms(*parts) is not None)
        if model.posterior_layer.has_density
        else "",
    }


def _samples(num):
    return "one sample" if num == 1 else f"the mean of {num} samples"


def _protocol(model, dataset, split, num_examples, num_samples, seed):
    return {
        "dataset": str(dataset.spec),
        "fingerprint": dataset.fingerprint(),
        "split": split,
        "num_examples": num_examples,
        "binarization": dataset.binarization,
        "units": "nats an example, summed over the event",
        "condition": None if model.condition is None else str(model.condition.spec),
        "measure": model.likelihood_layer.measure,
        "elbo": f"{_samples(model.objective.num_samples)} of z an example",
        "log_likelihood": f"importance-weighted bound with {num_samples} samples of z an example"
        if num_samples
        else "not estimated",
        "num_samples": num_samples,
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
    }
