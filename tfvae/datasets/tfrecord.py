"""Shards of TFRecord files that hold `tf.train.Example` messages."""

import numpy as np

from tfvae.datasets import files, records, streamed, values
from tfvae.datasets.gathering import gather, stamp
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options


class TFRecord(StoredDataset, name="tfrecord"):
    """TFRecord files of `tf.train.Example`, in one or many shards, compressed or not.

        features={'image': 'image[28,28,1]'}    an encoded PNG, JPEG, GIF or BMP of just that size
        features={'x': 'uint8[28,28,1]'}        the bytes of an array; any dtype but the next two
        features={'x': 'float32[16]'}           a list of floats
        features={'x': 'int64[16]'}             a list of ints

    Several lists are joined to one vector. What is read is kept

        cache=None        in memory: the files are read once
        cache='folder'    in a folder, where the next run finds it; mapped if too large for memory
        stream=True       nowhere: the files are read anew each epoch, with some 30 bytes of memory
                          for a record, and a buffer in which records are shuffled

    A stream is shuffled twice: the files come in an order of their own each epoch, eight of them
    in turns, and then the buffer as a whole. Give it many files, or a buffer for everything.

    Args:
        pattern: A file, or a pattern such as 'data/train-*.tfrecord'.
        features: Dict of the name of a feature to its form.
        label: Name of a feature of one int for each example, or None.
        compression: 'gzip', 'zlib' or 'none'; None finds out.
        scale: What values are divided by; None for 255 of uint8 and pictures, 65535 of uint16,
            else 1.
        cache: Folder in which examples are kept and found again; None keeps them in memory. Of a
            stream it keeps what a first pass found out, so that the next run need not look again.
        stream: Whether the files are read anew each epoch.
        buffer: How many records a stream shuffles together; None for 64 MB of them.
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
        stream=False,
        buffer=None,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, scale, binarize)
        parser = records.Parser(features, label)
        if compression not in (None, "gzip", "zlib", "none"):
            raise ValueError(
                f"`compression` is 'gzip', 'zlib', 'none', or None to find out. Received "
                f"{compression!r}."
            )
        _check_stream(stream, buffer)
        paths = files.matching(pattern, "pattern")
        name = f"The records {pattern}"
        reader = records.Reader(paths, parser, compression, scale)
        key = ["tfrecord", 1, features, label, compression, scale, [stamp(p) for p in paths]]
        if stream:
            examples, tags = streamed.gather(reader, cache, ["stream", *key], name, buffer)
        else:
            found = gather(
                lambda facts: ((block, tags) for _, block, tags, _ in reader.blocks()),
                cache=cache,
                key=key,
                name=name,
                remedy="Or read it anew each epoch: `stream=True`.",
            )
            examples, tags = found.examples, found.tags
        note = values.note(parser.dtype, scale, name)
        labels = None if label is None else np.asarray(tags)
        part = Part(examples, labels, name, streamed.WHERE)
        self._divide({"train": part}, shares, binarize=binarize, notes=[note] if note else [])


def _check_stream(stream, buffer):
    if type(stream) is not bool:
        raise ValueError(f"`stream` is True or False. Received {stream!r}.")
    if buffer is not None and (type(buffer) is not int or buffer < 1):
        raise ValueError(f"`buffer` is a positive int, or None for 64 MB. Received {buffer!r}.")
    if buffer is not None and not stream:
        raise ValueError(
            f"`buffer` is how many records a stream shuffles together. Received buffer={buffer} "
            f"without `stream=True`: add it, or leave `buffer` out, and all are shuffled together."
        )
