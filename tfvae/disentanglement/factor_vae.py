"""The score of the FactorVAE paper."""

import abc

import numpy as np

from tfvae.disentanglement.base import Metric, Score
from tfvae.options import check_count, check_weight

_AT_ONCE = 50  # votes


class FactorVAEScore(Metric, name="factor_vae"):
    """How well the latent that varies least tells which factor was held fixed.

        a vote:  hold factor k at one value, take num_samples such examples,
                 i = argmin of Var(z_i) / Var(z_i over all examples)
        score:   share of new votes (i, k) in which k is what i meant most often in earlier ones

    1 where a latent stands still with each factor; 1 over their number where the code says nothing.
    It doesn't fall where two latents have the same content, or where several share a factor.

    Args:
        num_votes: Number of votes to learn from, and of others to score on.
        num_samples: Number of examples of a vote.
        least_stddev: Latents whose codes vary by less have no vote: they have collapsed to the
            prior.
        anew: Whether the examples of a vote are made anew, with a value of the factor that is held
            fixed and of every other one drawn from its values, as in [1] and [2]. It takes data
            that can make them, such as `shapes`. Otherwise they are drawn from those of the split
            that have the value, which is the same where all combinations are equally frequent.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Kim and Mnih, section 4. Disentangling by factorising. https://arxiv.org/abs/1802.05983
        [2] Locatello et al., appendix. https://arxiv.org/abs/1811.12359
    """

    def __init__(self, *, num_votes=2000, num_samples=64, least_stddev=0.05, anew=False):
        self.num_votes = check_count("num_votes", num_votes)
        self.num_samples = check_count("num_samples", num_samples)
        self.least_stddev = check_weight("least_stddev", least_stddev)
        if not isinstance(anew, bool):
            raise ValueError(f"`anew` is True or False. Received {anew!r}.")
        self.makes_examples = anew

    def _measure(self, sample, rng):
        num_factors = sample.classes.shape[1]
        stddev = sample.codes.std(axis=0)
        active = (stddev > 0) & (stddev >= self.least_stddev)
        if not active.any():
            return {"factor_vae": Score(0.0, np.zeros(num_factors))}
        kind: type[_Draw] = _Maker if self.makes_examples else _Finder
        draw = kind(sample, active, stddev, self.num_samples)
        learnt = self._votes(draw, num_factors, rng)
        meaning = learnt.argmax(axis=1)
        votes = self._votes(draw, num_factors, rng)
        right = np.where(meaning[:, np.newaxis] == np.arange(num_factors), votes, 0).sum(axis=0)
        by_factor = right / np.maximum(votes.sum(axis=0), 1)
        return {"factor_vae": Score(float(right.sum() / votes.sum()), by_factor)}

    def _votes(self, draw, num_factors, rng):
        """Returns how often each latent stood still while each factor did, `[latent, factor]`."""
        votes = np.zeros((draw.num_active, num_factors), np.int64)
        fixed = rng.integers(num_factors, size=self.num_votes)
        for start in range(0, self.num_votes, _AT_ONCE):
            some = fixed[start : start + _AT_ONCE]
            still = draw(some, rng).var(axis=1).argmin(axis=1)
            np.add.at(votes, (still, some), 1)
        return votes


class _Draw(abc.ABC):
    """Scaled codes of examples that have one value of a factor: `[vote, num_samples, latent]`."""

    def __init__(self, sample, active, stddev, num_samples):
        self.num_active = int(active.sum())
        self._sample, self._active, self._stddev = sample, active, stddev[active]
        self._num = num_samples

    def _scaled(self, codes):
        return codes[:, self._active] / self._stddev

    @abc.abstractmethod
    def __call__(self, fixed, rng):
        """Returns the codes of a vote for each factor of `fixed`, ints `[vote]`."""


class _Finder(_Draw):
    """Finds them among the examples of the sample. A value comes as often as it does there.

    But for one that a single example has: no other factor would vary.
    """

    def __init__(self, sample, *options):
        super().__init__(sample, *options)
        self._codes = self._scaled(sample.codes)
        self._groups = [_groups(factor, column) for factor, column in enumerate(sample.classes.T)]

    def __call__(self, fixed, rng):
        return np.stack([self._codes[self._members(factor, rng)] for factor in fixed])

    def _members(self, factor, rng):
        order, first, last = self._groups[factor]
        row = rng.integers(len(first))
        members = order[first[row] : last[row]]
        return members[rng.integers(len(members), size=self._num)]


class _Maker(_Draw):
    """Makes them anew. Every value of every factor comes equally often."""

    def __init__(self, sample, *options):
        super().__init__(sample, *options)
        self._values = [np.unique(column) for column in sample.values.T]

    def __call__(self, fixed, rng):
        shape = (len(fixed), self._num)
        rows = np.stack([rng.choice(values, shape) for values in self._values], axis=-1)
        votes = np.arange(len(fixed))
        rows[votes, :, fixed] = rows[votes, 0, fixed][:, np.newaxis]
        codes = self._sample.codes_of(rows.reshape(-1, len(self._values)))
        return self._scaled(np.asarray(codes, np.float64)).reshape(*shape, -1)


def _groups(factor, classes):
    """Returns rows sorted by class, and where the class of each of them begins and ends.

    The last two leave out those that are alone in their class.

    Raises:
        ValueError: If all are.
    """
    order = np.argsort(classes, kind="stable")
    counts = np.bincount(classes)
    of, ends = classes[order], np.cumsum(counts)
    of = of[counts[of] > 1]
    if not len(of):
        raise ValueError(
            f"The FactorVAE score holds a factor at one value while others vary. Of factor "
            f"{factor}, from 0 on, each of the {len(classes):,} examples has a value of its own. "
            f"Take more examples, `factor_vae(anew=True)` where the data can make them, or another "
            f"measure, such as `mig`."
        )
    return order, (ends - counts)[of], ends[of]
