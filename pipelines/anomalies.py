"""Which examples are scored, and which of them are anomalies."""

import dataclasses

import numpy as np

from pipelines.cli import UsageError, usage
from tfvae import components


@dataclasses.dataclass(frozen=True)
class Group:
    """Examples to score.

    Attributes:
        dataset: A `Dataset`.
        split: Name of a split.
        anomalous: Bools `[num_examples]`, or None where nobody says.
        labels: Ints `[num_examples]`, or None.
    """

    dataset: object
    split: str
    anomalous: np.ndarray | None
    labels: np.ndarray | None


def groups(vae, dataset, split, labels=(), spec=None):
    """Returns the examples to score, a list of `Group`; refuses those that the model can't.

    Args:
        vae: A `VAE`.
        dataset: The `Dataset` of the run.
        split: Name of a split.
        labels: Labels that are anomalies, ints.
        spec: Spec of a data set of anomalies, or None.

    Raises:
        UsageError: If there are no such labels, or the other data are of another kind.
    """
    own = dataset.labels(split)
    if spec is not None:
        other = _other(spec, vae, split)
        if other.binarization != dataset.binarization:
            print(
                f"The AUROC will tell more than anomalies: their binarization is "
                f"`{other.binarization}`, and that of the others `{dataset.binarization}`."
            )
        num, num_other = dataset.num_examples(split), other.num_examples(split)
        return [
            Group(dataset, split, np.zeros(num, bool), own),
            Group(other, split, np.ones(num_other, bool), other.labels(split)),
        ]
    if not labels:
        return [Group(dataset, split, None, own)]
    known = [] if own is None else np.unique(own).tolist()
    missing = [label for label in labels if label not in known]
    if missing or set(known) <= set(labels):
        have = f"has the labels {', '.join(map(str, known))}" if known else "has no labels"
        raise UsageError(
            f"`--anomalous` names labels of the examples, and not all of them. The split {split} "
            f"of `{dataset.spec}` {have}. Received {', '.join(map(str, labels))}."
        )
    return [Group(dataset, split, np.isin(own, labels), own)]


def _other(spec, vae, split):
    from tfvae.datasets import summary, values
    from tfvae.datasets.base import Dataset
    from tfvae.datasets.conditioned import Conditioned

    with usage():
        other = components.build(Dataset, spec)
        other.num_examples(split)
        other.adopt(vae.transform)  # before shapes: categories may be others
        if tuple(other.event_shape) != tuple(vae.event_shape):
            raise UsageError(
                f"`--anomalies` are examples of the shape {tuple(vae.event_shape)}, as those that "
                f"the model knows. Those of `{other.spec}` have {tuple(other.event_shape)}."
            )
        vae.likelihood_layer.check_data(values.filled(summary.first(other, split, 500)))
        vae.likelihood_layer.check_range(*other.value_range())
        return other if vae.condition is None else Conditioned(other, vae.condition)
