"""tf.data over arrays in memory: in order, or shuffled epoch after epoch."""

import tensorflow as tf


def in_order(examples, batch_size):
    """Returns batches in the order of the array, the last one as short as it comes.

    Args:
        examples: Array `[num, *event]`.
        batch_size: Positive int.

    Returns:
        `tf.data.Dataset` of `[batch, *event]`.
    """
    examples = tf.constant(examples)
    num_batches = _num_batches(examples, batch_size)

    def batch(index):
        return examples[index * batch_size : (index + 1) * batch_size]

    dataset = tf.data.Dataset.range(num_batches).map(batch)
    return dataset.prefetch(tf.data.AUTOTUNE)


def shuffled_epochs(examples, batch_size, seed, start_epoch, prepare=None):
    """Returns endless batches: each epoch all examples once, in an order of its own.

    The order of an epoch and the noise of a batch are functions of (seed, epoch) and
    (seed, step) alone, so a run that starts again at an epoch sees what it would have seen.

    Args:
        examples: Array `[num, *event]`, held in memory once.
        batch_size: Positive int.
        seed: Int.
        start_epoch: Number of the first epoch.
        prepare: Function (batch, seed int32 `[2]`) -> batch, run in parallel; None for none.

    Returns:
        `tf.data.Dataset` of `[batch, *event]`; ceil(num / batch_size) batches an epoch.
    """
    examples = tf.constant(examples)
    num = examples.shape[0]
    num_batches = _num_batches(examples, batch_size)

    def epoch(number):
        # Steps are counted from 0 on and epochs from -1 down: no two draws share a seed.
        key = tf.stack([tf.cast(seed, tf.int64), -1 - number])
        order = tf.random.experimental.stateless_shuffle(tf.range(num), key)

        def batch(index):
            rows = tf.gather(examples, order[index * batch_size : (index + 1) * batch_size])
            if prepare is None:
                return rows
            step = number * num_batches + index
            return prepare(rows, tf.stack([tf.cast(seed, tf.int64), step]))

        batches = tf.data.Dataset.range(num_batches)
        return batches.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    epochs = tf.data.Dataset.counter(start_epoch)
    return epochs.flat_map(epoch).prefetch(tf.data.AUTOTUNE)


def _num_batches(examples, batch_size):
    return -(-examples.shape[0] // batch_size)
