"""Images in rows and columns, labelled, pixel for pixel."""

import dataclasses
import math

import numpy as np

from tfvae.figures import canvas, images

_TARGET = 1200  # pixels: small grids are enlarged by whole factors up to this
_LARGEST_SCALE = 16
_GAP = 4  # pixels of the grid, white, at a break


@dataclasses.dataclass(frozen=True)
class Grid:
    """Events in rows and columns, and what is written around them.

    Attributes:
        events: Floats `[rows, columns, *event_shape]`.
        title: Stands above.
        row_labels: One for each row, or none.
        column_labels: One for each column, or none.
        x_label: What the columns are.
        y_label: What the rows are.
        row_breaks: Indices of the rows that a white gap stands before.
        column_breaks: Indices of the columns that a white gap stands before.
        padding: Width in pixels of the black line between two images.
    """

    events: np.ndarray
    title: str
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()
    x_label: str = ""
    y_label: str = ""
    row_breaks: tuple[int, ...] = ()
    column_breaks: tuple[int, ...] = ()
    padding: int = 1


def is_image(event_shape):
    """Says whether an event is drawn as an image.

    Examples:
        >>> is_image((28, 28, 1)), is_image((28, 28)), is_image((16,)), is_image((8, 8, 2))
        (True, True, False, False)
    """
    rank = len(event_shape)
    return rank == 2 or (rank == 3 and event_shape[-1] in images.CHANNELS)


def flat_events(grid):
    """Returns the events of a grid as vectors, `[rows, columns, elements]`."""
    rows, columns, *event_shape = grid.events.shape
    return grid.events.reshape(rows, columns, math.prod(event_shape))


def draw(grid):
    """Draws a grid of images with its title and labels.

    Every pixel of an image becomes a square of whole pixels, so nothing is blurred.

    Args:
        grid: A `Grid` of images in [0, 1]; what lies outside is clipped.

    Returns:
        picture: uint8 `[height, width, 3]`.
    """
    picture = mosaic(grid)
    scale = max(1, min(_LARGEST_SCALE, _TARGET // max(picture.shape[:2])))
    picture = picture.repeat(scale, 0).repeat(scale, 1)
    height, width, _ = picture.shape
    with canvas.style():
        figure = canvas.new_figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        _label(axes, grid, picture.shape, scale)
        left, top = _make_room(figure, axes, width, height)
        result = canvas.pixels(figure)
    result[top : top + height, left : left + width] = picture
    return result


def mosaic(grid):
    """Returns the images of a grid alone, each pixel once.

    Returns:
        picture: uint8 `[height, width, 3]`.
    """
    rows, columns = grid.events.shape[:2]
    height, width = grid.events.shape[2:4]
    tops = _starts(rows, height, grid.row_breaks, grid.padding)
    lefts = _starts(columns, width, grid.column_breaks, grid.padding)
    picture = np.full([tops[-1] + height, lefts[-1] + width, 3], 255, np.uint8)
    for block_rows in _blocks(rows, grid.row_breaks):
        for block_columns in _blocks(columns, grid.column_breaks):
            events = grid.events[block_rows[0] : block_rows[-1] + 1]
            events = events[:, block_columns[0] : block_columns[-1] + 1]
            block = _tile_rgb(events, grid.padding)
            top, left = tops[block_rows[0]], lefts[block_columns[0]]
            picture[top : top + block.shape[0], left : left + block.shape[1]] = block
    return picture


def _tile_rgb(events, padding):
    """Tiles `[rows, columns, *event_shape]` and returns RGB; opacity stands over white."""
    rows, columns = events.shape[:2]
    flat = events.reshape(rows * columns, *events.shape[2:])
    block = images.tile(flat, columns, padding)
    if block.ndim == 2:
        return np.repeat(block[..., np.newaxis], 3, axis=-1)
    if block.shape[-1] == 4:
        opacity = block[..., 3:] / 255
        return np.rint(block[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return block


def _blocks(num, breaks):
    """Returns the indices 0 to num - 1, split before each break."""
    return [block for block in np.split(np.arange(num), list(breaks)) if block.size]


def _starts(num, size, breaks, padding):
    """Returns where each of `num` images of this size begins, in pixels."""
    gaps = [_GAP - padding if index in breaks else 0 for index in range(num)]
    return [index * (size + padding) + sum(gaps[: index + 1]) for index in range(num)]


def _label(axes, grid, shape, scale):
    """Writes title and labels around the axes, whose units are pixels."""
    axes.set(xlim=(0, shape[1]), ylim=(shape[0], 0), xlabel=grid.x_label, ylabel=grid.y_label)
    axes.set_title(grid.title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    rows, columns, height, width = grid.events.shape[:4]
    lefts = _starts(columns, width, grid.column_breaks, grid.padding)
    tops = _starts(rows, height, grid.row_breaks, grid.padding)
    centres = [scale * (left + width / 2) for left in lefts]
    axes.set_xticks(centres[: len(grid.column_labels)], grid.column_labels)
    centres = [scale * (top + height / 2) for top in tops]
    axes.set_yticks(centres[: len(grid.row_labels)], grid.row_labels)


def _make_room(figure, axes, width, height):
    """Widens a figure by what stands around its axes; returns the left and top of the axes."""
    around = axes.get_tightbbox(figure.canvas.get_renderer())
    left = canvas.MARGIN + math.ceil(max(0, -around.x0))
    right = canvas.MARGIN + math.ceil(max(0, around.x1 - width))
    bottom = canvas.MARGIN + math.ceil(max(0, -around.y0))
    top = canvas.MARGIN + math.ceil(max(0, around.y1 - height))
    whole_width, whole_height = left + width + right, top + height + bottom
    figure.set_size_inches(whole_width / canvas.DPI, whole_height / canvas.DPI)
    axes.set_position(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )
    return left, top
