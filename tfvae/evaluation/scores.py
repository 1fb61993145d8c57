"""Scores of single examples, by which those that are unlike the training data stand out."""

import dataclasses

import numpy as np

from tfvae import noise, xla
from tfvae.evaluation import importance
from tfvae.noise import Stream

#: Examples of a chunk.
CHUNK = 500

#: What is written of each example, where the model has it: name -> whether less of it is stranger.
TERMS = {"log_likelihood": True, "elbo": True, "reconstruction": True, "kl": False}


def terms(model, dataset, split, *, num_samples=0, seed=0):
    """Yields the terms of every example of a split in chunks, in constant memory.

    The noise of an example follows from the seed and from its place, as in
    `report.evaluate`: the means of these are the numbers of the report.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        num_samples: Importance samples an example; 0 leaves the log-likelihood out.
        seed: Int.

    Yields:
        Dict of `log_likelihood` if asked for, `elbo`, `reconstruction` and `kl`, to float32
        `[chunk]`, in nats.
    """
    done = 0
    for x in dataset.split(split, CHUNK):
        found = dict(_metrics(model, x, _rows(Stream.ELBO, seed, x, done)))
        if num_samples:
            rows = _rows(Stream.LIKELIHOOD, seed, x, done)
            found["log_likelihood"] = importance.log_likelihood(model, x, rows, num_samples)
        done += len(x)
        yield {name: found[name].numpy() for name in TERMS if name in found}


def bound_of(found):
    """Returns the name of the best estimate of log p(x) among terms."""
    return "log_likelihood" if "log_likelihood" in found else "elbo"


def mean_bound(model, dataset, split, *, num_samples=0, seed=0):
    """Returns the mean over a split of log p(x), as the k-sample bound or the ELBO, in nats."""
    total, num = 0.0, 0
    for found in terms(model, dataset, split, num_samples=num_samples, seed=seed):
        values = found[bound_of(found)]
        total += values.sum(dtype=np.float64)
        num += len(values)
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


@dataclasses.dataclass(frozen=True)
class Area:
    """An area under the receiver operating characteristic.

    Attributes:
        value: From 0 to 1; 1/2 where the score says nothing.
        standard_error: Of the value over examples, or None with a single example of a kind.
    """

    value: float
    standard_error: float | None


def auroc(scores, anomalous):
    """Returns the area under the receiver operating characteristic, exactly.

        AUROC = P(score of an anomaly > score of another) + P(they are equal) / 2

    over all pairs: the statistic of Mann and Whitney, from ranks. Its standard error is that of the
    structural components [2], which needs no assumption on how the scores are distributed:

        Var = Var_i( share of the others below anomaly i ) / num_anomalies
              + Var_j( share of the anomalies above other j ) / num_others

    Args:
        scores: Floats `[num]`, more is stranger.
        anomalous: Bools `[num]`.

    Returns:
        `Area`.

    Raises:
        ValueError: If there are none of a kind, or a score is NaN.

    Examples:
        >>> auroc([0.1, 0.2, 0.2, 0.9], [False, False, True, True]).value
        0.875

    References:
        [1] Hanley and McNeil. The meaning and use of the area under a ROC curve. 1982.
            https://doi.org/10.1148/radiology.143.1.7063747
        [2] DeLong, DeLong and Clarke-Pearson, eq. 4 to 7. Comparing the areas under two or more
            correlated ROC curves. 1988. https://doi.org/10.2307/2531595
    """
    scores, anomalous = np.asarray(scores, np.float64), np.asarray(anomalous, bool)
    strange, usual = np.sort(scores[anomalous]), np.sort(scores[~anomalous])
    if not len(strange) or not len(usual) or np.isnan(scores).any():
        raise ValueError(
            f"The AUROC compares scores of anomalies with those of other examples, of which there "
            f"is one of each at least, and none is NaN. Received {len(strange)} anomalies and "
            f"{len(usual)} others, {int(np.isnan(scores).sum())} NaN."
        )
    above = _share_below(usual, strange)  # of each anomaly
    below = 1 - _share_below(strange, usual)  # of each other
    error = None
    if min(len(strange), len(usual)) > 1:
        variance = above.var(ddof=1) / len(strange) + below.var(ddof=1) / len(usual)
        error = float(np.sqrt(variance))
    return Area(float(above.mean()), error)


def _share_below(ranked, values):
    """Returns the share of sorted numbers below each value; half of those that are equal."""
    first, last = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    return 0.5 * (first + last) / len(ranked)


@xla.function
def _metrics(model, x, seeds):
    return model.terms(x, seeds).metrics


def _rows(stream, seed, x, start):
    return noise.row_seeds(noise.seed_of(stream, seed), len(x), start)
