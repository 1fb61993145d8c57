"""Where the data lies in the latent space."""

import numpy as np
from matplotlib.patheffects import withStroke

from tfvae.evaluation.activity import activity, most_active
from tfvae.figures import canvas, queries
from tfvae.figures.base import Figure, check_latents, check_latents_of
from tfvae.options import check_count

# Colours that stay apart for colour-blind readers: Paul Tol's "muted" scheme, and black.
_PALETTE = (
    *("#cc6677", "#332288", "#ddcc77", "#117733", "#88ccee"),
    *("#882255", "#44aa99", "#999933", "#aa4499", "#000000"),
)
_WIDTH, _HEIGHT = 1000, 900  # pixels
_APART = 0.045  # of the width of the picture: least distance of two written labels
_BINS = 80


class Latents(Figure, name="latents"):
    """The codes of a split, coloured by label.

        E[z | x] of q(z|x),  a point for each example

    Of more than two latents the two most active ones are shown. A single latent is shown as a
    histogram for each label. Data without labels has one colour.

    Args:
        num: Number of examples at most.
        latents: The indices of one or two latents to show instead, or None.

    Raises:
        ValueError: If an option is out of range.
    """

    conditioned_on = None

    def __init__(self, *, num=10000, latents=None):
        self.num = check_count("num", num)
        self.latents = check_latents(latents, most=2)

    def _render(self, vae, dataset, split, seed):
        del seed
        means = queries.codes(vae, dataset, split, self.num)
        latents = self._choose(means)
        check_latents_of(latents, vae.latent_size)
        labels = dataset.labels(split)
        labels = None if labels is None else np.asarray(labels)[: len(means)]
        names = [_axis_label(latent, means) for latent in latents]
        with canvas.style():
            figure = canvas.new_chart(_WIDTH, _HEIGHT)
            axes = figure.add_subplot()
            axes.set_title(f"Codes of {len(means):,} {split} examples: means of q(z|x)")
            if len(latents) == 1:
                _histograms(axes, means[:, latents[0]], labels, names[0])
            else:
                _scatter(figure, axes, means[:, latents], labels, names)
            return canvas.pixels(figure)

    def _choose(self, means):
        if self.latents is not None:
            return list(self.latents)
        return sorted(most_active(means, 2))


def _axis_label(latent, means):
    size = means.shape[1]
    which = f"latent {latent} of {size}" if size > 2 else f"latent {latent}"
    return f"{which} (activity {activity(means)[latent]:.2f})"


def _scatter(figure, axes, points, labels, names):
    """Draws a point for each code, in one order for all labels so that none covers the others."""
    axes.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    axes.set_box_aspect(1)
    axes.set_adjustable("datalim")
    size = float(np.clip(60_000 / len(points), 5, 40))
    look = {"s": size, "linewidths": 0, "alpha": 0.6}
    if labels is None:
        axes.scatter(*points.T, color=_PALETTE[0], **look)
        return
    known = np.unique(labels)
    if len(known) > len(_PALETTE):
        shown = axes.scatter(*points.T, c=labels, cmap="viridis", **look)
        figure.colorbar(shown, ax=axes, label="label", shrink=0.8, aspect=30)
        return
    colours = np.array(_PALETTE)[np.searchsorted(known, labels)]
    axes.scatter(*points.T, c=colours, **look)
    medians = np.stack([np.median(points[labels == label], axis=0) for label in known])
    for label, colour, place in zip(known, _PALETTE, _spread(axes, medians), strict=False):
        axes.scatter([], [], color=colour, s=40, label=str(label))
        _write(axes, place, str(label))
    figure.legend(title="label", loc="outside right center", frameon=False)


def _spread(axes, places):
    """Moves places apart, as little as it takes for labels on them to be readable."""
    least = _APART * max(np.ptp(axes.dataLim.get_points(), axis=0))
    places = places.astype(np.float64)
    for _ in range(50):
        gaps = places[:, np.newaxis] - places  # [label, label, axis]
        distance = np.hypot(*gaps.transpose(2, 0, 1)) + 1e-9
        push = np.where(distance < least, 0.5 * (least - distance) / distance, 0.0)
        places += 0.5 * (push[..., np.newaxis] * gaps).sum(axis=1)
    return places


def _write(axes, point, text):
    """Writes a label on the middle of its codes, readable on any colour."""
    halo = [withStroke(linewidth=3, foreground="white")]
    axes.text(*point, text, fontsize=14, ha="center", va="center", path_effects=halo)


def _histograms(axes, values, labels, name):
    """Draws the density of one latent, a row for each label."""
    labels = np.zeros(len(values), int) if labels is None else labels
    known = np.unique(labels)
    edges = _edges(values.astype(np.float64))
    counts = [np.histogram(values[labels == label], edges, density=True)[0] for label in known]
    tallest = max(count.max() for count in counts)
    for row, count in enumerate(counts):
        colour = _PALETTE[row % len(_PALETTE)]
        heights = 0.95 * count / tallest
        axes.stairs(row + heights, edges, baseline=row, fill=True, color=colour)
    axes.set(xlabel=name, ylabel="density of the codes" if len(known) == 1 else "label")
    axes.set_yticks(np.arange(len(known)), [str(label) for label in known])
    if len(known) == 1:
        axes.set_yticks([])


def _edges(values):
    """Returns edges of bins that hold all values, apart even where there is but one value."""
    low, high = values.min(), values.max()
    return np.linspace(low, high + 1e-6 * max(1.0, abs(low), abs(high)), _BINS + 1)
