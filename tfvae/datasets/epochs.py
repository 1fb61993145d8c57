"""tf.data over arrays in memory: in order, or shuffled epoch after epoch."""

import numpy as np
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
    num_batches = -(-examples.shape[0] // batch_size)

    def batch(index):
        return examples[index * batch_size : (index + 1) * batch_size]

    return tf.data.Dataset.range(num_batches).map(batch).prefetch(2)


def shuffled_blocks(examples, batch_size, num_steps, seed, start_step=0):
    """Returns endless blocks of batches: each epoch all examples once, in an order of its own.

    The order of an epoch is a function of (seed, epoch) alone, so a run that starts again
    at a step sees what it would have seen.

    Args:
        examples: Array `[num, *event]`, held in memory once.
        batch_size: Positive int.
        num_steps: Batches a block.
        seed: Int.
        start_step: Steps that have been taken before.

    Returns:
        `tf.data.Dataset` of `[steps, batch, *event]`, cut as `cut_epoch` says.
    """
    examples = tf.constant(examples)

    def gather(rows):
        return tf.gather(examples, rows)

    return blocks_of(gather, tuple(examples.shape), batch_size, num_steps, seed, start_step)


def blocks_of(read, shape, batch_size, num_steps, seed, start_step):
    """Returns endless blocks of examples that are read by a function.

    Args:
        read: Function int32 rows `[n]` -> examples `[n, *event]`, for tf.data.
        shape: `(num, *event)`.
        batch_size: Positive int.
        num_steps: Batches a block.
        seed: Int.
        start_step: Steps that have been taken before.

    Returns:
        As `shuffled_blocks`.
    """
    num, event_shape = shape[0], np.array(shape[1:], np.int64)
    first, start = divmod(start_step, -(-num // batch_size))

    def epoch(number, start=0):
        key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
        order = tf.random.experimental.stateless_shuffle(tf.range(num), key)

        def gather(cut):
            begin, steps, batch = cut[0], cut[1], cut[2]
            rows = read(order[begin : begin + steps * batch])
            block = tf.reshape(rows, tf.concat([cut[1:3], event_shape], axis=0))
            return tf.ensure_shape(block, (None, None, *event_shape))

        cuts = np.array(cut_epoch(num, batch_size, num_steps, start), np.int64)
        return tf.data.Dataset.from_tensor_slices(cuts).map(
            gather, num_parallel_calls=2, deterministic=True
        )

    later = tf.data.Dataset.counter(first + 1).flat_map(epoch)
    return epoch(first, start).concatenate(later).prefetch(2)


def cut_epoch(num, batch_size, num_steps, start_step=0):
    """Cuts an epoch into blocks: whole ones, the steps that remain, and a last short batch.

    Args:
        num: Number of examples.
        batch_size: Examples a batch.
        num_steps: Batches a block.
        start_step: Steps of the epoch that have been taken before. The borders stay the same, so
            that the same steps share a program.

    Returns:
        List of (first example, steps, examples a batch).

    Examples:
        >>> cut_epoch(num=23, batch_size=5, num_steps=2)
        [(0, 2, 5), (10, 2, 5), (20, 1, 3)]
        >>> cut_epoch(num=23, batch_size=5, num_steps=2, start_step=1)
        [(5, 1, 5), (10, 2, 5), (20, 1, 3)]
    """
    whole, rest = divmod(num, batch_size)
    blocks = []
    for border in range(0, whole, num_steps):
        begin, end = max(border, start_step), min(border + num_steps, whole)
        if begin < end:
            blocks.append((begin * batch_size, end - begin, batch_size))
    if rest:
        blocks.append((whole * batch_size, 1, rest))
    return blocks
