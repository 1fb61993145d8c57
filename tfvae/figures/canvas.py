"""Matplotlib without its global state: a figure in, an array of pixels out.

The object interface with the Agg canvas needs no display and leaves a user's own figures and
settings alone; the settings of the machine don't change the picture either.
"""

import contextlib

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# A power of two, so that whole pixels are exact in inches.
DPI = 128

MARGIN = 14  # pixels around everything

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextlib.contextmanager
def style():
    """Holds matplotlib to one look while figures are made and drawn."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def new_figure(width, height):
    """Returns an empty figure of so many pixels, with a canvas."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def new_chart(width, height):
    """Returns a figure of so many pixels that finds room for its titles and labels by itself."""
    figure = new_figure(width, height)
    figure.set_layout_engine("constrained", h_pad=MARGIN / DPI, w_pad=MARGIN / DPI)
    return figure


def pixels(figure):
    """Draws a figure.

    Returns:
        array: uint8 `[height, width, 3]`.
    """
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]
