"""Calls of TensorFlow side by side, on a CPU.

Between two matrix products a program waits for the slower of its threads. Two programs at once fill
these gaps: on 2 cores they take a fifth less time than one after the other.
"""

import concurrent.futures

import tensorflow as tf

from tfvae.cores import num_cores

_AT_ONCE = 2  # each holds memory of its own


def run(function, items):
    """Yields what a function makes of each item, in their order, working on several at once.

    On an accelerator, and while a function is traced, one at a time. Else in threads of their own,
    which see no gradient tape and no scope of the caller. What is left is cancelled when the
    generator is closed.

    Args:
        function: Takes an item.
        items: Iterable.
    """
    if not tf.executing_eagerly() or _has_accelerator():
        yield from map(function, items)
        return
    with concurrent.futures.ThreadPoolExecutor(min(num_cores(), _AT_ONCE)) as pool:
        # An interruption ends it after the calls that run: those that wait are cancelled.
        yield from pool.map(function, items)


def _has_accelerator():
    return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())
