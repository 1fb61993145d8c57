"""The score of the FactorVAE paper."""

import numpy as np

from tfvae.disentanglement.base import Metric, Score
from tfvae.options import check_count, check_weight


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

    Raises:
        ValueError: If an option is out of range.

    Implementations differ: in [1] and [2] examples are rendered anew for each vote, here they are
    drawn from those of the split that have the value, which is the same where all combinations are
    equally frequent.

    References:
        [1] Kim and Mnih, section 4. Disentangling by factorising. https://arxiv.org/abs/1802.05983
        [2] Locatello et al., appendix. https://arxiv.org/abs/1811.12359
    """

    def __init__(self, *, num_votes=2000, num_samples=64, least_stddev=0.05):
        self.num_votes = check_count("num_votes", num_votes)
        self.num_samples = check_count("num_samples", num_samples)
        self.least_stddev = check_weight("least_stddev", least_stddev)

    def _measure(self, sample, rng):
        num_factors = sample.classes.shape[1]
        stddev = sample.codes.std(axis=0)
        active = (stddev > 0) & (stddev >= self.least_stddev)
        if not active.any():
            return {"factor_vae": Score(0.0, np.zeros(num_factors))}
        scaled = sample.codes[:, active] / stddev[active]
        groups = [_groups(column) for column in sample.classes.T]
        learnt = self._votes(scaled, groups, rng)
        meaning = learnt.argmax(axis=1)
        votes = self._votes(scaled, groups, rng)
        right = np.where(meaning[:, np.newaxis] == np.arange(num_factors), votes, 0).sum(axis=0)
        by_factor = right / np.maximum(votes.sum(axis=0), 1)
        return {"factor_vae": Score(float(right.sum() / votes.sum()), by_factor)}

    def _votes(self, scaled, groups, rng):
        """Returns how often each latent stood still while each factor did, `[latent, factor]`."""
        votes = np.zeros((scaled.shape[1], len(groups)), np.int64)
        for factor in rng.integers(len(groups), size=self.num_votes):
            # A value comes as often as it does in the data.
            order, first, last = groups[factor]
            row = rng.integers(len(order))
            members = order[first[row] : last[row]]
            chosen = members[rng.integers(len(members), size=self.num_samples)]
            votes[scaled[chosen].var(axis=0).argmin(), factor] += 1
        return votes


def _groups(classes):
    """Returns rows sorted by class, and where the class of each of them begins and ends."""
    order = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes))
    of = classes[order]
    return order, (ends - np.bincount(classes))[of], ends[of]
