"""What a model knows of its training data before the first step."""

import functools
import math

import numpy as np

from tfvae import batches
from tfvae.networks.base import begin_at

# Of the examples whose mean a decoder begins with: enough for two digits of it, few enough to wait.
_MOST_EXAMPLES, _MOST_VALUES = 5000, 2**23


def adapt(vae, dataset, seed):
    """Sets the weights that begin at the data: before the first step, and the same each time.

    Those of a prior that is made of examples, and, where a likelihood's parameters follow from its
    mean, the bias that the decoder ends with: the model begins at the mean of the training data.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        seed: Int; which examples are seen, and their noise, follow from it.
    """
    examples_of = functools.partial(_examples, dataset, seed)
    vae.prior_layer.adapt(examples_of)
    if vae.likelihood_layer.begins_at_mean:
        num = min(_MOST_EXAMPLES, max(1, _MOST_VALUES // math.prod(dataset.event_shape)))
        begin_at(vae.decoder, vae.likelihood_layer.params_at, _mean(examples_of(num)))


def _examples(dataset, seed, num):
    """Returns examples of the training split in a random order, at most `num`."""
    num = min(num, dataset.num_examples("train"))
    return batches.examples(next(iter(dataset.training(num, seed)))).numpy()


def _mean(x):
    """Returns the mean of each element over the examples where it isn't missing, or else 0."""
    known = ~np.isnan(x)
    return x.sum(axis=0, where=known, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
