"""Mixtures fitted by expectation maximisation: what a model without a decoder network reaches."""

import dataclasses
import math

import numpy as np

_CHUNK = 5000  # examples at once
_FLOOR = 1e-3  # of the mean variance of the data: least variance of a component


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A mixture of Bernoullis, or of Gaussians with diagonal covariances.

        p(x) = sum_k weights_k p(x | k)

    The smallest VAE there is, seen so: the code is the component k, the decoder is p(x|k), and
    the responsibilities p(k|x) are the exact posterior, for which the bound is log p(x).

    Attributes:
        weights: `[component]`, probabilities.
        means: `[component, size]`.
        variances: `[component, size]`, or None for Bernoullis.

    Examples:
        >>> model = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [2.0]]), np.ones([2, 1]))
        >>> model.responsibilities(np.array([[1.0]])).round(6).tolist()
        [[0.5, 0.5]]
    """

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray | None = None

    def log_joint(self, x):
        """Returns log p(x, k) in nats, `[num, component]`."""
        x = np.reshape(x, (len(x), -1)).astype(np.float64)
        if self.variances is None:
            on, off = np.log(self.means), np.log1p(-self.means)
            each = x @ (on - off).T + off.sum(axis=1)
        else:
            precision = 1 / self.variances
            linear = x @ (self.means * precision).T
            constant = (self.means**2 * precision + np.log(2 * np.pi * self.variances)).sum(axis=1)
            each = linear - 0.5 * (x**2 @ precision.T + constant)
        return each + np.log(self.weights)

    def log_prob(self, x):
        """Returns log p(x) in nats, `[num]`."""
        return np.logaddexp.reduce(self.log_joint(x), axis=1)

    def responsibilities(self, x):
        """Returns p(k|x), `[num, component]`: the E-step."""
        joint = self.log_joint(x)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))


def fit(x, num_components, *, binary, num_iterations=50, smoothing=1.0, seed=0):
    """Fits a mixture by expectation maximisation.

        E-step: r_nk = p(k | x_n);  M-step: weights, means and variances as weighted averages

    Args:
        x: Array `[num, *event]`, of 0 and 1 for Bernoullis.
        num_components: Number of components.
        binary: Whether the components are Bernoullis, else Gaussians.
        num_iterations: At most; it ends before where the mean of log p(x) grows by less than
            1e-4 nats.
        smoothing: Examples with each of both values that a Bernoulli counts beside those it has
            seen: without any, a pixel that was never on makes log p(x) of a new example minus
            infinity. With 0, log p(x) of the data never falls from one iteration to the next.
        seed: Int; the components begin at examples that follow from it.

    Returns:
        model: A `Mixture`.
        history: The mean of log p(x) over the data before each iteration, in nats.

    Raises:
        ValueError: If there are fewer examples than components.

    References:
        [1] Dempster, Laird and Rubin. Maximum likelihood from incomplete data via the EM
            algorithm. https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
    """
    if not 0 < num_components <= len(x):
        raise ValueError(
            f"A mixture has from one component to as many as there are examples, {len(x)}. "
            f"Received num_components={num_components}."
        )
    x = np.reshape(x, (len(x), -1))
    model, floor = _begin(x, num_components, binary, seed)
    history: list[float] = []
    for _ in range(num_iterations):
        total, sums = _expect(model, x)
        if history and total - history[-1] < 1e-4:
            break
        history.append(total)
        model = _maximise(sums, binary, smoothing, floor)
    return model, history


def _begin(x, num_components, binary, seed):
    """Returns components at examples, pulled to the mean of the data, and the least variance."""
    chosen = np.random.default_rng(seed).choice(len(x), num_components, replace=False)
    mean = x.mean(axis=0, dtype=np.float64)
    means = 0.5 * (x[chosen] + mean)
    weights = np.full(num_components, 1 / num_components)
    if binary:
        return Mixture(weights, 0.25 + 0.5 * means), 0.0
    variance = x.var(axis=0, dtype=np.float64)
    floor = _FLOOR * variance.mean()
    return Mixture(weights, means, np.tile(np.maximum(variance, floor), (len(means), 1))), floor


def _expect(model, x):
    """Returns the mean of log p(x), and the sums of r, r x and r x**2 over the examples."""
    total, sums = 0.0, [0.0, 0.0, 0.0]
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK].astype(np.float64)
        joint = model.log_joint(chunk)
        log_prob = np.logaddexp.reduce(joint, axis=1)
        total += log_prob.sum()
        shares = np.exp(joint - log_prob[:, np.newaxis]).T
        powers = [np.ones(len(chunk)), chunk, *([] if model.variances is None else [chunk**2])]
        sums = [s + shares @ power for s, power in zip(sums, powers)]  # noqa: B905
    return total / len(x), sums


def _maximise(sums, binary, smoothing, floor):
    counts, first, *second = sums
    weights = np.maximum(counts, math.ulp(1.0)) / np.maximum(counts, math.ulp(1.0)).sum()
    if binary:
        means = (first + smoothing) / (counts + 2 * smoothing)[:, np.newaxis]
        tiny = math.ulp(1.0)  # exactly 0 and 1 have no finite logarithm
        return Mixture(weights, np.clip(means, tiny, 1 - tiny))
    counts = np.maximum(counts, math.ulp(1.0))[:, np.newaxis]
    means = first / counts
    return Mixture(weights, means, np.maximum(second[0] / counts - means**2, floor))
