"""Means and spreads of what passes by, without keeping it."""

import numpy as np


class Moments:
    """Mean and variance over all examples, one batch after the other, in float64.

        mean = 1/N sum_n x_n,  variance = 1/(N - ddof) sum_n (x_n - mean)**2

    by the exact sums of two parts, n and m examples: no difference of large numbers is taken [1].

        mean = mean_n + (mean_m - mean_n) m / (n + m)
        squares = squares_n + squares_m + (mean_m - mean_n)**2 n m / (n + m)

    Examples:
        >>> moments = Moments()
        >>> moments.add([1.0, 2.0])
        >>> moments.add([6.0])
        >>> float(moments.mean), float(moments.variance())
        (3.0, 7.0)

    References:
        [1] Chan, Golub and LeVeque. Algorithms for computing the sample variance.
            https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self):
        self.num = 0
        self.mean = np.zeros(())
        self._squares = np.zeros(())

    def add(self, values):
        """Takes values `[batch, *shape]`; an empty batch changes nothing."""
        values = np.asarray(values, np.float64)
        num = len(values)
        if not num:
            return
        mean = values.mean(axis=0)
        squares = ((values - mean) ** 2).sum(axis=0)
        distance, both = mean - self.mean, self.num + num
        self._squares = self._squares + squares + distance**2 * (self.num * num / both)
        self.mean = self.mean + distance * (num / both)
        self.num = both

    def variance(self, ddof=1):
        """Returns the variance `[*shape]`; with `ddof=0` that of these very examples."""
        return self._squares / (self.num - ddof)

    @property
    def standard_error(self):
        """Of the mean, a float; None of fewer than two examples, which have no spread."""
        if self.num < 2:
            return None
        return float(np.sqrt(self.variance() / self.num))
