"""Pictures as arrays: tiling a batch of images, and writing a PNG file.

Needs numpy and pillow alone, so that programs which run exports without TensorFlow can use it.
"""

import io
import math
import pathlib

import numpy as np
from PIL import Image

from tfvae.files import write_atomically

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with opacity
_LONGER_SIDE = 1200  # pixels: a small picture is enlarged as long as it fits into these,
_LARGEST_SCALE = 8  # and at most so many times


def tile(images, columns=None, padding=1):
    """Lays images out in rows, left to right and top to bottom.

    Args:
        images: Floats `[num, height, width]` or `[num, height, width, channels]` with 1, 3 or 4
            channels; 0 is black and 1 is full, what lies outside is clipped.
        columns: Number of images a row; by default as many as make the whole nearly square.
        padding: Width in pixels of the black line between two images.

    Returns:
        array: uint8 `[rows, columns]` in pixels for grey images, and a last axis of channels for
        images in colour.

    Raises:
        ValueError: If the images have another shape or hold NaN, there are none, or `columns` or
            `padding` is out of range.

    Examples:
        >>> tile(np.ones([4, 2, 2, 1])).tolist()[:3]
        [[255, 255, 0, 255, 255], [255, 255, 0, 255, 255], [0, 0, 0, 0, 0]]
    """
    images = _checked(images)
    num, height, width, channels = images.shape
    columns = _default_columns(images.shape) if columns is None else columns
    if columns < 1 or padding < 0:
        raise ValueError(
            f"`tile` needs at least one column and no negative padding. Received "
            f"columns={columns} and padding={padding}. Leave them out for a square layout."
        )
    rows = -(-num // columns)
    cells = np.zeros([rows * columns, height + padding, width + padding, channels], np.uint8)
    if channels == 4:
        cells[..., 3] = 255
    cells[:num, :height, :width] = to_uint8(images)
    grid = cells.reshape(rows, columns, height + padding, width + padding, channels)
    # [row, column, y, x, channel] -> [row, y, column, x, channel]
    grid = grid.transpose(0, 2, 1, 3, 4)
    grid = grid.reshape(rows * (height + padding), columns * (width + padding), channels)
    grid = grid[: grid.shape[0] - padding, : grid.shape[1] - padding]
    return grid[..., 0] if channels == 1 else grid


def to_uint8(images):
    """Returns floats in [0, 1] as the nearest of 256 levels, uint8; clips what lies outside."""
    return np.rint(255 * np.clip(images, 0.0, 1.0)).astype(np.uint8)


def write_png(array, path, *, scale=None):
    """Writes a picture as a PNG file; the file is either whole or not there.

    Args:
        array: uint8 `[height, width]`, or `[height, width, channels]` with 1, 3 or 4 channels.
        path: Where to write; a file that is there is replaced. Its folder must exist.
        scale: Int: each pixel becomes a square of that many pixels a side. None chooses the
            factor that makes a tiny picture readable, and 1 leaves the picture as it is.

    Raises:
        ValueError: If the array is no picture or `scale` is below 1.
        OSError: If the file can't be written.
    """
    content = png_bytes(array, scale=scale)
    with write_atomically(pathlib.Path(path)) as file:
        file.write(content)


def png_bytes(array, *, scale=None):
    """Returns the content of the PNG file that `write_png` writes.

    Args:
        array: As in `write_png`.
        scale: As in `write_png`.

    Raises:
        ValueError: If the array is no picture or `scale` is below 1.
    """
    array = _checked_picture(array)
    scale = readable_scale(array) if scale is None else scale
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(
            f"`scale` counts whole pixels, so it is an int of at least 1. Received {scale!r}. "
            f"Write `write_png(array, path, scale=2)`, or leave it out."
        )
    content = io.BytesIO()
    Image.fromarray(array.repeat(scale, 0).repeat(scale, 1)).save(content, format="PNG")
    return content.getvalue()


def readable_scale(array):
    """Returns the whole factor by which `write_png` enlarges a picture by default."""
    return min(_LARGEST_SCALE, max(1, _LONGER_SIDE // max(array.shape[:2])))


def _checked(images):
    """Returns images as floats `[num, height, width, channels]`."""
    images = np.asarray(images)
    shape = images.shape
    images = images[..., np.newaxis] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in CHANNELS or 0 in images.shape:
        raise ValueError(
            f"`tile` takes images [num, height, width] or [num, height, width, channels], with "
            f"1 channel (grey), 3 (RGB) or 4 (RGB with opacity). Received shape {shape}. Tile "
            f"one channel at a time with `tile(images[..., :1])`."
        )
    if np.isnan(images).any():
        raise ValueError(
            "`tile` takes images in [0, 1]. Received NaN. Replace them with "
            "`tile(numpy.nan_to_num(images))`, or find out where they come from."
        )
    return images


def _default_columns(shape):
    """Returns the number of columns that comes nearest to a square picture."""
    num, height, width, _ = shape
    return min(num, max(1, math.ceil(math.sqrt(num * height / width))))


def _checked_picture(array):
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in CHANNELS)
    if array.dtype != np.uint8 or not is_picture or 0 in array.shape:
        raise ValueError(
            f"A picture is uint8 [height, width] or [height, width, 3 or 4]. Received "
            f"{array.dtype} of shape {array.shape}. Make one with `tile(images)`."
        )
    return array
