"""Scores of single examples, by which those that are unlike the training data stand out."""

import numpy as np

from tfvae import batches, noise, xla
from tfvae.evaluation import importance, ranking
from tfvae.noise import Stream

#: Examples of a chunk.
CHUNK = 500

_CODES = 500  # that a decoder sees at once, as in `measures`

#: What is written of each example, where the model has it: name -> whether less of it is stranger.
TERMS = {"log_likelihood": True, "elbo": True, "reconstruction": True, "kl": False}

_NAMES = [name for name in TERMS if name != "log_likelihood"]


def terms(model, dataset, split, *, num_samples=0, seed=0, start=0):
    """Yields the terms of every example of a split in chunks, in constant memory.

    The noise of an example follows from the seed and from its place, as in
    `report.evaluate`: the means of these are the numbers of the report.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        num_samples: Importance samples an example; 0 leaves the log-likelihood out.
        seed: Int.
        start: The first example, a multiple of `CHUNK`: those before it are left out.

    Yields:
        Dict of `log_likelihood` if asked for, `elbo`, `reconstruction` and `kl`, to float32
        `[chunk]`, in nats.
    """
    done = start
    for batch in dataset.split(split, CHUNK).skip(start // CHUNK):
        given, x = model.bind(batch)
        found = _bound(model, batch, _rows(Stream.ELBO, seed, x, done))
        if num_samples:
            rows = _rows(Stream.LIKELIHOOD, seed, x, done)
            estimate = importance.log_likelihood(given, x, rows, num_samples)
            found["log_likelihood"] = estimate.numpy()
        done += len(x)
        yield {name: found[name] for name in TERMS if name in found}


def bound_of(found):
    """Returns the name of the best estimate of log p(x) among terms."""
    return "log_likelihood" if "log_likelihood" in found else "elbo"


def mean_bound(*parts, on_rows=None, **options):
    """Returns the mean over a split of log p(x), as the k-sample bound or the ELBO, in nats.

    Args:
        *parts: Model, data set and split, as of `terms`.
        on_rows: Called now and then with the number of examples since the last time.
        **options: As of `terms`.
    """
    total, num = 0.0, 0
    for found in terms(*parts, **options):
        values = found[bound_of(found)]
        total += values.sum(dtype=np.float64)
        num += len(values)
        if on_rows is not None:
            on_rows(len(values))
    return total / num


def typicality(bound, mean):
    """Returns how far examples are from the typical set of the model, in nats.

        |log p(x) - mean|,  the mean over examples of the kind that was trained on

    An example that is likelier than those is strange too: a flat picture, say, in a model of
    photographs.

    Args:
        bound: log p(x), `[num]`, nats.
        mean: Its mean over examples that are none of these: minus an estimate of the entropy.

    References:
        [1] Nalisnick et al., section 3, for one example. Detecting out-of-distribution
            inputs to deep generative models using typicality. https://arxiv.org/abs/1906.02994
    """
    return np.abs(np.asarray(bound, np.float64) - mean)


def areas(columns, anomalous):
    """Returns how well each score tells anomalies, by its AUROC.

    Args:
        columns: Dict of the names of `TERMS`, and `typicality`, as far as they are there, to floats
            `[num]`. Where less of a score is stranger, its negative is taken.
        anomalous: Bools `[num]`.

    Returns:
        Dict of name to `ranking.Area`.
    """
    found = {}
    for name in (*TERMS, "typicality"):
        if name in columns:
            sign = -1 if TERMS.get(name) else 1
            found[name] = ranking.auroc(sign * columns[name], anomalous)
    return found


def _bound(model, batch, seeds):
    """Returns the terms of a batch by name, as many examples at a time as make so many codes."""
    size = max(1, _CODES // model.objective.num_samples)
    parts = []
    for start in range(0, len(seeds), size):
        rows = slice(start, start + size)
        given, x = model.bind(batches.each(lambda part, rows=rows: part[rows], batch))
        parts.append(_metrics(given, x, seeds[rows]))
    return {name: np.concatenate([part[name] for part in parts]) for name in _NAMES}


@xla.function
def _metrics(model, x, seeds):
    metrics = model.terms(x, seeds).metrics
    return {name: metrics[name] for name in _NAMES}


def _rows(stream, seed, x, start):
    return noise.row_seeds(noise.seed_of(stream, seed), len(x), start)
