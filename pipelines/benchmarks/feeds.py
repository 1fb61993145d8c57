"""tfvae, trained on the same images from memory, from a mapped file and from shards."""

import pathlib

from pipelines import cli
from pipelines.benchmarks import mnist, works
from pipelines.benchmarks.trainers import tfvae_fit

REQUIRES = ("tensorflow",)

_NUM_SHARDS = 8
_NUM_VALIDATION = 100
_SPLITS = f"validation={_NUM_VALIDATION}, test=0"
_RECORDS = "features={'x': 'uint8[28,28,1]'}, " + _SPLITS

#: Where the images come from, and the spec that says so; HERE is the folder.
FEEDS = {
    "memory": f"arrays(path='HERE/x.npy', {_SPLITS}, map_file=False)",
    "mapped file": f"arrays(path='HERE/x.npy', {_SPLITS}, map_file=True)",
    "shards": f"tfrecord(pattern='HERE/plain-*', {_RECORDS}, stream=True)",
    "compressed shards": f"tfrecord(pattern='HERE/gzip-*', {_RECORDS}, stream=True)",
}


class Contestant:
    """A model for each feed, in one process, so that nothing else differs.

    Args:
        work: Fields of the `Work`.
        directory: Where the images are written.
    """

    def __init__(self, work, directory):
        cli.load_tensorflow()
        from tfvae import components
        from tfvae.datasets.base import Dataset

        self._work = works.from_json(work)
        _write(mnist.training_images(self._work.num_images + _NUM_VALIDATION), directory)
        self._runs = {}
        for name, spec in FEEDS.items():
            data = components.build(Dataset, spec.replace("HERE", str(directory)))
            self._runs[name] = [*tfvae_fit.model(data, self._work), data, 0]

    def train(self, feed, epochs):
        """Trains so many epochs more; returns how many examples an epoch has."""
        vae, fed, data, done = self._runs[feed]
        tfvae_fit.fit(vae, fed, done, epochs)
        self._runs[feed][3] += epochs
        return data.num_examples("train")


def _write(images, directory):
    """Writes images, floats in [0, 1], as an array and as shards of their levels."""
    import numpy as np
    import tensorflow as tf

    levels = np.rint(255 * images).astype(np.uint8)
    np.save(pathlib.Path(directory, "x.npy"), levels)
    for kind, compression in (("plain", ""), ("gzip", "GZIP")):
        for shard, part in enumerate(np.array_split(levels, _NUM_SHARDS)):
            path = pathlib.Path(directory, f"{kind}-{shard}")
            with tf.io.TFRecordWriter(str(path), compression) as writer:
                for level in part:
                    writer.write(_message(tf, level.tobytes()))


def _message(tf, data):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    return tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString()
