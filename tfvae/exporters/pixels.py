"""Signatures for images of bytes, with what lies between pixels and examples in the graph.

    encode_image  image uint8 -> the moments of q(z|x)     x = image / 255
    decode_image  z -> image uint8                         image = round(255 mean of p(x|z))

Where the likelihood has no density between 0 and 1, the model has seen black and white alone:
x is rounded then.
"""

import numpy as np
import tensorflow as tf

from tfvae.exporters.base import Endpoint, ExportError

_CHANNELS = (1, 3, 4)


def with_images(vae, endpoints):
    """Returns the endpoints of a model with those for images.

    Args:
        vae: The model; its examples are images in [0, 1].
        endpoints: Dict of part to a tuple of `Endpoint`, the first of which gives the moments.

    Raises:
        ExportError: If the examples are no such images.
    """
    shape = vae.event_shape
    halves = np.full(shape, 0.5, np.float32)
    grey = _has_density(vae.likelihood_layer, halves[np.newaxis])
    if (
        vae.transform is not None
        or len(shape) != 3
        or shape[-1] not in _CHANNELS
        or not _has_density(vae.likelihood_layer, np.stack([0 * halves, 2 * halves]))
    ):
        raise ExportError(
            f"Images of bytes are for examples of shape (height, width, 1, 3 or 4 channels) with "
            f"values in [0, 1]. This model's have the shape {shape} and the likelihood "
            f"`{vae.likelihood_layer.spec}`. Export without `--input uint8`."
        )
    encode, decode = endpoints["encoder"][0].function, endpoints["decoder"][0].function

    def encode_image(image):
        x = tf.cast(image, tf.float32) / 255
        return encode(x if grey else tf.round(x))

    def decode_image(z):
        levels = tf.round(255 * tf.clip_by_value(decode(z)["mean"], 0, 1))
        return {"image": tf.cast(levels, tf.uint8)}

    image = tf.TensorSpec((None, *shape), tf.uint8, "image")
    z = tf.TensorSpec((None, vae.latent_size), tf.float32, "z")
    return {
        "encoder": (*endpoints["encoder"], Endpoint("encode_image", encode_image, (image,))),
        "decoder": (*endpoints["decoder"], Endpoint("decode_image", decode_image, (z,))),
    }


def _has_density(likelihood_layer, x):
    try:
        likelihood_layer.check_data(x)
    except ValueError:
        return False
    return True
