"""What a data set is, in lines of text and as a picture."""

import math
import shlex

from tfvae import components

_NUM, _MOST_VALUES = 10_000, 2**24  # examples that speak for the values, fewer where they are large
_BAR = 40  # characters
_MOST_CLASSES = 12


def some(dataset):
    """Returns the first training examples, float32 `[num, *event_shape]`: what fits into memory."""
    from tfvae.datasets import summary

    num = _MOST_VALUES // math.prod(dataset.event_shape)
    return summary.first(dataset, "train", min(_NUM, max(1, num)))


def likelihoods(dataset, x):
    """Returns which likelihoods have a density for data.

    Args:
        dataset: The `Dataset`.
        x: Some of its examples, NumPy array `[num, *event_shape]`.

    Returns:
        Dict of the name of a likelihood to its spec if it fits, or None, and why.
    """
    import numpy as np

    from tfvae import masking
    from tfvae.datasets import values
    from tfvae.distribution_layers import fitting
    from tfvae.distribution_layers.base import DistributionLayer

    found: dict = {}
    shape, whole = dataset.event_shape, values.filled(x)
    for name, member in components.members("distribution_layers").items():
        try:
            layer, spec = fitting.fit(DistributionLayer, name, shape, whole, dataset.transform)
            if dataset.masks_missing:
                masking.check_independent(layer(np.zeros([1, *layer.params_shape], np.float32)))
                layer.check_missing(x)
        except ValueError as error:
            found[name] = None, f"{name}: {error}"
        else:
            found[name] = str(spec), f"{spec}: {member.summary} Defined for {layer.support}."
    return found


def command(dataset, spec, fits):
    """Returns the command that trains on a data set.

    Args:
        dataset: The `Dataset`.
        spec: Its spec as the user wrote it.
        fits: What `likelihoods` returned.
    """
    words = ["python -m pipelines.train", f"--dataset {_quoted(spec)}"]
    good = {name: fit for name, (fit, _) in fits.items() if fit}
    chosen = [good[name] for name in ("bernoulli", "mixed", "normal", *good) if name in good]
    if chosen:
        words.append(f"--likelihood {_quoted(chosen[0])}")
    shape = dataset.event_shape
    if len(shape) == 3 and min(shape[:2]) >= 8:
        words.append("--network conv")
    if dataset.num_examples("train") < 100:
        words.append(f"--batch-size {dataset.num_examples('train')}")
    return " ".join(words)


def _quoted(spec):
    """Returns a spec as a word of the shell: in double quotes where that does, since it has others.

    Examples:
        >>> print(_quoted("normal"), _quoted("arrays(path='x.npy')"), _quoted("images(path='$x')"))
        normal "arrays(path='x.npy')" 'images(path='"'"'$x'"'"')'
    """
    if shlex.quote(spec) == spec:
        return spec
    return shlex.quote(spec) if set(spec) & set('"$`\\!') else f'"{spec}"'


def on_data(dataset, spec):
    """Returns what an example is, lines of text."""
    low, high = dataset.value_range()
    return [
        f"spec         {spec}",
        f"event shape  {dataset.event_shape}, float32",
        f"values       {low:.6g} to {high:.6g}",
        f"fingerprint  {dataset.fingerprint()}",
    ]


def on_counts(dataset):
    """Yields how many examples each split has, and of which labels."""
    import numpy as np

    for split in dataset.splits:
        line = f"{split:<11}{dataset.num_examples(split):>10,}"
        labels = dataset.labels(split)
        if labels is not None:
            classes, counts = np.unique(labels, return_counts=True)
            pairs = zip(classes[:_MOST_CLASSES], counts[:_MOST_CLASSES], strict=True)
            more = ", ..." if len(classes) > _MOST_CLASSES else ""
            listed = ", ".join(f"{label}: {count:,}" for label, count in pairs)
            line += f"   labels {listed}{more}"
        yield line


def on_copies(dataset):
    """Yields which examples are there twice."""
    count = getattr(dataset, "num_copies", None)
    found = {} if count is None else {key: num for key, num in count().items() if num}
    for key, num in found.items():
        if isinstance(key, tuple):
            yield f"{num:,} examples of {key[1]} are in {key[0]} too: scores on them are too good."
        else:
            yield f"{num:,} examples of {key} are copies of others in it."
    if count is not None and not found:
        yield "No example is there twice, and none is in two splits."


def on_values(facts):
    """Yields the statistics and the histogram of a `summary.Summary`."""
    yield f"mean {facts.mean:.6g}, standard deviation {facts.stddev:.6g}"
    yield f"{facts.num_distinct:,} different values"
    if facts.num_missing:
        yield f"{facts.num_missing:,} values are missing: the likelihood leaves them out"
    if len(facts.constant):
        listed = ", ".join(map(str, facts.constant[:8])) + (", ..." * (len(facts.constant) > 8))
        yield (
            f"{len(facts.constant)} elements of the event never vary ({listed}): a likelihood with "
            f"a scale of its own grows without bound there"
        )
    most = max(facts.counts.max(), 1)
    for count, left, right in zip(facts.counts, facts.edges, facts.edges[1:], strict=False):
        bar = "#" * round(_BAR * count / most)
        yield f"{left:>10.4g} to {right:<10.4g} {count:>12,} {bar}"


def picture(dataset, x):
    """Returns examples side by side: as images, grey from the least to the greatest value.

    Args:
        dataset: The `Dataset`.
        x: Some of its examples, NumPy array `[num, *event_shape]`.

    Returns:
        array: uint8 `[height, width]` or `[height, width, channels]`.
    """
    import numpy as np

    from tfvae.figures import images, panels

    low, high = dataset.value_range()
    shape = dataset.event_shape
    if len(shape) == 3 and shape[-1] == 2:
        x = x[..., :1]
    if len(x.shape) == 3 or (len(x.shape) == 4 and x.shape[-1] in images.CHANNELS):
        within = low >= 0 and high <= 1
        x = x if within else (x - low) / (high - low)
        return images.tile(np.where(np.isnan(x), 0.5, x))  # what is missing is grey
    panel = panels.Panel(x.reshape(len(x), -1), "", "element", "example")
    return panels.draw([panel], f"{dataset.member_name}, examples to train on", "value")
