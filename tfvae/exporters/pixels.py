"""Signatures for images, with what lies between pixels and examples in the graph.

    encode_image  image -> the moments of q(z|x)     x = pixels / 255
    decode_image  z -> image                         pixels = round(255 mean of p(x|z))

An image is `image`, uint8 `[batch, *event_shape]`, or `image_bytes`, string `[batch]`: a PNG file.
By the end of its name TensorFlow Serving knows in REST that it holds bytes: {"b64": "..."} [1].

Where the likelihood has no density between 0 and 1, the model has seen black and white alone:
x is rounded then.

References:
    [1] https://www.tensorflow.org/tfx/serving/api_rest, "Encoding binary values"
"""

import numpy as np
import tensorflow as tf

from tfvae.exporters.base import Endpoint, ExportError

_CHANNELS = (1, 3, 4)


def with_images(vae, endpoints, kind):
    """Returns the endpoints of a model with those for images.

    Args:
        vae: The model; its examples are images in [0, 1].
        endpoints: Dict of part to a tuple of `Endpoint`, the first of which gives the moments.
        kind: "uint8" for arrays, "png" for files.

    Raises:
        ExportError: If the examples are no such images.
    """
    halves = np.full((1, *vae.event_shape), 0.5, np.float32)
    _check(vae, halves, kind)
    grey = _has_density(vae.likelihood_layer, halves)
    encode, decode = endpoints["encoder"][0].function, endpoints["decoder"][0].function

    def encode_levels(levels):
        x = tf.cast(levels, tf.float32) / 255
        return encode(x if grey else tf.round(x))

    def decode_levels(z):
        levels = tf.round(255 * tf.clip_by_value(decode(z)["mean"], 0, 1))
        return tf.cast(levels, tf.uint8)

    z = tf.TensorSpec((None, vae.latent_size), tf.float32, "z")
    encode_image, decode_image = _SIGNATURES[kind](vae.event_shape, encode_levels, decode_levels, z)
    return {
        "encoder": (*endpoints["encoder"], encode_image),
        "decoder": (*endpoints["decoder"], decode_image),
    }


def _of_arrays(shape, encode, decode, z):
    """Returns the endpoints that take and give uint8 arrays."""
    image = tf.TensorSpec((None, *shape), tf.uint8, "image")

    def encode_image(image):
        return encode(image)

    def decode_image(z):
        return {"image": decode(z)}

    return Endpoint("encode_image", encode_image, (image,)), _decoding(decode_image, z)


def _of_files(shape, encode, decode, z):
    """Returns the endpoints that take and give PNG files."""
    image_bytes = tf.TensorSpec((None,), tf.string, "image_bytes")
    pixels = tf.TensorSpec(shape, tf.uint8)

    def read(content):
        return tf.ensure_shape(tf.io.decode_png(content, channels=shape[-1]), shape)

    def encode_image(image_bytes):
        return encode(tf.map_fn(read, image_bytes, fn_output_signature=pixels))

    def decode_image(z):
        return {"image_bytes": tf.io.encode_png(decode(z))}

    def draw(rng, batch):
        levels = rng.integers(0, 256, (batch, *shape), np.uint8)
        return {"image_bytes": tf.io.encode_png(levels).numpy().astype(np.bytes_)}

    encoding = Endpoint("encode_image", encode_image, (image_bytes,), draw)
    return encoding, _decoding(decode_image, z)


def _decoding(function, z):
    return Endpoint("decode_image", function, (z,))


_SIGNATURES = {"uint8": _of_arrays, "png": _of_files}


def _check(vae, halves, kind):
    """Refuses models whose examples are no images with values in [0, 1]."""
    shape = vae.event_shape
    both_ends = np.concatenate([0 * halves, 2 * halves])
    if (
        vae.transform is not None
        or len(shape) != 3
        or shape[-1] not in _CHANNELS
        or not _has_density(vae.likelihood_layer, both_ends)
    ):
        raise ExportError(
            f"Images are for examples of shape (height, width, 1, 3 or 4 channels) with values in "
            f"[0, 1]. This model's have the shape {shape} and the likelihood "
            f"`{vae.likelihood_layer.spec}`. Export without `--input {kind}`."
        )


def _has_density(likelihood_layer, x):
    try:
        likelihood_layer.check_data(x)
    except ValueError:
        return False
    return True
