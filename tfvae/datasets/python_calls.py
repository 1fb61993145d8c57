"""Calls of Python within `tf.data`, which must have ended when the interpreter does.

A thread of TensorFlow that waits for the interpreter while it shuts down is never heard of again,
and the iterator that the thread works for waits for it: the process would hang. So before that,
calls that are under way are waited for, and later ones fail at once.
"""

import atexit
import functools
import threading
import time

import tensorflow as tf

_QUIET = 0.1  # seconds without a call after which none is on its way
_MOST = 30  # seconds to wait for a call that takes long


class _Calls:
    def __init__(self):
        self.lock = threading.Lock()
        self.under_way, self.last, self.closing = 0, 0.0, False

    def count(self, change):
        with self.lock:
            self.under_way += change
            self.last = time.monotonic()

    def close(self):
        """Waits until no call is under way and none follows."""
        self.closing, began = True, time.monotonic()
        if not self.last:
            return
        while self.under_way or time.monotonic() - max(self.last, began) < _QUIET:
            if time.monotonic() - began > _MOST:
                return
            time.sleep(_QUIET / 10)


_calls = _Calls()
atexit.register(_calls.close)


def numpy_function(function, inputs, dtype):
    """Makes a tensor by a NumPy function without state, as `tf.numpy_function` does.

    Args:
        function: Arrays -> array.
        inputs: List of tensors.
        dtype: Of the result.

    Returns:
        Tensor of unknown shape.
    """

    @functools.wraps(function)
    def call(*arrays):
        _calls.count(1)
        try:
            if _calls.closing:
                raise RuntimeError("Python is shutting down.")
            return function(*arrays)
        finally:
            _calls.count(-1)

    return tf.numpy_function(call, inputs, dtype, stateful=False)
