"""TensorFlow Datasets."""

import dataclasses

import numpy as np

from tfvae.datasets import prepared, values
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.pictures import check_channels, check_size
from tfvae.datasets.stored import Part, StoredDataset, check_options


class TFDS(StoredDataset, name="tfds"):
    """A set of TensorFlow Datasets that has been prepared, or that may be downloaded.

    Looks for prepared data first, and asks the network for nothing unless `download=True`. A set of
    a builder of your own is found like any other once it is prepared; to prepare it here, name
    the module that defines it. The splits `train`, `validation` and `test` of the set are kept.
    Needs tensorflow-datasets: `pip install 'tfvae[tfds]'`.

    Args:
        name: Name of the set, such as 'mnist', 'cifar10:3.0.2' or 'my_set/config:1.0.0'; or the
            folder of one prepared version, with its `dataset_info.json`.
        data_dir: Folder of prepared sets; None for the usual one, `~/tensorflow_datasets`.
        key: Name of the feature to learn; None takes the picture, or the only array of numbers.
        label: Name of the feature of int labels; None takes 'label' where there is one.
        size: Side in pixels, or (height, width), to which pictures are cut and resized; None
            leaves them as they are, which must then be of one size.
        channels: Channels of resized pictures: 1, 2, 3 or 4.
        download: Whether a set that is not there is downloaded and prepared.
        module: Python package that defines the builder, if it is your own; None for none.
        scale: What values are divided by; None for 255 of uint8, 65535 of uint16, else 1.
        cache: Folder in which examples are kept and found again; None keeps them in memory.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for values in [0, 1] then.
        validation: Fraction or number of the training examples to validate on.
        test: Fraction or number to test on, where the set has no test split; 0 for none.
        seed: Which examples are set aside follows from it.

    Raises:
        ValueError: If an option is out of range, or the set has no such feature.
        OSError: If the set is not there and can't be downloaded, or the package is missing.
    """

    def __init__(
        self,
        *,
        name,
        data_dir=None,
        key=None,
        label=None,
        size=None,
        channels=3,
        download=False,
        module=None,
        scale=None,
        cache=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        size = None if size is None else check_size(size)
        check_channels(channels)
        builder = prepared.find(name, data_dir, download, module)
        key, label = prepared.features(builder, key, label)
        splits, left_out = prepared.splits(builder)
        title = f"The set {builder.info.full_name}"
        reader = prepared.Reader(builder, key, label, size, channels, title)

        def read(facts):
            facts["lengths"] = {}
            for split, source in splits.items():
                num = 0
                for block, tags in reader.read(source):
                    num += len(block)
                    facts["dtype"] = block.dtype.name
                    values.check_whole(block, title)
                    yield values.stored(block, scale), tags
                facts["lengths"][split] = num
            facts["done"] = reader.done()

        stamps = [stamp(path) for path in prepared.files_of(builder)]
        options = [key, label, size, channels, scale, splits, stamps]
        found = gather(read, cache=cache, key=["tfds", 1, *options], name=title)
        note = values.note(np.dtype(found.facts["dtype"]), scale, title)
        self._divide(
            _parts(found, label, title),
            shares,
            binarize=binarize,
            notes=[*filter(None, [note, left_out]), *found.facts["done"]],
        )


def _parts(found, label, title):
    """Returns the splits of a set, which have been gathered one after the other."""
    labels = None if label is None else np.asarray(found.tags)
    whole = Part(found.examples, labels, title)
    parts, start = {}, 0
    for split, num in found.facts["lengths"].items():
        part = whole.take(np.arange(start, start + num))
        parts[split] = dataclasses.replace(part, name=f"{title}, {split}")
        start += num
    return parts
