"""Making binary images of grey ones: x ~ Bernoulli(pixel / 255)."""

import numpy as np
import tensorflow as tf

from tfvae import noise

MODES = ("none", "threshold", "static", "dynamic")

# The noise of `static`, and of `dynamic` where it is held fixed for validation and test.
_STATIC_SEED = 20131220
_CHUNK = 5000


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


def stored(images, mode, start):
    """Prepares the training images that are held in memory.

    Args:
        images: uint8 NumPy array `[num, *event]`.
        mode: One of `MODES`.
        start: Place of the first image in the whole data.

    Returns:
        uint8 NumPy array `[num, *event]`: grey, or 0 and 1.
    """
    if mode in ("none", "dynamic"):
        return images
    return fixed(images, mode, start).astype(np.uint8)


def prepare(images, mode, seed):
    """Makes of stored training images what a model sees, within the training step.

    Args:
        images: uint8 tensor `[batch, *event]`, as `stored` returns them.
        mode: One of `MODES`.
        seed: int32 `[batch, 2]`, one seed for each image.

    Returns:
        float32 tensor `[batch, *event]`.
    """
    if mode == "dynamic":
        return _draw(images, seed)
    x = tf.cast(images, tf.float32)
    return x * np.float32(1 / 255) if mode == "none" else x


def fixed(images, mode, start):
    """Prepares images once, with noise that depends on an image's place in the data alone.

    Args:
        images: uint8 NumPy array `[num, *event]`.
        mode: One of `MODES`.
        start: Place of the first image in the whole data, so that splits draw apart.

    Returns:
        float32 NumPy array `[num, *event]`.
    """
    if mode == "none":
        return images.astype(np.float32) * np.float32(1 / 255)
    if mode == "threshold":
        return (images >= 128).astype(np.float32)
    chunks = [
        _draw_by_place(tf.constant(images[i : i + _CHUNK]), tf.constant(start + i)).numpy()
        for i in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(chunks)


@tf.function(jit_compile=True, autograph=False)
def _draw_by_place(images, start):
    seed = noise.seed_of(_STATIC_SEED)
    return _draw(images, noise.row_seeds(seed, tf.shape(images)[0], start))


def _draw(images, seed):
    """Draws pixels that are on with probability pixel / 255, to 2**-17: 16 bits decide."""
    bits = noise.words16(seed, tuple(images.shape[1:]))
    # bits / 2**16 < pixel / 255, in whole numbers.
    return tf.cast(bits * 255 < tf.cast(images, tf.int32) * 65536, tf.float32)
