"""The mutual information gap."""

import numpy as np

from tfvae.disentanglement.base import Metric, Score, bins, gap
from tfvae.options import check_count


class MutualInformationGap(Metric, name="mig"):
    """How far the latent that knows most of a factor is ahead of the next one (MIG).

        gap_k = (I(z_best; v_k) - I(z_next; v_k)) / H(v_k);  score = mean of gap_k

    1 where each factor is told by one latent that tells all of it; 0 where two latents tell the
    same, as after a rotation, or where none tells anything.

    Args:
        bins: Number of classes of equal width that each latent is cut into.

    Raises:
        ValueError: If `bins` is not a positive int.

    Implementations differ: [1] takes I over samples of q(z|x) with the aggregate posterior; [2],
    and with it most of the tables, the means of q(z|x), cut into 20 bins of equal width, as here. A
    factor of more values than bins can't reach 1. With n examples a latent of noise seems to know
    some (bins - 1) (values - 1) / (2 n) nats of a factor.

    References:
        [1] Chen et al., section 4. Isolating sources of disentanglement in variational
            autoencoders. https://arxiv.org/abs/1802.04942
        [2] Locatello et al., appendix. https://arxiv.org/abs/1811.12359
    """

    def __init__(self, *, bins=20):
        self.bins = check_count("bins", bins)

    def _measure(self, sample, rng):
        del rng
        known = information(bins(sample.codes, self.bins), sample.classes)
        gaps = gap(known / entropies(sample.classes))
        return {"mig": Score(float(gaps.mean()), gaps)}


def information(a, b):
    """Returns the mutual information of each two columns of classes, from their frequencies.

        I(a; b) = sum p(a, b) log(p(a, b) / (p(a) p(b)))

    Args:
        a: Ints from 0 on, `[num, first]`.
        b: Ints from 0 on, `[num, second]`.

    Returns:
        float64 `[first, second]`, nats.

    Examples:
        >>> a = np.array([[0], [0], [1], [1]])
        >>> information(a, np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).round(4).tolist()
        [[0.6931, 0.0]]
    """
    found = np.empty((a.shape[1], b.shape[1]))
    for i, first in enumerate(a.T):
        for k, second in enumerate(b.T):
            num = second.max() + 1
            counts = np.bincount(first * num + second, minlength=(first.max() + 1) * num)
            joint = counts.reshape(-1, num) / len(a)
            independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
            there = joint > 0
            found[i, k] = (joint[there] * np.log(joint[there] / independent[there])).sum()
    return found


def entropies(classes):
    """Returns the entropy of each column of classes, `[column]`, nats."""
    return np.array([_entropy(np.bincount(column) / len(column)) for column in classes.T])


def _entropy(shares):
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()
