"""What models without a network reach on the same examples, in the same nats."""

import numpy as np

from tfvae.evaluation import mixtures, ppca

_BATCH_SIZE = 500
_MOST_EXAMPLES = 60_000  # to fit on, held in memory
_NUM_COMPONENTS = 50


def evaluate(model, dataset, split, *, seed=0):
    """Fits baselines on the training split and evaluates them on another.

    For a likelihood that gives {0, 1} mass, a mixture of Bernoullis by EM; for one that is a
    density, a mixture of Gaussians by EM and probabilistic PCA with as many latents as the model.
    Masses over other values don't compare with either and get none, nor do data with missing
    values.

    Args:
        model: A `VAE`; says which baselines are in its units.
        dataset: A `Dataset`.
        split: Name of the split to evaluate on.
        seed: Int; where EM begins.

    Returns:
        Dict of a description to the mean of log p(x) in nats and its standard error, under
        `log_likelihood` and `log_likelihood_standard_error`.
    """
    fits = _fits_for(model)
    if not fits:
        return {}
    train = _examples(dataset, "train", _MOST_EXAMPLES)
    found = {}
    for fit in fits:
        name, baseline = fit(train, model, seed)
        if baseline is None:
            continue
        batches = dataset.split(split, _BATCH_SIZE).as_numpy_iterator()
        values = np.concatenate([baseline.log_prob(x) for x in batches])
        error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
        found[name] = {
            "log_likelihood": float(values.mean()),
            "log_likelihood_standard_error": error,
        }
    return found


def _fits_for(model):
    layer = model.likelihood_layer
    if model.mask_missing:  # EM and PCA here take whole examples
        return []
    if set(layer.measure.split(", ")) == {"density"}:  # of every column, where there are columns
        return [_gaussians, _principal_components]
    return [_bernoullis] if layer.support == "{0, 1}" else []


def _bernoullis(x, model, seed):
    del model
    num = min(_NUM_COMPONENTS, len(x))
    return f"mixture of {num} Bernoullis, by EM", mixtures.fit(x, num, binary=True, seed=seed)[0]


def _gaussians(x, model, seed):
    del model
    num = min(_NUM_COMPONENTS, len(x))
    return f"mixture of {num} Gaussians, by EM", mixtures.fit(x, num, binary=False, seed=seed)[0]


def _principal_components(x, model, seed):
    del seed
    num = min(model.latent_size, x[0].size - 1)
    if not num:  # one element leaves no room for a latent
        return "", None
    return f"probabilistic PCA, {num} latents", ppca.fit([x], num)


def _examples(dataset, split, most):
    """Returns the first examples of a split as one array."""
    found, missing = [], most
    for x in dataset.split(split, _BATCH_SIZE).as_numpy_iterator():
        found.append(x[:missing])
        missing -= len(found[-1])
        if not missing:
            break
    return np.concatenate(found)
