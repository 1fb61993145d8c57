"""Likelihoods of counts: whole numbers from zero, without an upper end."""

import abc

import numpy as np
import tensorflow as tf

from tfvae.distribution_layers.base import DistributionLayer


class CountsLayer(DistributionLayer, abc.ABC):
    """A likelihood of x in {0, 1, 2, ...}; a member adds its parameters.

    Its terms are log mass. float32 holds every whole number up to 16,777,216. The encoder reads
    log(1 + x): counts of thousands would make the first codes of training overflow.
    """

    support = "{0, 1, 2, ...}"
    discrete = True

    def _network_input(self, x):
        # Below zero, where no count is but a `vampprior` may look for its inputs, a line of the
        # same slope.
        return tf.where(x < 0, x, tf.math.log1p(tf.maximum(x, 0.0)))

    def _in_support(self, x):
        return bool(np.all((x >= 0) & (x == np.round(x))))
