"""A class as condition."""

import math

import numpy as np
import tensorflow as tf

from tfvae.conditions.base import Condition
from tfvae.options import check_count


class Label(Condition, name="label"):
    """The class of an example, one of a few.

        c[i] = 1 if i = label, else 0

    Exports take labels int32 `[batch]`. One that is no class answers NaN there, rather than
    something that looks like an answer.

    Args:
        num_classes: Number of classes, labels 0 to num_classes - 1; None for that of the data.

    Raises:
        ValueError: If `num_classes` is not a positive int.

    References:
        [1] Kingma et al. Semi-supervised learning with deep generative models, eq. 2.
            https://arxiv.org/abs/1406.5298
    """

    dtype = "int32"
    meaning = "the class of the example"

    def __init__(self, *, num_classes=None):
        self._num_classes = None if num_classes is None else check_count("num_classes", num_classes)

    @property
    def shape(self):
        """A number."""
        return ()

    @property
    def size(self):
        """The number of classes."""
        if self._num_classes is None:
            raise ValueError(
                "A model is built for a number of classes. Received the condition `label` without. "
                "Write `label(num_classes=10)`; `--condition label` counts those of the data."
            )
        return self._num_classes

    @property
    def range(self):
        """The labels of all classes."""
        return f"0 to {self.size - 1}"

    def _vector(self, values):
        known = (values >= 0) & (values < self.size)
        damage = tf.where(known, 0.0, math.nan)
        return tf.one_hot(values, self.size) + damage[:, tf.newaxis]

    def _values(self, dataset, split):
        labels = dataset.labels(split)
        if labels is None:
            raise ValueError(
                f"The condition `label` is the label of an example. The data set `{dataset.spec}` "
                f"has no labels. Name them, as in `arrays(..., labels='y')`, or leave out "
                f"`--condition`."
            )
        return labels

    def _fitted(self, splits):
        if self._num_classes is not None:
            return self
        return Label(num_classes=1 + max(int(labels.max()) for labels in splits.values()))

    def _examples(self, num):
        return np.arange(num) % self.size

    def _problem(self, values):
        if values.size and (values.min() < 0 or values.max() >= self.size):
            return (
                f"The labels of the condition `{self.spec}` are {self.range}. Received labels from "
                f"{values.min()} to {values.max()}."
            )
        return None
