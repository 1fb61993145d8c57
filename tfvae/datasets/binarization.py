"""Making binary images of grey ones: x ~ Bernoulli(pixel / 255)."""

import math

import numpy as np
import tensorflow as tf

from tfvae import noise

MODES = ("none", "threshold", "static", "dynamic")

# The noise of `static`, and of `dynamic` where it is held fixed for validation and test.
_STATIC_SEED = 20131220
# Images that are drawn at once, fewer where they are large: one shape, so XLA compiles once.
_CHUNK, _CHUNK_VALUES = 500, 2**22


def check_mode(mode):
    """Returns `mode` if it is one of `MODES`.

    Raises:
        ValueError: If it is not.
    """
    if mode not in MODES:
        raise ValueError(
            f"`binarize` is one of {', '.join(map(repr, MODES))}: keep the grey values, cut them "
            f"at one half, draw each image once, or draw it anew each epoch. Received {mode!r}."
        )
    return mode


def describe(mode):
    """Says how images are made binary for validation and test, for protocols.

    Examples:
        >>> describe("dynamic")
        "dynamic; in an evaluation drawn once, from seed 20131220 and an example's place in..."
    """
    if mode in ("static", "dynamic"):
        once = f"drawn once, from seed {_STATIC_SEED} and an example's place in the data"
        return f"{mode}; in an evaluation {once}"
    return {"threshold": "threshold; 1 from one half on"}.get(mode, mode)


def fixed(images, mode, places):
    """Prepares images once, with noise that depends on an image's place in the data alone.

    Args:
        images: NumPy array `[num, *event]`, uint8 levels of 0 to 255 or float32 in [0, 1], or NaN,
            which stays.
        mode: One of `MODES`.
        places: Place of each image in the whole data, ints `[num]`, so that splits draw apart.

    Returns:
        float32 NumPy array `[num, *event]`.
    """
    levels = images.dtype == np.uint8
    if mode == "none":
        return images.astype(np.float32) / np.float32(255) if levels else images
    if mode == "threshold":
        cut = (images >= (128 if levels else 0.5)).astype(np.float32)
        return cut if levels else np.where(np.isnan(images), images, cut)
    drawn = np.empty(images.shape, np.float32)
    size = max(1, min(_CHUNK, _CHUNK_VALUES // math.prod(images.shape[1:])))
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        num = len(images[rows])
        chunk = np.zeros([size, *images.shape[1:]], images.dtype)
        keys = np.zeros([size], np.int32)
        chunk[:num], keys[:num] = images[rows], places[rows]
        drawn[rows] = _draw_at(tf.constant(chunk), tf.constant(keys)).numpy()[:num]
    return drawn


def fresh(images, seed):
    """Draws binary images: a pixel is on with its probability, to 2**-17, as 16 bits decide it.

    Args:
        images: Tensor `[batch, *event]`, uint8 levels of 0 to 255 or float32 in [0, 1], or NaN,
            which stays.
        seed: int32 `[batch, 2]`, one seed for each image.

    Returns:
        float32 tensor `[batch, *event]`.
    """
    bits = noise.words16(seed, tuple(images.shape[1:]))
    if images.dtype == tf.uint8:
        # bits / 2**16 < pixel / 255, in whole numbers.
        return tf.cast(bits * 255 < tf.cast(images, tf.int32) * 65536, tf.float32)
    drawn = tf.cast(tf.cast(bits, tf.float32) < images * 65536, tf.float32)
    return tf.where(tf.math.is_nan(images), images, drawn)


@tf.function(jit_compile=True, autograph=False)
def _draw_at(images, places):
    return fresh(images, noise.fold_in(noise.seed_of(_STATIC_SEED), places))
