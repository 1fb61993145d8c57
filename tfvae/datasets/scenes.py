"""Pictures that follow from factors and are drawn where they are read."""

import hashlib
import json
import math

import numpy as np

from tfvae.datasets import rendering
from tfvae.datasets.mapped import Mapped

_SCALES, _REACH = (0.25, 0.42), 0.4  # of a picture 2 wide: no shape touches its border


class Scene:
    """How pictures follow from factors.

    Args:
        size: Side of the pictures in pixels.
        shapes: Names of shapes.
        colors: Number of hues.
        scales: Number of sizes.
        rotations: Number of angles.
        positions: Number of places along an axis.
    """

    def __init__(self, size, shapes, colors, scales, rotations, positions):
        self.size = size
        turn = min(rendering.SHAPES[name].turn for name in shapes)
        places = _spread(-_REACH, _REACH, positions)
        #: What the values of each factor are.
        self.values = {
            "shape": tuple(shapes),
            "color": tuple(map(tuple, rendering.hues(colors).tolist())),
            "scale": _spread(*_SCALES, scales),
            "rotation": tuple(turn * i / rotations for i in range(rotations)),
            "x": places,
            "y": places,
        }
        self.sizes = {name: len(values) for name, values in self.values.items()}
        self.num = math.prod(self.sizes.values())

    def factors(self, indices):
        """Returns the factors of pictures by their indices, a dict of name to ints `[num]`."""
        digits = np.unravel_index(indices, tuple(self.sizes.values()))
        return dict(zip(self.sizes, digits, strict=True))

    def draw(self, factors):
        """Draws pictures of factors; one that is left out has its only value.

        Args:
            factors: Dict of name to ints `[num]`.

        Returns:
            pictures: uint8 `[num, size, size, channels]`.
        """
        num = len(next(iter(factors.values())))
        index = {name: factors.get(name, np.zeros(num, np.int64)) for name in self.sizes}
        value = {
            name: np.array(values, np.float32)[index[name]]
            for name, values in self.values.items()
            if name != "shape"
        }
        covered = rendering.coverage(
            self.values["shape"],
            index["shape"],
            value["scale"],
            value["rotation"],
            np.stack([value["x"], value["y"]], axis=1),
            self.size,
        )
        return rendering.levels(covered, value["color"] if self.sizes["color"] > 1 else None)

    @property
    def channels(self):
        """Numbers of channels of the pictures."""
        return 3 if self.sizes["color"] > 1 else 1

    def digest(self):
        """Returns 64 bits that stand for how pictures follow from factors, a NumPy uint64."""
        said = json.dumps([rendering.VERSION, self.size, self.values])
        return np.frombuffer(hashlib.sha256(said.encode()).digest()[:8], "<u8")[0]


class Pictures:
    """All pictures of a scene, in the place of a uint8 array `[num, size, size, channels]`."""

    dtype = np.dtype(np.uint8)

    def __init__(self, scene):
        self.scene = scene
        self.shape = (scene.num, scene.size, scene.size, scene.channels)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Draws pictures by indices or a slice."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        return self.scene.draw(self.scene.factors(rows))


class Rendered(Mapped):
    """Pictures that are drawn as they are read."""

    bounds = (0.0, 255.0)  # black, and the middle of any shape

    @property
    def digests(self):
        """What stands for each picture, uint64 `[num]`: its factors and how it is drawn."""
        rows = np.arange(len(self)) if self._indices is None else self._indices
        return rows.astype(np.uint64) ^ self._array.scene.digest()


def _spread(low, high, num):
    """Returns so many values from one number to another; a single one is in the middle."""
    values = np.linspace(low, high, num) if num > 1 else np.array([(low + high) / 2])
    return tuple(values.round(12).tolist())  # the same digits on each machine
