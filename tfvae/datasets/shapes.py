"""Pictures of shapes whose factors are known, every combination of them once."""

import numpy as np

from tfvae.datasets import binarization, rendering, scenes
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options

_SMALLEST = 16  # pixels: below, neighbouring values of a factor look alike
_MOST_VALUES = 64
_MOST_PICTURES = 10**7


class Shapes(StoredDataset, name="shapes"):
    """Pictures of shapes, rendered from every combination of shape, colour, scale, rotation, place.

        picture k = render(values of the factors), the digits of k:
        k = ((((shape * colors + color) * scales + scale) * rotations + rotation)
             * positions + x) * positions + y

    Nothing is stored: pictures are drawn where they are read, so that memory grows by some 50 bytes
    a picture whatever its size. Edges are smooth. Rotations are spread over the angle after which
    one of the shapes looks the same again, so no two pictures are alike, before any binarization.

    `factors(split)` gives the factors of each example, as measures of disentanglement need them.

    Args:
        size: Side of the pictures in pixels, from 16.
        shapes: Names, of 'square', 'ellipse', 'heart', 'triangle', and 'disc' where there is one
            rotation.
        colors: Number of hues, at full saturation on black; 1 for grey pictures of one channel.
        scales: Number of sizes.
        rotations: Number of angles.
        positions: Number of places along x, and along y.
        binarize: 'none', 'threshold', 'static' or 'dynamic'.
        validation: Fraction or number of the pictures to validate on.
        test: Fraction or number of the pictures to test on; None for 0.1, 0 for no test split.
        seed: Which pictures are set aside follows from it; what they show does not.

    Raises:
        ValueError: If an option is out of range.

    Examples:
        >>> dataset = Shapes(size=16, scales=2, rotations=1, positions=3)
        >>> dataset.factor_names
        ('shape', 'scale', 'x', 'y')
        >>> dataset.render([[2, 1, 0, 0]]).shape  # a large heart at the upper left
        (1, 16, 16, 1)

    References:
        [1] Matthey et al. dSprites, whose factors these are. 2017.
            https://github.com/google-deepmind/dsprites-dataset
    """

    def __init__(
        self,
        *,
        size=32,
        shapes=("square", "ellipse", "heart"),
        colors=1,
        scales=6,
        rotations=10,
        positions=16,
        binarize="none",
        validation=0.1,
        test=None,
        seed=0,
    ):
        shares = check_options(validation, test, seed, binarize=binarize)
        shapes = _check(size, shapes, colors, scales, rotations, positions)
        self._scene = scenes.Scene(size, shapes, colors, scales, rotations, positions)
        sizes = self._scene.sizes
        self.factor_names = tuple(name for name, num in sizes.items() if num > 1)
        # Hues lie on a circle, which no line follows.
        self.class_factors = tuple(n for n in ("shape", "color") if n in self.factor_names)
        pictures = scenes.Rendered(scenes.Pictures(self._scene))
        labels = np.arange(len(pictures)) // (len(pictures) // len(shapes))
        part = Part(pictures, labels, "The data set `shapes`")
        self._divide({"train": part}, shares, binarize=binarize)

    @property
    def factor_values(self):
        """What the values of each factor stand for, a dict of its name to names or floats.

        The scale is relative to half of the picture's side, x and y go from its middle to the right
        and down, angles are in radians, colours are (red, green, blue).
        """
        return {name: self._scene.values[name] for name in self.factor_names}

    def factors(self, split):
        """Returns the factors of each example as indices of values, int64 `[num, num_factors]`."""
        self._check_split(split)
        rows = self._scene.factors(self._parts[split].places)
        return np.stack([rows[name] for name in self.factor_names], axis=1)

    def render(self, factors):
        """Draws pictures of any factors, in any order.

        Args:
            factors: Indices of values, ints `[num, num_factors]`, in the order of `factor_names`.

        Returns:
            pictures: float32 `[num, *event_shape]` in [0, 1], before any binarization.

        Raises:
            ValueError: If the factors are none of this data set.
        """
        factors = np.asarray(factors)
        most = [self._scene.sizes[name] for name in self.factor_names]
        good = factors.ndim == 2 and factors.shape[1] == len(most) and factors.dtype.kind in "iu"
        if not good or ((factors < 0) | (factors >= most)).any():
            limits = ", ".join(
                f"{n} below {k}" for n, k in zip(self.factor_names, most, strict=True)
            )
            raise ValueError(
                f"`factors` are rows of whole numbers from 0 on: {limits}. Received "
                f"{factors.tolist() if factors.size <= len(most) else factors.shape}."
            )
        rows = dict(zip(self.factor_names, factors.T, strict=True))
        return self._scene.draw(rows).astype(np.float32) / np.float32(255)

    def examples_of(self, factors, start=0):
        """Renders pictures of any factors and makes them binary as those of the splits are."""
        pictures = self.render(factors)
        # Below zero: the place of no picture in the data.
        places = -1 - np.arange(start, start + len(pictures), dtype=np.int32)
        return binarization.fixed(pictures, self._binarize, places)


def _check(size, shapes, colors, scales, rotations, positions):
    if type(size) is not int or size < _SMALLEST:
        raise ValueError(
            f"`size` is a whole number of pixels, from {_SMALLEST}. Received {size!r}."
        )
    counts = {"colors": colors, "scales": scales, "rotations": rotations, "positions": positions}
    for option, count in counts.items():
        if type(count) is not int or not 0 < count <= _MOST_VALUES:
            raise ValueError(
                f"`{option}` is a number of values from 1 to {_MOST_VALUES}. Received {count!r}."
            )
    given = (shapes,) if isinstance(shapes, str) else shapes
    texts = isinstance(given, tuple | list) and all(isinstance(name, str) for name in given)
    shapes = tuple(given) if texts else ()
    if not shapes or len(set(shapes)) < len(shapes) or not set(shapes) <= set(rendering.SHAPES):
        raise ValueError(
            f"`shapes` are different ones of {', '.join(map(repr, rendering.SHAPES))}. Received "
            f"{given!r}."
        )
    round_ones = [name for name in shapes if not rendering.SHAPES[name].turn]
    if round_ones and rotations > 1:
        raise ValueError(
            f"A {round_ones[0]} looks the same after any rotation. Received shapes={shapes!r} with "
            f"rotations={rotations}. Leave it out, or write `rotations=1`."
        )
    num = len(shapes) * colors * scales * rotations * positions**2
    if num > _MOST_PICTURES:
        raise ValueError(
            f"The factors combine to at most {_MOST_PICTURES:,} pictures. Received "
            f"{num:,}. Lower {', '.join(counts)}."
        )
    return shapes
