"""One picture of a file as an array of one size, and what had to be done to it."""

import warnings

import numpy as np
from PIL import Image, ImageOps

from tfvae.datasets import memory

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_MOST_BYTES = 16  # of a pixel: four floats
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_ERRORS = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


class UnreadableError(Exception):
    """A file that can't be decoded."""


def decode(path, size, channels):
    """Reads a picture: upright, its middle cut out, resized.

    Args:
        path: Path of a file.
        size: (height, width) to cut to, by ratio, and to resize to.
        channels: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.

    Returns:
        picture: uint8 `[height, width, channels]`.
        done: What had to be done, a set of texts.

    Raises:
        UnreadableError: If the file can't be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on unusual metadata and on huge pictures
            with Image.open(path) as image:
                done, sides = _looked_at(image, path), image.size
                image.draft(None, (2 * size[1], 2 * size[0]))
                image.load()
                upright = ImageOps.exif_transpose(image)
            if "turned" in " ".join(done) and (image.size[0] > image.size[1]) != (
                upright.size[0] > upright.size[1]
            ):
                sides = sides[::-1]
            return _fitted(upright, sides, size, channels, done), done
    except _ERRORS as error:
        reason = "its content is no picture" if "cannot identify" in str(error) else str(error)
        raise UnreadableError(reason.rstrip(".")) from error


def fit(array, size, channels):
    """Does the same for a picture in an array, uint8 `[height, width, 1, 2, 3 or 4]`.

    Raises:
        ValueError: If the array is no picture.
    """
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[-1] not in MODES or array.dtype != np.uint8:
        raise ValueError(
            f"Pictures that are resized are uint8 [height, width, 1 to 4]. Received {array.dtype} "
            f"{list(array.shape)}. Leave `size` out."
        )
    done: set = set()
    image = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    return _fitted(image, image.size, size, channels, done), done


def check_size(size):
    """Returns the option `size` as (height, width)."""
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
        raise ValueError(
            f"`size` is a side in pixels, such as 64, or (height, width). Received {size!r}."
        )
    num_bytes = _MOST_BYTES * sides[0] * sides[1]
    if not memory.fits(num_bytes):
        raise ValueError(
            f"A picture of {sides[0]} x {sides[1]} pixels takes up to {num_bytes:,} bytes as "
            f"floats, more than half of the memory. Choose a smaller `size`."
        )
    return sides


def check_channels(channels):
    """Refuses a number of channels that no picture has."""
    if type(channels) is not int or channels not in MODES:
        raise ValueError(
            f"`channels` is 1 for grey, 2 for grey and opacity, 3 for RGB or 4 for RGB and "
            f"opacity. Received {channels!r}."
        )


def _looked_at(image, path):
    """Returns what is lost before the picture is decoded."""
    done = set()
    if getattr(image, "n_frames", 1) > 1:
        done.add("animated: the first frame was taken")
    if image.format == "PNG":
        with open(path, "rb") as file:
            if file.read(25)[24:] == b"\x10":  # Pillow keeps 16 bits of grey, not of colours
                how = "rounded" if image.mode.startswith("I") else "cut off"
                done.add(f"16 bits a channel were {how} to 8 (`arrays` keeps them all)")
    if image.mode == "CMYK":
        done.add("CMYK was made RGB without its colour profile (convert them first to heed it)")
    if image.getexif().get(0x0112, 1) != 1:
        done.add("turned upright as the camera noted")
    return done


def _fitted(image, sides, size, channels, done):
    width, height = sides  # of the file: `draft` may have decoded fewer pixels
    image = _converted(_with_8_bits(image), channels, done)
    if width * size[0] != height * size[1]:
        done.add("the middle was cut out")
    scale = min(width / size[1], height / size[0])
    if scale != 1:
        done.add("enlarged" if scale < 1 else "made smaller")
    image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(*size, channels)


def _with_8_bits(image):
    """Returns a grey picture of 16 bits, which Pillow would clip, with 8."""
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(np.rint(np.clip(levels, 0, 255)).astype(np.uint8))
    return image


def _converted(image, channels, done):
    if image.mode == "CMYK":
        image = image.convert("RGB")
    has_opacity = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    if has_opacity and channels in (1, 3):
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            done.add("see-through parts were laid on white")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    grey = image.mode in ("1", "L", "LA", "La")
    if grey and channels >= 3:
        done.add("grey was repeated for each colour")
    if not grey and channels < 3:
        done.add("colour was made grey")
    return image.convert(MODES[channels])
