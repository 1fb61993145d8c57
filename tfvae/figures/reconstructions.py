"""Examples and what the model makes of them."""

import numpy as np

from tfvae.figures import grids, panels, queries
from tfvae.figures.base import GridFigure
from tfvae.options import check_count


class Reconstructions(GridFigure, name="reconstructions"):
    """Examples of the split, each over its reconstruction.

        E[x | z] of p(x|z) at z = E[z | x] of q(z|x)

    Rows alternate: the first examples of the split in their order, and under each one its
    reconstruction. For events that are no images: two heat maps, an example a row.

    Args:
        rows: Number of pairs of rows.
        columns: Number of examples a row.

    Raises:
        ValueError: If a count is not a positive int.
    """

    conditioned_on = None

    def __init__(self, *, rows=4, columns=8):
        self.rows = check_count("rows", rows)
        self.columns = check_count("columns", columns)

    def grid(self, vae, dataset, split, seed):
        """Returns the examples in even rows and the reconstructions in odd rows."""
        del seed
        x = queries.examples(dataset, split, self.rows * self.columns)
        columns = min(self.columns, len(x))
        rows = len(x) // columns
        x = x[: rows * columns]
        vae = queries.given(vae, dataset, split, slice(len(x)))
        reconstructions = queries.decode(vae, queries.encode(vae, x))
        pairs = np.stack([queries.shown(x), reconstructions])  # [2, num, *event]
        pairs = pairs.reshape(2, rows, columns, *x.shape[1:]).swapaxes(0, 1)
        return grids.Grid(
            events=pairs.reshape(2 * rows, columns, *x.shape[1:]),
            title=f"The first {len(x)} {split} examples and their reconstructions E[x | z]",
            row_labels=("original", "reconstruction") * rows,
            row_breaks=tuple(range(2, 2 * rows, 2)),
        )

    def panels(self, grid):
        """Returns all examples side by side with all reconstructions."""
        events = grids.flat_events(grid)
        size = events.shape[-1]
        return [
            panels.Panel(rows.reshape(-1, size), title, "element", "example")
            for rows, title in ((events[::2], "original"), (events[1::2], "reconstruction"))
        ]
