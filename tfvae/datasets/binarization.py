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


def fixed(images, mode, places):
    """Prepares images once, with noise that depends on an image's place in the data alone.

    Args:
        images: NumPy array `[num, *event]`, uint8 levels of 0 to 255 or float32 in [0, 1].
        mode: One of `MODES`.
        places: Place of each image in the whole data, ints `[num]`, so that splits draw apart.

    Returns:
        float32 NumPy array `[num, *event]`.
    """
    levels = images.dtype == np.uint8
    if mode == "none":
        return images.astype(np.float32) / np.float32(255) if levels else images
    if mode == "threshold":
        return (images >= (128 if levels else 0.5)).astype(np.float32)
    places = np.asarray(places, np.int32)
    chunks = [
        _draw(tf.constant(images[i : i + _CHUNK]), tf.constant(places[i : i + _CHUNK])).numpy()
        for i in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(chunks)


def fresh(images, seed):
    """Draws binary images within a tf.data pipeline.

    16 random bits decide a pixel, so its probability is exact to 2**-17.

    Args:
        images: Tensor `[batch, *event]`, uint8 levels of 0 to 255 or float32 in [0, 1].
        seed: int32 `[2]`.

    Returns:
        float32 tensor `[batch, *event]`.
    """
    flat = tf.reshape(images, [-1])
    num_words = (tf.size(flat) + 1) // 2
    words = tf.random.stateless_uniform([num_words], seed, None, None, tf.uint32)
    bits = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[: tf.size(flat)]
    if images.dtype == tf.uint8:
        # bits / 2**16 < pixel / 255, in whole numbers.
        on = tf.cast(bits, tf.int32) * 255 < tf.cast(flat, tf.int32) * 65536
    else:
        on = tf.cast(bits, tf.float32) < flat * 65536
    return tf.reshape(tf.cast(on, tf.float32), tf.shape(images))


@tf.function(jit_compile=True, autograph=False)
def _draw(images, places):
    seeds = noise.fold_in(noise.seed_of(_STATIC_SEED), places)
    u = noise.uniform(seeds, tuple(images.shape[1:]))
    full = 255.0 if images.dtype == tf.uint8 else 1.0
    return tf.cast(u * full < tf.cast(images, tf.float32), tf.float32)
