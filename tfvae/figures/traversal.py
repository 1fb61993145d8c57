"""What each latent stands for."""

import numpy as np

from tfvae.figures import grids, queries
from tfvae.figures.base import (
    FigureError,
    GridFigure,
    check_latents,
    check_latents_of,
)
from tfvae.options import check_count

_REACH = 3.0  # prior standard deviations to both sides


class Traversal(GridFigure, name="traversal"):
    """Means of p(x|z) while one latent moves and the others stay.

        z_i = quantile_i(Phi(t)),  t from -3 to 3;  the other latents at the prior's median

    Under a Gaussian prior t counts its standard deviations. Rows are latents, the most active
    one at the top, each with its activity. For events that are no images: a heat map a latent.

    Args:
        rows: Number of latents, the most active ones.
        steps: Number of values of each latent.
        latents: Tuple of indices to show instead, or None.
        example: Index of an example of the split whose code the other latents are taken from,
            or None for the prior's median.

    Raises:
        ValueError: If an option is out of range, or the latents are dependent under the prior.

    References:
        [1] Burda et al., section 5.2: activity. https://arxiv.org/abs/1509.00519
    """

    needs_quantiles = True

    def __init__(self, *, rows=10, steps=11, latents=None, example=None):
        self.rows = check_count("rows", rows)
        self.steps = check_count("steps", steps)
        self.latents = check_latents(latents)
        if example is not None and (type(example) is not int or example < 0):
            raise ValueError(
                f"`example` is the index of an example, from 0 on, or None. Received {example!r}."
            )
        self.example = example
        self.conditioned_on = example or 0

    def grid(self, vae, dataset, split, seed):
        """Returns a row for each latent, its values rising from left to right."""
        del seed
        latents, activity = queries.most_active(vae, dataset, split, self.rows)
        latents = latents if self.latents is None else self.latents
        check_latents_of(latents, vae.latent_size)
        stddevs = np.linspace(-_REACH, _REACH, self.steps) if self.steps > 1 else np.zeros(1)
        u = queries.normal_probability(stddevs)
        moved = queries.quantiles(vae, np.repeat(u[:, np.newaxis], vae.latent_size, axis=1))
        z = np.tile(self._origin(vae, dataset, split), (len(latents), self.steps, 1))
        for row, latent in enumerate(latents):
            z[row, :, latent] = moved[:, latent]
        return grids.Grid(
            events=queries.decode(vae, z),
            title=f"One latent at a time: E[x | z], the other latents {self._rest(split)}",
            row_labels=tuple(f"latent {i} ({activity[i]:.2f})" for i in latents),
            column_labels=tuple(f"{t:.2g}" for t in stddevs + 0.0),
            x_label="standard deviations of the prior",
            y_label="latent (activity)",
        )

    def _origin(self, vae, dataset, split):
        """Returns the code that each row departs from, `[latent_size]`."""
        if self.example is None:
            return queries.quantiles(vae, np.full([vae.latent_size], 0.5))
        x = queries.examples(dataset, split, self.example + 1)
        if len(x) <= self.example:
            raise FigureError(
                f"`example` is the index of one of the {len(x)} {split} examples, from 0 on. "
                f"Received {self.example}."
            )
        return queries.encode(vae, x[-1:])[0]

    def _rest(self, split):
        if self.example is None:
            return "at the prior's median"
        return f"as in {split} example {self.example}"
