"""What the model makes up."""

import numpy as np

from tfvae.figures import grids, panels, queries
from tfvae.figures.base import GridFigure
from tfvae.options import check_count

_STREAM = 0x73616D70  # of the noise of this figure
_MOST_ROWS = 20


class Samples(GridFigure, name="samples"):
    """Means of p(x|z) at codes drawn from the prior.

        z ~ p(z),  E[x | z] of p(x|z)

    The codes follow from the seed, so the same place shows the same code in every run and at
    every epoch. For events that are no images: one heat map, a sample a row. A conditional model
    has a row for each condition in the split, up to 20 of them, the same codes in each row where
    the prior doesn't depend on it.

    Args:
        rows: Number of rows, of a model without a condition.
        columns: Number of samples a row.

    Raises:
        ValueError: If a count is not a positive int.
    """

    num_needed = 0
    conditioned_on = None

    def __init__(self, *, rows=8, columns=8):
        self.rows = check_count("rows", rows)
        self.columns = check_count("columns", columns)

    def grid(self, vae, dataset, split, seed):
        """Returns the samples, row by row in the order of their seeds."""
        from tfvae import noise

        rows, row = self.rows, np.arange(self.rows * self.columns)
        labels: tuple = ()
        if vae.condition is not None:
            known = _spread(np.unique(dataset.values(split), axis=0))
            rows, row = len(known), np.tile(np.arange(self.columns), len(known))
            labels = tuple(f"given {value}" for value in known.tolist())
            vae = vae.given(np.repeat(known, self.columns, axis=0))
        # The noise of a place follows from its number: within its row, for a conditional model.
        seeds = noise.fold_in(noise.seed_of(_STREAM, seed), row)
        means = queries.decode(vae, np.asarray(vae.sample_codes(seeds)))
        return grids.Grid(
            events=means.reshape(rows, self.columns, *means.shape[1:]),
            title=f"Samples: E[x | z] at z ~ p(z), seed {seed}",
            row_labels=labels,
        )

    def panels(self, grid):
        """Returns all samples in one heat map."""
        events = grids.flat_events(grid)
        return [panels.Panel(events.reshape(-1, events.shape[-1]), "", "element", "sample")]


def _spread(values):
    """Returns values, or some of them from the first to the last if there are many."""
    if len(values) <= _MOST_ROWS:
        return values
    return values[np.linspace(0, len(values) - 1, _MOST_ROWS).round().astype(int)]
