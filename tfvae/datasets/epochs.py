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

    return tf.data.Dataset.range(num_batches).map(batch).prefetch(tf.data.AUTOTUNE)


def shuffled_blocks(examples, batch_size, num_steps, seed, start_step=0):
    """Returns endless blocks of batches: each epoch all examples once, in an order of its own.

    The order of an epoch is a function of (seed, epoch) alone, so a run that starts again
    at a step sees what it would have seen.

    Args:
        examples: Array `[num, *event]`, held in memory once.
        batch_size: Positive int.
        num_steps: Batches a block.
        seed: Int.
        start_step: Steps that have been taken before; at the border of a block.

    Returns:
        `tf.data.Dataset` of `[steps, batch, *event]`, cut as `cut_epoch` says.
    """
    examples = tf.constant(examples)
    num = examples.shape[0]
    blocks = np.array(cut_epoch(num, batch_size, num_steps), np.int64)
    event_shape = np.array(examples.shape[1:], np.int64)
    first_epoch, steps_into = divmod(start_step, -(-num // batch_size))

    def epoch(number):
        key = tf.stack([tf.cast(seed, tf.int64), number])
        order = tf.random.experimental.stateless_shuffle(tf.range(num), key)

        def gather(block):
            begin, steps, batch = block[0], block[1], block[2]
            rows = tf.gather(examples, order[begin : begin + steps * batch])
            shape = tf.concat([block[1:3], event_shape], axis=0)
            return tf.ensure_shape(tf.reshape(rows, shape), (None, None, *event_shape))

        done = tf.where(number == first_epoch, tf.constant(steps_into * batch_size, tf.int64), 0)
        cuts = tf.data.Dataset.from_tensor_slices(blocks).filter(lambda block: block[0] >= done)
        return cuts.map(gather, num_parallel_calls=2, deterministic=True)

    return tf.data.Dataset.counter(first_epoch).flat_map(epoch).prefetch(2)


def cut_epoch(num, batch_size, num_steps):
    """Cuts an epoch into blocks: whole ones, the steps that remain, and a last short batch.

    Args:
        num: Number of examples.
        batch_size: Examples a batch.
        num_steps: Batches a block.

    Returns:
        List of (first example, steps, examples a batch).

    Examples:
        >>> cut_epoch(num=23, batch_size=5, num_steps=2)
        [(0, 2, 5), (10, 2, 5), (20, 1, 3)]
    """
    whole, rest = divmod(num, batch_size)
    starts = range(0, whole, num_steps)
    blocks = [(s * batch_size, min(num_steps, whole - s), batch_size) for s in starts]
    return blocks + ([(whole * batch_size, 1, rest)] if rest else [])
