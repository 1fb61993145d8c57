"""The family of figures: a trained model and its data, as a picture."""

import abc

from tfvae import components
from tfvae.figures import grids, panels


class FigureError(ValueError):
    """A figure that isn't defined for a model and its data."""


class Figure(components.Component, abc.ABC):
    """A picture of what a trained model does.

    A member overrides `_render`, and `_suits` where it isn't worth a place among the figures that
    every run gets. Members import no TensorFlow when they are loaded, so that an option out
    of range is refused at once. A member that shows examples in rows and columns is a
    `GridFigure`.

    Attributes:
        num_needed: How many examples a split holds at least, for the figure to be defined.
        needs_quantiles: Whether it moves one latent at a time along the prior, which must have
            independent latents then.
        conditioned_on: Of a conditional model, the index of the example of the split whose
            condition the figure is drawn given; None where the figure gives each its own.
    """

    num_needed = 1
    needs_quantiles = False
    conditioned_on: int | None = 0

    @abc.abstractmethod
    def _render(self, vae, dataset, split, seed):
        """Returns the picture; the arguments have been checked."""

    def _suits(self, vae):
        """Says whether the figure says something about models like this one."""
        del vae
        return True

    def applies_to(self, vae, dataset, split=None):
        """Says whether the figure belongs to those that a run gets at the end of training.

        Args:
            vae: The trained model.
            dataset: Its `Dataset`.
            split: The split that would be shown; None takes that of `render`.

        Returns:
            A bool. A figure of which it is False can still be asked for, as far as it is defined.
        """
        split = default_split(dataset) if split is None else split
        enough = dataset.num_examples(split) >= self.num_needed
        return enough and self.is_defined_for(vae) and self._suits(vae)

    def is_defined_for(self, vae):
        """Says whether the prior of a model allows the figure."""
        return vae.prior_layer.has_quantiles or not self.needs_quantiles

    def render(self, vae, dataset, *, split=None, seed=0):
        """Draws the figure; the same model, data and seed give the same bytes.

        Args:
            vae: A trained `tfvae.VAE`.
            dataset: A `Dataset` of the model's event shape.
            split: One of `dataset.splits`; None takes "test", or "validation" without one.
            seed: Int, for the figures that draw from the model.

        Returns:
            picture: uint8 `[height, width, 3]`, RGB.

        Raises:
            FigureError: If the figure isn't defined for this model and split.
            ValueError: If the data set has no such split or another event shape.
        """
        split = default_split(dataset) if split is None else split
        if split not in dataset.splits:
            raise ValueError(
                f"`split` is one of {', '.join(dataset.splits)} in this data set. "
                f"Received {split!r}."
            )
        if tuple(vae.event_shape) != tuple(dataset.event_shape):
            raise ValueError(
                f"A figure shows a model with data of its own kind: examples of shape "
                f"{tuple(vae.event_shape)}. Received a data set of examples of shape "
                f"{tuple(dataset.event_shape)}. Take the data set that the model was trained on."
            )
        return self._render(self._given(vae, dataset, split), dataset, split, seed)

    def _given(self, vae, dataset, split):
        """Returns the model that is drawn: a conditional one given the condition of an example."""
        if vae.condition is None:
            return vae
        if dataset.condition is None:
            raise ValueError(
                f"A figure shows a conditional model with data that have conditions: "
                f"`{vae.condition.spec}`. Received a data set without. Wrap it: "
                f"`Conditioned(dataset, vae.condition)`."
            )
        index = self.conditioned_on
        if index is None or index >= dataset.num_examples(split):
            return vae
        return vae.given(dataset.values(split)[index])


class GridFigure(Figure):
    """A figure of events in rows and columns.

    Images are tiled. Events of other shapes are drawn as heat maps, one row of colours an event.
    A member overrides `grid`, and `panels` where one heat map for each row of the grid isn't the
    way to look at it.
    """

    @abc.abstractmethod
    def grid(self, vae, dataset, split, seed):
        """Returns the `grids.Grid` that the figure shows."""

    def panels(self, grid):
        """Returns the heat maps, a list of `panels.Panel`, for events that are no images."""
        events = grids.flat_events(grid)  # [row, column, element]
        labels = grid.row_labels or ("",) * len(events)
        return [
            panels.Panel(values, title, "element", grid.x_label, y_labels=grid.column_labels)
            for title, values in zip(labels, events, strict=True)
        ]

    def _render(self, vae, dataset, split, seed):
        grid = self.grid(vae, dataset, split, seed)
        if grids.is_image(dataset.event_shape):
            return grids.draw(grid)
        return panels.draw(self.panels(grid), grid.title, "value")


def default_split(dataset):
    """Returns the split that figures show: "test", or "validation" where there is none."""
    return "test" if "test" in dataset.splits else "validation"


def check_latents(latents, most=None):
    """Returns an option that chooses latents: None, or distinct indices, at most `most` of them.

    Examples:
        >>> check_latents((0, 3))
        (0, 3)
        >>> check_latents((0, 0))
        Traceback (most recent call last):
        ValueError: `latents` is None or a tuple of distinct indices...
    """
    if latents is None:
        return None
    indices = tuple(latents) if isinstance(latents, list | tuple) else (latents,)
    good = all(type(index) is int and index >= 0 for index in indices)
    if not good or not 0 < len(set(indices)) == len(indices) <= (most or len(indices)):
        limit = f", at most {most}," if most else ""
        raise ValueError(
            f"`latents` is None or a tuple of distinct indices{limit} from 0 on, such as (0, 1). "
            f"Received {latents!r}."
        )
    return indices


def check_latents_of(latents, latent_size):
    """Refuses indices that the model's codes don't have."""
    if max(latents) >= latent_size:
        raise FigureError(
            f"`latents` names latents of this model: 0 to {latent_size - 1}. Received "
            f"{tuple(latents)}."
        )
