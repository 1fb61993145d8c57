"""Flat shapes, drawn with smooth edges from the factors that they are made of."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

#: Goes up with every change of what is drawn: the fingerprints of rendered data hold it.
VERSION = 1

_PIXELS = 2**20  # at once, so that memory doesn't grow with the number of pictures


@dataclasses.dataclass(frozen=True)
class Shape:
    """A shape about the origin.

    Attributes:
        distance: Function (u, v, scale) -> signed distance of points from its edge, negative
            inside, exact near the edge.
        area: Of the shape with the scale 1.
        turn: The angle after which it looks the same, in radians; 0 if it does after any.
    """

    distance: Callable
    area: float
    turn: float


def coverage(shapes, shape, scale, rotation, centre, size):
    """Draws shapes in a picture that reaches from -1 to 1 along both axes.

        coverage = clip(1/2 - distance / width of a pixel, 0, 1),  at the middle of a pixel

    Args:
        shapes: Names, keys of `SHAPES`.
        shape: Which of them, ints `[num]`.
        scale: Sizes, floats `[num]`, whose dtype is that of all that is computed.
        rotation: Angles in radians, floats `[num]`, from x, to the right, towards y, down.
        centre: x and y, floats `[num, 2]`.
        size: Side of the picture in pixels.

    Returns:
        coverage: Share of each pixel that is covered, `[num, size, size]`, in [0, 1].
    """
    scale = np.asarray(scale)
    covered = np.empty((len(scale), size, size), scale.dtype)
    step = max(1, _PIXELS // size**2)
    for number, name in enumerate(shapes):
        found = np.flatnonzero(np.asarray(shape) == number)
        for start in range(0, len(found), step):
            rows = found[start : start + step]
            covered[rows] = _draw(SHAPES[name], scale[rows], rotation[rows], centre[rows], size)
    return covered


def levels(covered, colour=None):
    """Returns coverage as uint8 pictures: grey `[..., 1]`, or of a colour `[num, 3]`, `[..., 3]`.

    Args:
        covered: `[num, size, size]`, in [0, 1].
        colour: What full coverage looks like on black, floats in [0, 1], or None for white.
    """
    light = covered[..., np.newaxis]
    if colour is not None:
        light = light * colour[:, np.newaxis, np.newaxis].astype(covered.dtype)
    return np.rint(255 * light).astype(np.uint8)


def hues(num):
    """Returns saturated colours that are evenly spread around the circle, `[num, 3]` in [0, 1].

    Examples:
        >>> hues(3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    sixths = 6 * np.arange(num)[:, np.newaxis] / num + [0, 4, 2]
    return np.clip(np.abs(sixths % 6 - 3) - 1, 0, 1)


def _draw(shape, scale, rotation, centre, size):
    ticks = ((np.arange(size) + 0.5) * 2 / size - 1).astype(scale.dtype)
    scale, cos, sin = (a[:, np.newaxis, np.newaxis] for a in (scale, *_direction(rotation)))
    x = ticks[np.newaxis, np.newaxis, :] - centre[:, :1, np.newaxis]  # [num, 1, size]
    y = ticks[np.newaxis, :, np.newaxis] - centre[:, 1:, np.newaxis]  # [num, size, 1]
    distance = shape.distance(cos * x + sin * y, cos * y - sin * x, scale)
    return np.clip(0.5 - distance * (size / 2), 0, 1)


def _direction(rotation):
    return np.cos(rotation), np.sin(rotation)


def _disc(u, v, scale):
    return np.hypot(u, v) - scale


def _square(u, v, scale):
    return np.maximum(np.abs(u), np.abs(v)) - scale


def _triangle(u, v, scale):
    # Of `math`, not of NumPy, whose scalars would make float64 of float32.
    sides = [u * math.cos(a) + v * math.sin(a) for a in (0, 2 * math.pi / 3, 4 * math.pi / 3)]
    return np.maximum(np.maximum(sides[0], sides[1]), sides[2]) - scale / 2


def _ellipse(u, v, scale):
    """Distance to first order, which is what counts within a pixel of the edge."""
    long, short = 1.3 * scale, 0.65 * scale
    radius = np.hypot(u / long, v / short)  # 1 on the edge
    slope = np.hypot(u / long**2, v / short**2)
    # At the centre, where both vanish, any value between the axes is inside.
    ratio = np.divide(radius, slope, out=np.broadcast_to(short, u.shape).copy(), where=slope > 0)
    return (radius - 1) * ratio


def _heart(u, v, scale):
    """A square that stands on its corner, and a disc on each of its two upper sides."""
    half = 0.6 * scale
    p, q = (u - v) * math.sqrt(0.5), (-u - v) * math.sqrt(0.5)  # towards the two discs
    discs = np.minimum(np.hypot(p - half, q), np.hypot(p, q - half)) - half
    return np.minimum(np.maximum(np.abs(p), np.abs(q)) - half, discs)


SHAPES = {
    "square": Shape(_square, 4.0, math.pi / 2),
    "ellipse": Shape(_ellipse, 1.3 * 0.65 * math.pi, math.pi),
    "heart": Shape(_heart, (4 + math.pi) * 0.36, 2 * math.pi),
    "triangle": Shape(_triangle, 0.75 * math.sqrt(3), 2 * math.pi / 3),
    "disc": Shape(_disc, math.pi, 0.0),
}
