"""Shards of TFRecord files that hold `tf.train.Example` messages."""

import numpy as np

from tfvae.datasets import binarization, files, records, values
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.splits import Shares
from tfvae.datasets.stored import Part, StoredDataset


class TFRecord(StoredDataset, name="tfrecord"):
    """TFRecord files of `tf.train.Example`, in one or many shards, compressed or not.

        features={'image': 'image[28,28,1]'}    an encoded PNG, JPEG, GIF or BMP of just that size
        features={'x': 'uint8[28,28,1]'}        the bytes of an array; any dtype but the next two
        features={'x': 'float32[16]'}           a list of floats
        features={'x': 'int64[16]'}             a list of ints

    Several lists are joined to one vector. The files are streamed once, since an order that is
    shuffled over everything needs each example at hand: into memory, or into a cache on disk.

    Args:
        pattern: A file, or a pattern such as 'data/train-*.tfrecord'.
        features: Dict of the name of a feature to its form.
        label: Name of a feature of one int for each example, or None.
        compression: 'gzip', 'zlib' or 'none'; None finds out.
        scale: What values are divided by; None for 255 of uint8 and pictures, 65535 of uint16,
            else 1.
        cache: Folder in which examples are kept and found again; None keeps them in memory.
        binarize: 'none', 'threshold', 'static' or 'dynamic', for values in [0, 1] then.
        validation: Fraction or number of the examples to validate on.
        test: Fraction or number of the examples to test on; None for 0.1, 0 for no test split.
        seed: Which examples are set aside follows from it.

    Raises:
        ValueError: If an option is out of range, a file is damaged, or a record lacks a feature.
        OSError: If a file is not there or may not be read.
    """

    def __init__(
        self,
        *,
        pattern,
        features,
        label=None,
        compression=None,
        scale=None,
        cache=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares, scale = Shares(validation, test, seed), values.check_scale(scale)
        binarization.check_mode(binarize)
        parser = records.Parser(features, label)
        if compression not in (None, "gzip", "zlib", "none"):
            raise ValueError(
                f"`compression` is 'gzip', 'zlib', 'none', or None to find out. Received "
                f"{compression!r}."
            )
        paths = files.matching(pattern, "pattern")
        name = f"The records {pattern}"

        def read(facts):
            facts["notes"] = [note] if (note := values.note(parser.dtype, scale, name)) else []
            for path in paths:
                for block, tags in records.read(path, parser, compression):
                    values.check_whole(block, str(path))
                    yield values.stored(block, scale), tags

        key = ["tfrecord", 1, features, label, compression, scale, [stamp(p) for p in paths]]
        found = gather(read, cache=cache, key=key, name=name)
        labels = None if label is None else np.asarray(found.tags)
        part = Part(found.examples, labels, name, "record {} of all files".format)
        self._divide({"train": part}, shares, binarize=binarize, notes=found.facts["notes"])
