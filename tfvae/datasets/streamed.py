"""Examples that are read from shards anew each epoch: sets that fit neither memory nor a cache.

A shard can only be read from its front to its end, so a shuffle has two parts: the shards come
in an order of their own each epoch, several of them in turns, and what they give fills a buffer,
which is shuffled as a whole. Both follow from (seed, epoch) alone. A buffer that holds everything
shuffles everything; a smaller one mixes the better the more shards there are.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.datasets import gathering, scanning, values
from tfvae.datasets.mapped import OnDisk
from tfvae.datasets.python_calls import numpy_function

_BUFFER_BYTES = 2**26
_GROUP_BYTES = 2**18  # of the records that pass through tf.data at a time
_OPEN = 8  # shards that are read in turns


#: Names a record in messages.
WHERE = "record {} of all files".format


def gather(reader, cache, key, name, buffer):
    """Looks at all records once, and returns them without keeping them.

    Args:
        reader: Reads the files: has `paths`, `kinds`, `blocks` and `decode`, as `records.Reader`.
        cache: Folder that keeps what is found out, or None.
        key: What that depends on, anything that JSON can hold.
        name: Names the source in messages.
        buffer: How many records are shuffled together; None for 64 MB of them.

    Returns:
        The `Streamed` and the tags of all records, int64 `[num]`.

    Raises:
        ValueError: If a file is damaged, or nothing can be learnt from the records.
    """
    found = gathering.gather(
        lambda facts: _look(reader, facts, name), cache=cache, key=key, name=name
    )
    facts = found.facts
    mean = facts["num_bytes"] / len(found.tags)
    buffer = max(1, int(_BUFFER_BYTES / mean)) if buffer is None else buffer
    # A buffer takes several groups of each shard that is open, or it would hold a few shards alone.
    group = int(np.clip(_GROUP_BYTES // mean, 1, max(1, min(256, buffer // (4 * _OPEN)))))
    shards = Shards(reader, np.array(facts["starts"]), group)
    examples = Streamed(
        shards,
        tuple(facts["event_shape"]),
        facts["dtype"],
        bounds=tuple(facts["bounds"]),
        digests=found.examples[:].view([("a", np.uint64), ("b", np.uint64)])[:, 0],
        buffer=buffer,
    )
    return examples, found.tags


def _look(reader, facts, name):
    """Yields the digests of the records as bytes, with their tags, and fills the facts."""
    scan, counts, num_bytes = scanning.Scan(name, WHERE), np.zeros(len(reader.paths), int), 0
    for number, block, tags, size in reader.blocks():
        scan.add(block)
        counts[number] += len(block)
        num_bytes += size
        facts["event_shape"], facts["dtype"] = block.shape[1:], block.dtype.name
        yield values.digests_of(block).view(np.uint8).reshape(len(block), -1), tags
    facts["starts"] = [0, *np.cumsum(counts).tolist()]
    facts["bounds"], facts["num_bytes"] = scan.bounds(), num_bytes


@dataclasses.dataclass(frozen=True)
class Shards:
    """Files of records.

    Attributes:
        reader: As of `gather`.
        starts: Number of the first record of each file, and the number of all, int64.
        group: How many records pass through tf.data at a time.
    """

    reader: Any
    starts: np.ndarray
    group: int


class Streamed(OnDisk):
    """The records of some shards, or some of them.

    Args:
        shards: `Shards`.
        event_shape: Shape of an example.
        dtype: Of the stored examples.
        bounds: The least and the greatest stored value of all records.
        digests: Of each record, as of `values.digests`.
        buffer: How many records are shuffled together.
        rows: Numbers of the records to read, int64 `[num]`, increasing; None for all.
        prepare: As of `prepared`, or None.
    """

    sequential = True

    def __init__(
        self, shards, event_shape, dtype, *, bounds, digests, buffer, rows=None, prepare=None
    ):
        self._shards, self._buffer, self._prepare = shards, buffer, prepare
        self._rows = np.arange(len(digests)) if rows is None else rows
        self._digests, self._stored = digests, np.dtype(dtype)
        self.bounds = bounds
        self.dtype = self._stored if prepare is None else np.dtype(np.float32)
        self.shape = (len(self._rows), *event_shape)

    @property
    def digests(self):
        """Digests of these records, `[num]`."""
        return self._digests[self._rows]

    def take(self, indices):
        """Returns some of the records."""
        return self._copy(self._rows[indices], self._prepare)

    def prepared(self, prepare):
        """Returns the records, each prepared as it is read."""
        return self._copy(self._rows, prepare)

    def in_order(self, batch_size):
        """Returns batches in the order of the files."""
        shards = tf.data.Dataset.range(len(self._shards.reader.paths))
        records = shards.flat_map(self._reader()).rebatch(batch_size)
        return records.map(self._examples).prefetch(1)

    def shuffled_blocks(self, batch_size, num_steps, seed, start_step=0):
        """Returns endless blocks, each epoch in an order of its own."""
        return self._blocks(self._examples, batch_size, num_steps, seed, start_step)

    def pair_blocks(self, values, batch_size, num_steps, seed, start_step=0):
        """Returns the same blocks in pairs: examples, and the rows of an array that are theirs.

        Args:
            values: Array `[num, ...]`, in the order of the records.
            batch_size: As of `shuffled_blocks`.
            num_steps: As of `shuffled_blocks`.
            seed: As of `shuffled_blocks`.
            start_step: As of `shuffled_blocks`.
        """
        rows, values = tf.constant(self._rows, tf.int64), tf.constant(values)

        def decode(serialized, numbers):
            return self._examples(serialized, numbers), tf.gather(
                values, tf.searchsorted(rows, numbers)
            )

        return self._blocks(decode, batch_size, num_steps, seed, start_step)

    def _blocks(self, decode, batch_size, num_steps, seed, start_step):
        """Returns endless blocks of what a function makes of messages and their numbers."""
        first, start = divmod(start_step, -(-len(self) // batch_size))
        read = self._reader()

        def epoch(number, start=0):
            block, step = divmod(start, num_steps)
            records = self._shuffled(read, number, seed, block * num_steps * batch_size)
            return _cut(records, decode, batch_size, num_steps, step)

        later = tf.data.Dataset.counter(first + 1).flat_map(epoch)
        return epoch(tf.constant(first, tf.int64), start).concatenate(later).prefetch(2)

    def _shuffled(self, read, number, seed, start):
        """Returns the records of an epoch from number `start` of their order on, in groups."""
        key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
        shuffle = tf.random.experimental.stateless_shuffle
        num = len(self._shards.reader.paths)
        shards = tf.data.Dataset.from_tensor_slices(shuffle(tf.range(num, dtype=tf.int64), key))
        records = shards.interleave(read, cycle_length=min(_OPEN, num))
        skipped, rest = divmod(start, self._buffer)
        buffers = records.rebatch(self._buffer).enumerate().skip(skipped)

        def mix(index, group):
            own = tf.stack([key[0], key[1] + (index + 1) * 2**32])
            order = shuffle(tf.range(tf.size(group[1])), own)
            order = order[tf.where(index == skipped, rest, 0) :]
            return tuple(tf.gather(part, order) for part in group)

        return buffers.map(mix).prefetch(1)

    def _reader(self):
        """Returns the function of the number of a shard to its records, in groups."""
        reader, group = self._shards.reader, self._shards.group
        paths = tf.constant([str(path) for path in reader.paths])
        kinds, starts = tf.constant(reader.kinds), tf.constant(self._shards.starts, tf.int64)
        chosen = np.zeros([self._shards.starts[-1]], bool)
        chosen[self._rows] = True
        wanted = tf.constant(chosen)

        def read(shard):
            def number(index, serialized):
                first = starts[shard] + index * group
                numbers = first + tf.range(tf.size(serialized, tf.int64))
                keep = tf.gather(wanted, numbers)
                return tf.boolean_mask(serialized, keep), tf.boolean_mask(numbers, keep)

            records = tf.data.TFRecordDataset(paths[shard], kinds[shard])
            return records.batch(group).enumerate().map(number)

        return read

    def _examples(self, serialized, numbers):
        """Returns the examples of records."""
        x = numpy_function(self._decode, [serialized, numbers], self.dtype)
        return tf.ensure_shape(x, [None, *self.shape[1:]])

    def _decode(self, serialized, numbers):
        x = self._shards.reader.decode(serialized)
        return (
            x if self._prepare is None else self._prepare(x, np.searchsorted(self._rows, numbers))
        )

    def _copy(self, rows, prepare):
        return Streamed(
            self._shards,
            self.shape[1:],
            self._stored,
            bounds=self.bounds,
            digests=self._digests,
            buffer=self._buffer,
            rows=rows,
            prepare=prepare,
        )


def _cut(records, decode, batch_size, num_steps, step):
    """Returns the blocks of records, the first of them from a step of it on."""
    groups = records.rebatch(num_steps * batch_size).enumerate()

    def cut(index, group):
        """Returns the steps of a block, and those that a short batch at the end makes."""
        rows = tf.where(index == 0, step * batch_size, 0)
        serialized, numbers = (part[rows:] for part in group)
        whole = tf.size(numbers) // batch_size * batch_size
        blocks = [
            (serialized[:whole], numbers[:whole], batch_size),
            (serialized[whole:], numbers[whole:], tf.size(numbers) - whole),
        ]
        parts = [tf.data.Dataset.from_tensors(b).take(_there(b[1])) for b in blocks]
        return parts[0].concatenate(parts[1])

    def block(serialized, numbers, size):
        def steps(part):
            shape = tf.concat([[-1, size], tf.shape(part)[1:]], axis=0)
            return tf.ensure_shape(tf.reshape(part, shape), (None, None, *part.shape[1:]))

        return tf.nest.map_structure(steps, decode(serialized, numbers))

    return groups.flat_map(cut).map(block, num_parallel_calls=2, deterministic=True)


def _there(numbers):
    """Returns 1 if there are any, else 0."""
    return tf.cast(tf.size(numbers) > 0, tf.int64)
