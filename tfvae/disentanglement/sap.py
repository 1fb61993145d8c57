"""Separated attribute predictability."""

import numpy as np

from tfvae.disentanglement.base import Metric, Score, gap, halves


class SeparatedAttributePredictability(Metric, name="sap"):
    """How far the latent that predicts a factor best, alone, is ahead of the next one (SAP).

        score of latent i for factor k:
            on a scale   R**2 of the linear regression, cov(z_i, v_k)**2 / (var(z_i) var(v_k))
            of classes   balanced accuracy of the best thresholds on z_i:
                         mean over the classes of the share that lies in its own interval
        SAP = mean over the factors of (best score - next one)

    A code of one latent for each factor, in proportion to it, scores 1 for factors on a scale. For
    one of V classes it can reach 1 - 1 / V, since a latent that knows nothing is right in 1 / V.

    The thresholds are those with the greatest balanced accuracy on one half of the examples, with
    the classes' intervals in the order of their means; the other half is scored.

    Implementations differ: [2] takes a linear support vector machine in the place of thresholds,
    accuracy that isn't balanced, and all factors for classes.

    References:
        [1] Kumar et al., section 3. Variational inference of disentangled latent concepts from
            unlabeled observations. https://arxiv.org/abs/1711.00848
        [2] Locatello et al., appendix. https://arxiv.org/abs/1811.12359
    """

    def _measure(self, sample, rng):
        fit_on, score_on = halves(sample, rng)
        columns = [
            _r_squared(sample.codes, sample.values[:, k])
            if ordered
            else _accuracies(fit_on, score_on, k)
            for k, ordered in enumerate(sample.ordered)
        ]
        gaps = gap(np.stack(columns, axis=1))
        return {"sap": Score(float(gaps.mean()), gaps)}


def _r_squared(codes, values):
    """Returns the squared correlation of each latent with a factor, 0 for one that is constant."""
    z, v = codes - codes.mean(axis=0), values - values.mean()
    variances = (z**2).sum(axis=0) * (v**2).sum()
    return np.divide((z.T @ v) ** 2, variances, out=np.zeros(len(z.T)), where=variances > 0)


def _accuracies(fit_on, score_on, factor):
    """Returns the balanced accuracy of the best thresholds on each latent, `[latent]`."""
    given, asked = fit_on.classes[:, factor], score_on.classes[:, factor]
    num = max(given.max(), asked.max()) + 1
    found = []
    for z, new in zip(fit_on.codes.T, score_on.codes.T, strict=True):
        cuts, order = thresholds(z, given, num)
        right = order[np.searchsorted(cuts, new, side="right")] == asked
        counts = np.bincount(asked, minlength=num)
        shares = np.bincount(asked, right, minlength=num)[counts > 0] / counts[counts > 0]
        found.append(shares.mean())
    return np.array(found)


def thresholds(z, classes, num):
    """Finds the thresholds that tell classes apart with the greatest balanced accuracy.

    Each class has one interval, which may be empty, and the intervals come in the order of the
    classes' means; under that condition no other thresholds are better.

    Args:
        z: Floats `[n]`.
        classes: Ints `[n]`, from 0 to `num - 1`.
        num: Number of classes.

    Returns:
        cuts: Rising floats `[num - 1]`; a value belongs to the interval above the last cut that is
            not greater than it.
        order: The class of each interval, int64 `[num]`.

    Examples:
        >>> cuts, order = thresholds(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 0, 0]), 2)
        >>> cuts.tolist(), order.tolist()
        ([2.5], [1, 0])
    """
    counts = np.bincount(classes, minlength=num)
    weights = 1 / np.maximum(counts, 1)
    means = np.bincount(classes, z, minlength=num) * weights
    order = np.argsort(np.where(counts > 0, means, np.inf), kind="stable")
    rows = np.argsort(z, kind="stable")
    z, classes = z[rows], classes[rows]
    # Places where a cut may lie: before all, between two different values, behind all.
    places = np.flatnonzero(np.concatenate([[True], z[1:] > z[:-1], [True]]))
    hits = classes == order[:, np.newaxis]  # [interval, n]
    gained = np.cumsum(hits * weights[order][:, np.newaxis], axis=1)
    gained = np.concatenate([np.zeros((num, 1)), gained], axis=1)[:, places]
    ends = _best_ends(gained)
    edges = np.concatenate([[-np.inf], (z[1:] + z[:-1]) / 2, [np.inf]])
    return edges[places[ends[:-1]]], order


def _best_ends(gained):
    """Returns where each interval ends, so that all together gain most: dynamic programming.

    Args:
        gained: What an interval gains from the first places on, `[interval, place]`.

    Returns:
        Indices of places, `[interval]`; the last one is that behind all.
    """
    best, begins = gained[0], []
    for later in gained[1:]:
        ahead = best - later
        most = np.maximum.accumulate(ahead)
        # The last place of the greatest gain so far: where the interval begins.
        begins.append(np.maximum.accumulate(np.where(ahead == most, np.arange(len(ahead)), 0)))
        best = later + most
    ends = [len(best) - 1]
    for begin in reversed(begins):
        ends.append(begin[ends[-1]])
    return np.array(ends[::-1])
