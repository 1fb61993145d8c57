"""Heat maps side by side on one scale of colours, for events that are no images."""

import dataclasses
import math

import matplotlib.colors
import numpy as np

from tfvae.figures import canvas

_WIDTH, _HEIGHT = 1200, 900
_TICKS = 7  # at most so many on an axis


@dataclasses.dataclass(frozen=True)
class Panel:
    """One heat map.

    Attributes:
        values: Floats `[y, x]`; the first row is at the top.
        title: Stands above.
        x_label: What the columns are.
        y_label: What the rows are.
        x_labels: One for each column; by default the index.
        y_labels: One for each row; by default the index.
    """

    values: np.ndarray
    title: str
    x_label: str
    y_label: str
    x_labels: tuple[str, ...] = ()
    y_labels: tuple[str, ...] = ()


def draw(panels, title, value_label):
    """Draws heat maps on one scale of colours.

    Args:
        panels: List of `Panel`.
        title: Stands above them all.
        value_label: What the colours are.

    Returns:
        picture: uint8 `[height, width, 3]`.
    """
    columns = math.ceil(math.sqrt(len(panels)))
    rows = -(-len(panels) // columns)
    norm = _norm(panels)
    with canvas.style():
        figure = canvas.new_figure(_WIDTH, _HEIGHT, layout="constrained")
        figure.suptitle(title, fontsize=11)
        grid = figure.subplots(rows, columns, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index < len(panels):
                last = index + columns >= len(panels)
                _draw_panel(axes, panels[index], norm, x=last, y=index % columns == 0)
            else:
                axes.set_axis_off()
        mappable = grid[0, 0].images[0]
        figure.colorbar(mappable, ax=grid, label=value_label, shrink=0.8, aspect=30)
        return canvas.pixels(figure)


def _draw_panel(axes, panel, norm, x, y):
    """Draws one heat map, labelled on the outer sides of the whole alone."""
    axes.imshow(panel.values, norm=norm, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.set_title(panel.title)
    axes.spines[:].set_visible(False)
    height, width = panel.values.shape
    axes.set_xticks(*_ticks(width, panel.x_labels))
    axes.set_yticks(*_ticks(height, panel.y_labels))
    axes.set_xlabel(panel.x_label if x else "")
    axes.set_ylabel(panel.y_label if y else "")


def _ticks(num, labels):
    """Returns positions and labels of a few ticks on an axis of `num` rows or columns."""
    positions = np.unique(np.linspace(0, num - 1, min(num, _TICKS)).round().astype(int))
    return positions, [labels[p] if labels else str(p) for p in positions]


def _norm(panels):
    """Returns the scale of colours from the least to the greatest finite value."""
    values = np.concatenate([panel.values.ravel() for panel in panels])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    return matplotlib.colors.Normalize(low, high if high > low else low + 1.0)
