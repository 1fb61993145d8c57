"""Sides of images on the way down to a code and back up, where they are odd too."""

import math

import keras


def halved(sides, num):
    """Returns the sides of an image, and those after each of `num` halvings, rounded up.

    Examples:
        >>> halved((7, 4), 2)
        [(7, 4), (4, 2), (2, 1)]
    """
    found = [tuple(sides)]
    for _ in range(num):
        found.append(tuple(math.ceil(side / 2) for side in found[-1]))
    return found


def crop(images, sides):
    """Cuts the last row or column where a transposed convolution doubled an odd side."""
    extra = [int(have - want) for have, want in zip(images.shape[1:3], sides, strict=True)]
    return keras.layers.Cropping2D([(0, cut) for cut in extra])(images) if any(extra) else images
