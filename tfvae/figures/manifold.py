"""The surface that the decoder spans."""

import numpy as np

from tfvae.figures import grids, panels, queries
from tfvae.figures.base import GridFigure, check_latents, check_latents_of
from tfvae.options import check_count

_MOST_ELEMENTS = 16


class Manifold(GridFigure, name="manifold"):
    """Means of p(x|z) over a square of the prior's quantiles.

        z = quantile(u),  u on a regular grid of the open unit square

    Each cell of the grid has the same prior mass, and u is its centre: (i + 1/2) / size. The first
    latent rises from left to right and the second from bottom to top, as in the figure `latents`.
    Other latents stay at the prior's median. A model with one latent, or a choice of one, gives a
    strip. For events that are no images: a heat map over the square for each element, the 16 that
    vary most.

    Args:
        size: Number of points along each side.
        latents: The indices of one or two latents; None takes the two most active ones, in the
            order of their indices.

    Raises:
        ValueError: If an option is out of range, or the latents are dependent under the prior.

    References:
        [1] Kingma and Welling, figure 4. https://arxiv.org/abs/1312.6114
    """

    needs_quantiles = True

    def __init__(self, *, size=20, latents=None):
        self.size = check_count("size", size)
        self.latents = check_latents(latents, most=2)

    def _suits(self, vae):
        """Says whether the square is all of the latent space."""
        return vae.latent_size == 2

    def grid(self, vae, dataset, split, seed):
        """Returns the square, the largest values of the second latent in the first row."""
        del seed
        latents = self._choose(vae, dataset, split)
        check_latents_of(latents, vae.latent_size)
        u = (np.arange(self.size) + 0.5) / self.size
        square = np.full([self.size if len(latents) == 2 else 1, self.size, vae.latent_size], 0.5)
        square[:, :, latents[0]] = u
        if len(latents) == 2:
            square[:, :, latents[1]] = u[::-1, np.newaxis]
        z = queries.quantiles(vae, square)
        return grids.Grid(
            events=queries.decode(vae, z),
            title=_title(vae, latents),
            row_labels=_values(z[:, 0, latents[1]]) if len(latents) == 2 else (),
            column_labels=_values(z[0, :, latents[0]]),
            x_label=f"latent {latents[0]}",
            y_label=f"latent {latents[1]}" if len(latents) == 2 else "",
            padding=0,
        )

    def panels(self, grid):
        """Returns a heat map over the square for each of the elements that vary most."""
        events = grids.flat_events(grid)
        spread = events.std(axis=(0, 1))
        elements = np.sort(np.argsort(-spread, kind="stable")[:_MOST_ELEMENTS])
        labels = (grid.x_label, grid.y_label, grid.column_labels, grid.row_labels)
        return [panels.Panel(events[..., i], f"element {i}", *labels) for i in elements]

    def _choose(self, vae, dataset, split):
        if self.latents is not None:
            return self.latents
        if vae.latent_size <= 2:
            return tuple(range(vae.latent_size))
        return tuple(sorted(queries.most_active(vae, dataset, split, 2)[0]))


def _title(vae, latents):
    rest = ", other latents at its median" if vae.latent_size > len(latents) else ""
    return f"E[x | z] at equally spaced quantiles of the prior{rest}"


def _values(z):
    """Returns labels of a few points, alike from both ends, and empty ones between them."""
    last = len(z) - 1
    inner = round(last / (3 if last % 2 else 4))  # an odd number of points has a middle
    shown = {0, inner, last - inner, last} | ({last // 2} if last % 2 == 0 else set())
    return tuple(f"{value:.2f}" if i in shown else "" for i, value in enumerate(z))
