"""The figures that every run gets at the end of training."""

import pathlib

from tfvae import components
from tfvae.figures import images
from tfvae.figures.base import Figure


def render_all(vae, dataset, seed, *, split=None):
    """Draws every figure that says something about this model and data set.

    Args:
        vae: A trained `tfvae.VAE`.
        dataset: Its `Dataset`.
        seed: Int, for the figures that draw from the model.
        split: One of `dataset.splits`; None takes "test", or "validation" without one.

    Returns:
        Dict of name to uint8 `[height, width, 3]`: for `write_all`, and with a batch axis in
        front for `tf.summary.image`.
    """
    figures = (components.build(Figure, name) for name in components.members("figures"))
    return {
        figure.member_name: figure.render(vae, dataset, split=split, seed=seed)
        for figure in figures
        if figure.applies_to(vae, dataset, split)
    }


def undefined_for(vae):
    """Returns the names of the figures that the prior of a model doesn't allow."""
    figures = (components.build(Figure, name) for name in components.members("figures"))
    return [figure.member_name for figure in figures if not figure.is_defined_for(vae)]


def write_all(pictures, directory):
    """Writes pictures as `<directory>/<name>.png`, over those that are there.

    Args:
        pictures: Dict of name to uint8 `[height, width, 3]`, as `render_all` returns it.
        directory: Where to write; made if it isn't there.

    Returns:
        The paths of the files.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        images.write_png(picture, path, scale=1)
    return paths
