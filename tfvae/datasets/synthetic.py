"""Data whose truth is known, for tests and demonstrations."""

import math

import numpy as np

from tfvae.datasets import truths
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options
from tfvae.options import check_count


class Synthetic(StoredDataset, name="synthetic"):
    """Data from a known law: a linear-Gaussian model, a mixture, two moons or rendered shapes.

        linear_gaussian  x = weights z + offset + noise e,  z, e ~ N(0, I):  its evidence is known
        mixture          x ~ N(mean_k, noise**2 I), k uniform:               its density is known
        moons            two half circles in the plane, and noise
        shapes           grey images of a disc, square or triangle, with scale, rotation, x and y

    `factors(split)` gives what each example was made from, and `log_prob(x)` the density of the
    first two.

    Args:
        kind: One of the names above.
        num: Number of examples.
        size: Length of an example; side of the image for 'shapes'; 'moons' are always 2 long.
        latents: Length of z of 'linear_gaussian', and number of the components of 'mixture'.
        noise: Standard deviation of the noise; 'shapes' have none.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for 'shapes'.
        validation: Fraction or number of the examples to validate on.
        test: Fraction or number of the examples to test on; None for 0.1, 0 for no test split.
        seed: The data and the splits follow from it.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Tipping and Bishop, eq. 2. Probabilistic principal component analysis. 1999.
        [2] Matthey et al. dSprites, whose factors 'shapes' have. 2017.
    """

    def __init__(
        self,
        *,
        kind="linear_gaussian",
        num=1000,
        size=8,
        latents=2,
        noise=0.3,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, binarize=binarize)
        for option, value in (("num", num), ("size", size), ("latents", latents)):
            check_count(option, value)
        if not isinstance(noise, int | float) or not 0 < noise < math.inf:
            raise ValueError(f"`noise` is a positive number. Received {noise!r}.")
        if not isinstance(kind, str) or kind not in truths.KINDS:
            raise ValueError(
                f"`kind` is one of {', '.join(map(repr, truths.KINDS))}. Received {kind!r}."
            )
        rng = np.random.Generator(np.random.Philox(seed))
        self._truth = truths.KINDS[kind](rng, size, latents, noise)
        examples, self._factors, labels = self._truth.draw(rng, num)
        self.factor_names = self._truth.factor_names
        self.class_factors = self._truth.class_factors
        part = Part(examples, labels, f"The synthetic data `{kind}`")
        self._divide({"train": part}, shares, binarize=binarize)

    def factors(self, split):
        """Returns what each example of a split was made from, `[num_examples, num_factors]`."""
        self._check_split(split)
        return self._factors[self._parts[split].places]

    def log_prob(self, x):
        """Returns log p(x) of examples `[num, size]` under the law they came from, nats, `[num]`.

        Raises:
            ValueError: If the density of this kind has no closed form.
        """
        if not hasattr(self._truth, "log_prob"):
            raise ValueError(
                "The density of this kind has no closed form. Those of `linear_gaussian` and "
                "`mixture` have one."
            )
        return self._truth.log_prob(np.asarray(x, np.float64))
