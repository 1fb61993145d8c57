"""Disentanglement, completeness and informativeness."""

import importlib.util

import numpy as np

from tfvae.disentanglement.base import Metric, Score, halves
from tfvae.options import check_count

_MODELS = ("forest", "boosting")


class DCI(Metric, name="dci"):
    """How much of a latent is about one factor, and of a factor in one latent (DCI).

        importance r[i, k]: of latent i to a predictor of factor k from all latents
        disentanglement  sum_i weight_i (1 - H(r[i, :] / sum_k r[i, k]) / log(num_factors)),
                         weight_i = sum_k r[i, k] / sum r
        completeness     mean_k (1 - H(r[:, k] / sum_i r[i, k]) / log(num_latents))
        informativeness  mean_k of the accuracy of the predictor on examples it hasn't seen

    All three are 1 where each factor is told by a latent of its own. A latent that tells two
    factors lowers the first, a factor that is spread over latents the second, a code that forgets
    the third.

    The predictors are trees, with the share of the impurity that a latent takes away as its
    importance. They are fitted to one half of the examples, and the other half is predicted.

    Args:
        model: 'forest' for random forests, 'boosting' for gradient boosted trees, which take some
            ten times as long.
        num_trees: Number of trees of a forest, and of rounds of boosting.
        max_depth: Greatest depth of a tree; None for 12 of a forest and 3 of boosting.

    Raises:
        ValueError: If an option is out of range.
        OSError: If scikit-learn is not installed: `pip install 'tfvae[data]'`.

    Implementations differ: [1] has lasso and random forests as regressors, and an error in the
    place of the accuracy; [2] gradient boosted trees, which is `dci(model='boosting',
    num_trees=100)`. Trees that may choose among a part of the latents only, the usual ones of a
    forest, give weight to latents without any content; here they choose among all.

    References:
        [1] Eastwood and Williams. A framework for the quantitative evaluation of disentangled
            representations. 2018. https://openreview.net/forum?id=By-7dz-AZ
        [2] Locatello et al., appendix. https://arxiv.org/abs/1811.12359
    """

    def __init__(self, *, model="forest", num_trees=30, max_depth=None):
        if model not in _MODELS:
            raise ValueError(
                f"`model` is one of {', '.join(map(repr, _MODELS))}. Received {model!r}."
            )
        self.model = model
        self.num_trees = check_count("num_trees", num_trees)
        self.max_depth = None if max_depth is None else check_count("max_depth", max_depth)
        if importlib.util.find_spec("sklearn") is None:
            raise OSError(
                "The measure `dci` needs scikit-learn, which is not installed. Install it with "
                "`pip install 'tfvae[data]'`, or choose other measures."
            )

    def _measure(self, sample, rng):
        fit_on, score_on = halves(sample, rng)
        importance, right = [], []
        for k in range(sample.classes.shape[1]):
            predictor = self._predictor(int(rng.integers(2**31)))
            predictor.fit(fit_on.codes, fit_on.classes[:, k])
            importance.append(predictor.feature_importances_)
            right.append(np.mean(predictor.predict(score_on.codes) == score_on.classes[:, k]))
        disentanglement, completeness = spread(np.stack(importance, axis=1))
        return {
            "dci_disentanglement": Score(disentanglement),
            "dci_completeness": Score(float(completeness.mean()), completeness),
            "dci_informativeness": Score(float(np.mean(right)), np.array(right)),
        }

    def _predictor(self, seed):
        from sklearn import ensemble

        options = {"n_estimators": self.num_trees, "random_state": seed}
        if self.model == "boosting":
            return ensemble.GradientBoostingClassifier(max_depth=self.max_depth or 3, **options)
        return ensemble.RandomForestClassifier(
            max_depth=self.max_depth or 12, max_features=None, **options
        )


def spread(importance):
    """Returns how little importances are spread: over factors, and over latents.

    Args:
        importance: Of each latent to each factor, from 0 on, `[latent, factor]`.

    Returns:
        disentanglement: Of all latents together, weighted by their importance.
        completeness: Of each factor, `[factor]`.

    Examples:
        >>> spread(np.array([[1.0, 1.0], [0.0, 0.0]]))  # one latent tells both
        (0.0, array([1., 1.]))
        >>> spread(np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]))[1].round(4)
        array([0.3691, 1.    ])
    """
    importance = np.abs(importance)
    total = importance.sum()
    if total == 0:
        return 0.0, np.zeros(importance.shape[1])
    of_latents = 1 - _evenness(importance)
    weights = importance.sum(axis=1) / total
    return float(weights @ of_latents), 1 - _evenness(importance.T)


def _evenness(rows):
    """Returns the entropy of each row as shares, relative to that of equal shares; 1 without any.

    A row of one element is no choice, and its evenness is 0.
    """
    sums, size = rows.sum(axis=1, keepdims=True), rows.shape[1]
    shares = np.divide(rows, sums, out=np.full(rows.shape, 1 / size), where=sums > 0)
    logs = np.log(shares, out=np.zeros(shares.shape), where=shares > 0)
    return -(shares * logs).sum(axis=1) / np.log(max(size, 2))
