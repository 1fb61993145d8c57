"""Two models on the same examples and the same draws, with the error of the difference."""

import numpy as np

from tfvae.evaluation.report import with_error


def check_comparable(first, second, split):
    """Refuses two models whose numbers can't stand beside each other.

    Args:
        first: A model and its data set, a pair.
        second: Another one.
        split: Name of the split that both are evaluated on.

    Raises:
        ValueError: If they see other examples, or measure in other units.
    """
    (model, dataset), (other, others) = first, second
    facts = {
        "condition": tuple(
            "none" if m.condition is None else str(m.condition.spec) for m in (model, other)
        ),
        "event shape": (tuple(model.event_shape), tuple(other.event_shape)),
        "splits": (dataset.splits, others.splits),
        "binarization": (dataset.binarization, others.binarization),
        "examples (fingerprint)": (dataset.fingerprint(), others.fingerprint()),
        f"number of {split} examples": tuple(
            d.num_examples(split) if split in d.splits else None for d in (dataset, others)
        ),
        "units of the likelihood": (
            model.likelihood_layer.measure,
            other.likelihood_layer.measure,
        ),
        "kind of posterior": tuple(
            "with a density" if m.posterior_layer.has_density else "without a density"
            for m in (model, other)
        ),
    }
    for name, (one, two) in facts.items():
        if one != two:
            raise ValueError(
                f"Nats compare on the same examples and in the same units only. These runs differ "
                f"in their {name}: {_short(one)} and {_short(two)}."
            )


def compare(values, others):
    """Returns the differences of what two models say of the same examples.

        difference_n = value_n - other_n,  error = stddev(difference_n) / sqrt(N)

    What the examples have in common, some being harder than others for every model, falls out of
    the error.

    Args:
        values: Dict of name to `[num_examples]`, nats, of the model.
        others: The same of the one it is compared with.

    Returns:
        Dict of the mean difference and its standard error for each name that both have.

    Examples:
        >>> compare({"elbo": np.array([-90.0, -110.0])}, {"elbo": np.array([-92.0, -111.0])})
        {'elbo': 1.5, 'elbo_standard_error': 0.5}
    """
    report: dict = {}
    for name in values:
        if name in others:
            report |= with_error(name, np.float64(values[name]) - np.float64(others[name]))
    return report


def _short(fact):
    text = str(fact)
    return text if len(text) <= 60 else f"{text[:57]}..."
