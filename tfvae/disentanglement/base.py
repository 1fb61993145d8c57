"""The family of measures of disentanglement: codes and known factors to scores."""

import abc
import dataclasses
from collections.abc import Callable

import numpy as np

from tfvae import components

_BINS = 20  # of a factor that lies on a scale


@dataclasses.dataclass(frozen=True)
class Sample:
    """Codes of examples and the factors that the examples were made from.

    Attributes:
        codes: float64 `[num, latent]`: means of q(z|x).
        values: The factors as numbers, float64 `[num, factor]`.
        classes: The factors as classes 0, 1, ..., int64 `[num, factor]`.
        ordered: Whether a factor lies on a scale, bools `[factor]`; the others are classes alone.
        codes_of: Function of factors `[num, factor]` -> codes `[num, latent]` of examples that are
            made anew, or None.
    """

    codes: np.ndarray
    values: np.ndarray
    classes: np.ndarray
    ordered: np.ndarray
    codes_of: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Score:
    """A score and what it is made of.

    Attributes:
        value: Float; more is better.
        by_factor: The score of each factor alone, float64 `[factor]`, or None where there is none.
    """

    value: float
    by_factor: np.ndarray | None = None


class Metric(components.Component, abc.ABC):
    """A measure of how a code keeps apart the factors that its data were made from.

    A member overrides `_measure`. The order of the latents doesn't matter to any, nor does a linear
    change of the scale of one.
    """

    #: Whether it looks at examples that are made anew, and needs `codes_of`.
    makes_examples = False

    @abc.abstractmethod
    def _measure(self, sample, rng):
        """Returns scores by name, a dict of `Score`, of a checked `Sample`.

        Args:
            sample: `Sample`.
            rng: `numpy.random.Generator`, for what is drawn.
        """

    def measure(self, codes, factors, *, class_factors=None, codes_of=None, seed=0):
        """Scores codes.

        Args:
            codes: Means of q(z|x), floats `[num, latent]`.
            factors: What the examples were made from, numbers `[num, factor]`. Whole numbers are
                values of a factor that takes only these; others are cut into 20 classes of equal
                width, where classes are needed.
            class_factors: Indices of factors that are classes without an order; None for all of
                whole numbers.
            codes_of: Function of factors `[num, factor]` -> codes `[num, latent]` of examples that
                are made anew, for a measure that `makes_examples`.
            seed: Int; what is drawn follows from it.

        Returns:
            Dict of the name of a score to its `Score`.

        Raises:
            ValueError: If codes and factors don't belong together, a factor has one value, or
                `codes_of` is needed.

        Examples:
            >>> from tfvae import components
            >>> factors = np.stack(np.divmod(np.arange(12), 4), axis=1)  # 3 x 4 values
            >>> metric = components.build(Metric, "mig")
            >>> round(metric.measure(1.0 * factors, factors)["mig"].value, 6)
            1.0
        """
        if self.makes_examples and codes_of is None:
            raise ValueError(
                f"`{self.spec}` looks at examples that are made anew, which this data set can't "
                f"do. Train on `shapes`, or leave the option out."
            )
        codes, values = _checked(codes, factors)
        whole = (values == np.rint(values)).all(axis=0)
        if class_factors is None:
            ordered = ~whole
        else:
            ordered = ~np.isin(np.arange(values.shape[1]), class_factors)
        classes = [_classes(v, w) for v, w in zip(values.T, whole, strict=True)]
        sample = Sample(codes, values, np.stack(classes, axis=1), ordered, codes_of)
        return self._measure(sample, np.random.Generator(np.random.Philox(seed)))


def bins(values, num):
    """Cuts each column into so many bins of equal width, from its least to its greatest value.

    Args:
        values: Floats `[num, column]`.
        num: Number of bins.

    Returns:
        int64 `[num, column]`, from 0 to `num - 1`; 0 in a column that doesn't vary.

    Examples:
        >>> bins(np.array([[0.0], [0.4], [0.6], [1.0]]), 2).ravel().tolist()
        [0, 0, 1, 1]
    """
    low, width = values.min(axis=0), np.ptp(values, axis=0)
    shares = (values - low) / np.where(width > 0, width, 1)
    return np.minimum((num * shares).astype(np.int64), num - 1)


def gap(scores):
    """Returns how far the best latent is ahead of the next one, for each factor.

    Args:
        scores: `[latent, factor]`.

    Returns:
        `[factor]`; with a single latent its own scores.
    """
    ranked = np.sort(scores, axis=0)[::-1]
    return ranked[0] - ranked[1] if len(ranked) > 1 else ranked[0]


def halves(sample, rng):
    """Returns two `Sample`s of one half of the examples each, at random: to fit on, to score on."""
    order = rng.permutation(len(sample.codes))
    return [
        dataclasses.replace(
            sample,
            codes=sample.codes[rows],
            values=sample.values[rows],
            classes=sample.classes[rows],
        )
        for rows in np.array_split(order, 2)
    ]


def _classes(values, whole):
    found = values if whole else bins(values[:, np.newaxis], _BINS)[:, 0]
    return np.unique(found, return_inverse=True)[1].ravel()


def _checked(codes, factors):
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors, np.float64)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or not codes.size:
        raise ValueError(
            f"Codes [num, latent] and factors [num, factor] are of the same examples. Received "
            f"shapes {codes.shape} and {factors.shape}."
        )
    if not (np.isfinite(codes).all() and np.isfinite(factors).all()):
        raise ValueError("Codes and factors are finite numbers. Received NaN or infinity.")
    constant = np.flatnonzero(np.ptp(factors, axis=0) == 0)
    if constant.size or not factors.shape[1]:
        raise ValueError(
            f"Every factor takes two values at least, in what is measured. Factors "
            f"{constant.tolist()} of {factors.shape[1]} don't. Take more examples, or leave them "
            f"out."
        )
    return codes, factors
