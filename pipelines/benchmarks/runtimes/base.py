"""What a contestant that runs exports promises."""

import abc
import time

import numpy as np

#: The tensor that goes into each part, and the one that comes out.
INPUT = {"encoder": "x", "decoder": "z"}
OUTPUTS = {"encoder": ("mean", "stddev"), "decoder": ("mean",)}


def inputs(part, batch_size, latent_size):
    """Returns the same input for every runtime, float32 `[batch, ...]`."""
    rng = np.random.default_rng(batch_size)
    if part == "encoder":
        return rng.random((batch_size, 28, 28, 1), np.float32)
    return rng.standard_normal((batch_size, latent_size), np.float32)


class Runtime(abc.ABC):
    """Runs the exported encoder and decoder, NumPy in and NumPy out.

    Args:
        directory: Where `exports.write` has put them.
        latent_size: Length of a code.
        threads: Threads that a call may use.
    """

    def __init__(self, directory, latent_size, threads):
        self._latent_size = latent_size
        self._programs = {}
        self.build(directory, threads)

    @abc.abstractmethod
    def build(self, directory, threads):
        """Opens the files."""

    @abc.abstractmethod
    def program(self, part, batch_size):
        """Returns the fastest way to call a part: a function of an array to a list of arrays.

        The arrays are those of `OUTPUTS`, in that order.
        """

    def results(self, part, batch_size):
        """Returns the sum and the largest element of each output, to compare the runtimes by."""
        outputs = self._program(part, batch_size)(inputs(part, batch_size, self._latent_size))
        return [[float(out.sum(dtype=np.float64)), float(out.max())] for out in outputs]

    def latency(self, part, batch_size, seconds):
        """Calls a part again and again for so many seconds.

        Returns:
            Median seconds a call.
        """
        program, x = self._program(part, batch_size), inputs(part, batch_size, self._latent_size)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            began = time.perf_counter()
            program(x)
            times.append(time.perf_counter() - began)
        return float(np.median(times))

    def _program(self, part, batch_size):
        key = part, batch_size
        if key not in self._programs:
            self._programs[key] = self.program(part, batch_size)
        return self._programs[key]
