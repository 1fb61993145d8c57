"""How the codes of a split keep apart the factors that its examples were made from."""

import numpy as np
import tensorflow as tf

from tfvae import components, xla
from tfvae.disentanglement.base import Metric

#: Examples that speak for a split.
NUM_EXAMPLES = 10_000

_BATCH_SIZE = 500


def check(dataset, split, metrics=()):
    """Refuses data whose factors aren't known, or that can't make examples which a measure needs.

    Args:
        dataset: A `Dataset`.
        split: Name of a split.
        metrics: Measures, a list of `Metric`.

    Raises:
        ValueError: If it is so, or there is no such split.
    """
    if dataset.condition is not None:
        raise ValueError(
            f"Disentanglement is measured on codes of examples alone, and those of this model say "
            f"what `{dataset.condition.spec}` leaves open. Train without a condition."
        )
    if dataset.factors(split) is None:
        raise ValueError(
            f"Disentanglement is measured on data whose factors are known. Those of "
            f"`{dataset.spec}` aren't. Train on `shapes`, or on a data set of your own with "
            f"`factors(split)`."
        )
    some = dataset.factors(split)[:1]
    for metric in metrics:
        if metric.makes_examples and dataset.examples_of(some) is None:
            raise ValueError(
                f"`{metric.spec}` looks at examples that are made anew, and `{dataset.spec}` can't "
                f"make them. Train on `shapes`, or measure without that option."
            )


def evaluate(model, dataset, split, *, metrics=None, num_examples=NUM_EXAMPLES, seed=0):
    """Measures disentanglement on the first examples of a split.

    Args:
        model: A `VAE`.
        dataset: A `Dataset` with factors.
        split: Name of a split.
        metrics: Specs of measures, such as "mig(bins=30)"; None for each with its defaults.
        num_examples: At most so many.
        seed: Int; what the measures draw follows from it.

    Returns:
        Dict of `scores`, by name: `value` and, where there is one, `by_factor`, a dict of the name
        of a factor to its own; and of how they were made: `num_examples`, `seed`, `code`, `factors`
        with the number of values of each, and `metrics`, the specs with all options.

    Raises:
        ValueError: If the factors aren't known, or one takes a single value in these examples.
        OSError: If a measure needs a package that is not installed.
    """
    specs = list(components.members("disentanglement")) if metrics is None else metrics
    built = [components.build(Metric, spec) for spec in specs]
    check(dataset, split, built)
    names = dataset.factor_names
    classes = [names.index(name) for name in dataset.class_factors if name in names]
    options = {"class_factors": classes, "codes_of": _codes_of(model, dataset), "seed": seed}
    codes = means(model, dataset, split, num_examples)
    factors = np.asarray(dataset.factors(split))[: len(codes)]
    scores = {}
    for metric in built:
        found = metric.measure(codes, factors, **options)
        scores.update({name: _as_json(score, names) for name, score in found.items()})
    return {
        "scores": scores,
        "num_examples": len(codes),
        "seed": seed,
        "code": "mean of q(z|x)",
        "factors": {n: len(np.unique(v)) for n, v in zip(names, factors.T, strict=True)},
        "metrics": [str(metric.spec) for metric in built],
    }


def means(model, dataset, split, num):
    """Returns the means of q(z|x) of the first examples, float32 `[at most num, latent]`."""
    found, missing = [], num
    for batch in dataset.split(split, _BATCH_SIZE):
        given, x = model.bind(batch)
        found.append(np.asarray(given.posterior(x).mean())[:missing])
        missing -= len(found[-1])
        if missing <= 0:
            break
    return np.concatenate(found)


def _codes_of(model, dataset):
    """Returns a function of factors -> means of q(z|x) of examples that are made anew."""
    num_made = 0

    def codes_of(factors):
        nonlocal num_made
        x = dataset.examples_of(np.asarray(factors, np.int64), num_made)
        num_made += len(factors)
        return _means(model, tf.convert_to_tensor(x)).numpy()

    return codes_of


@xla.function
def _means(model, x):
    return model.posterior(x).mean()


def _as_json(score, names):
    each = score.by_factor
    parts = None if each is None else dict(zip(names, map(float, each), strict=True))
    return {"value": score.value, **({} if parts is None else {"by_factor": parts})}
