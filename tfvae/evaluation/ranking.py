"""How well a score ranks examples of one kind above those of another."""

import dataclasses

import numpy as np


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
