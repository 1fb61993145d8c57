"""The way from one example to another."""

import numpy as np

from tfvae.figures import grids, queries
from tfvae.figures.base import FigureError, GridFigure
from tfvae.options import check_count


class Interpolation(GridFigure, name="interpolation"):
    """Means of p(x|z) on the line between the codes of two examples.

        z = (1 - w) E[z | left] + w E[z | right],  w from 0 to 1

    Each row joins two neighbours in the split: examples 0 and 1, 2 and 3, and so on. The examples
    themselves stand at both ends. For events that are no images: a heat map for each pair. A
    conditional model is given the condition of the left example all along the line.

    Args:
        rows: Number of pairs.
        steps: Number of points on each line, both ends included.

    Raises:
        ValueError: If a count is not a positive int.
    """

    num_needed = 2
    conditioned_on = None

    def __init__(self, *, rows=6, steps=9):
        self.rows = check_count("rows", rows)
        self.steps = check_count("steps", steps)

    def grid(self, vae, dataset, split, seed):
        """Returns a row for each pair: left example, points of the line, right example."""
        del seed
        x = queries.examples(dataset, split, 2 * self.rows)
        x = _paired(x, split)
        z = queries.encode(queries.given(vae, dataset, split, slice(len(x))), x)
        left = np.arange(0, len(x), 2).repeat(self.steps)
        vae = queries.given(vae, dataset, split, left)
        weights = np.linspace(0, 1, self.steps)
        w = weights[:, np.newaxis].astype(np.float32)
        ends = queries.shown(x)
        line = (1 - w) * z[::2, np.newaxis] + w * z[1::2, np.newaxis]  # [pair, step, latent]
        events = np.concatenate(
            [ends[::2, np.newaxis], queries.decode(vae, line), ends[1::2, np.newaxis]], axis=1
        )
        return grids.Grid(
            events=events,
            title=f"Between two {split} examples: E[x | z] at z on the line between their codes",
            row_labels=tuple(f"examples {2 * i}, {2 * i + 1}" for i in range(len(events))),
            column_labels=("left", *(f"{weight:.3g}" for weight in weights), "right"),
            x_label="weight of the right example",
            column_breaks=(1, self.steps + 1),
        )


def _paired(x, split):
    """Returns the examples without the last one of an odd number."""
    if len(x) < Interpolation.num_needed:
        raise FigureError(
            f"`interpolation` joins pairs of examples. Received a split, {split}, of {len(x)}. "
            f"Take a larger one."
        )
    return x[: len(x) // 2 * 2]
