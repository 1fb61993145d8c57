"""What the model makes up."""

import numpy as np

from tfvae.figures import grids, panels, queries
from tfvae.figures.base import GridFigure
from tfvae.options import check_count

_STREAM = 0x73616D70  # of the noise of this figure


class Samples(GridFigure, name="samples"):
    """Means of p(x|z) at codes drawn from the prior.

        z ~ p(z),  E[x | z] of p(x|z)

    The codes follow from the seed, so the same place shows the same code in every run and at
    every epoch. For events that are no images: one heat map, a sample a row.

    Args:
        rows: Number of rows.
        columns: Number of samples a row.

    Raises:
        ValueError: If a count is not a positive int.
    """

    num_needed = 0

    def __init__(self, *, rows=8, columns=8):
        self.rows = check_count("rows", rows)
        self.columns = check_count("columns", columns)

    def grid(self, vae, dataset, split, seed):
        """Returns the samples, row by row in the order of their seeds."""
        from tfvae import noise

        del dataset, split
        seeds = noise.row_seeds(noise.seed_of(_STREAM, seed), self.rows * self.columns)
        means = queries.decode(vae, np.asarray(vae.sample_codes(seeds)))
        return grids.Grid(
            events=means.reshape(self.rows, self.columns, *means.shape[1:]),
            title=f"Samples: E[x | z] at z ~ p(z), seed {seed}",
        )

    def panels(self, grid):
        """Returns all samples in one heat map."""
        events = grids.flat_events(grid)
        return [panels.Panel(events.reshape(-1, events.shape[-1]), "", "element", "sample")]
