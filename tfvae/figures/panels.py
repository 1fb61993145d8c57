"""Heat maps side by side on one scale of colours, for events that are no images."""

import dataclasses
import itertools
import math

import matplotlib.colors
import numpy as np

from tfvae.figures import canvas

_WIDTH, _HEIGHT = 1200, 900
_MOST_TICKS = 12  # on an axis


@dataclasses.dataclass(frozen=True)
class Panel:
    """One heat map.

    Attributes:
        values: Floats `[y, x]`; the first row is at the top.
        title: Stands above.
        x_label: What the columns are.
        y_label: What the rows are.
        x_labels: One for each column; by default the index.
        y_labels: One for each row; by default the index. An empty label leaves out the tick.
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
        figure = canvas.new_chart(_WIDTH, _HEIGHT)
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
    axes.tick_params(labelbottom=x, labelleft=y)
    axes.set_xlabel(panel.x_label if x else "")
    axes.set_ylabel(panel.y_label if y else "")


def _ticks(num, labels):
    """Returns positions and labels of a few ticks on an axis of `num` rows or columns.

    Examples:
        >>> _ticks(35, ())
        ([0, 5, 10, 15, 20, 25, 30], ['0', '5', '10', '15', '20', '25', '30'])
        >>> _ticks(3, ("low", "", "high"))
        ([0, 2], ['low', 'high'])
    """
    labels = labels or tuple(map(str, range(num)))
    positions = [position for position in range(num) if labels[position]]
    steps = (factor * 10**power for power in itertools.count() for factor in (1, 2, 5))
    step = next(step for step in steps if len(positions) <= step * _MOST_TICKS)
    return positions[::step], [labels[position] for position in positions[::step]]


def _norm(panels):
    """Returns the scale of colours from the least to the greatest finite value."""
    values = np.concatenate([panel.values.ravel() for panel in panels])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    return matplotlib.colors.Normalize(low, high if high > low else low + 1.0)
