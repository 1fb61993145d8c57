"""What Keras takes from its surroundings while layers are made: precision and initial weights."""

import contextlib
import random

import keras


@contextlib.contextmanager
def precision(policy):
    """Makes Keras build layers with a dtype policy, and leaves the global one as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def initializers_from(seed):
    """Makes Keras draw initial weights from `seed`, and leaves Python's generator as it was.

    Keras initializers without a seed of their own draw one from Python's `random`.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
