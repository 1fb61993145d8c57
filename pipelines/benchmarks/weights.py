"""Initial weights for the peers: those that Keras layers begin with."""

import math

import numpy as np


def glorot(rng, shape):
    """Draws a kernel as Keras does: uniform on +-sqrt(6 / (fan in + fan out)).

    Args:
        rng: NumPy generator.
        shape: (in, out) of a dense layer, (height, width, in, out) of a convolution.

    Returns:
        float32 `shape`.
    """
    area = math.prod(shape[:-2])
    limit = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype(np.float32)
