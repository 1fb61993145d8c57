"""Finding what has been published, without TensorFlow."""

import pathlib

from tfvae import components
from tfvae.exporters.base import Exporter


def versions(directory, part):
    """Returns the published versions of a part.

    Args:
        directory: Directory of an export, such as "exported/mnist".
        part: "encoder" or "decoder".

    Returns:
        Dict of format to a dict of version to path, the formats in alphabetical order and the
        versions from old to new; without formats of which there is no version.
    """
    found = {}
    for name in components.members("exporters"):
        exporter = components.build(Exporter, name)
        paths = {
            int(version): exporter.path(directory, part, version)
            for version in _versions(directory, exporter.layout[part])
        }
        if paths:
            found[name] = dict(sorted(paths.items()))
    return found


def needs_tensorflow(format_name):
    """Says whether running a format takes TensorFlow."""
    return components.build(Exporter, format_name).needs_tensorflow


def format_of(path, part):
    """Returns the format that writes a part to a file with the suffix of `path`, or None."""
    for name in components.members("exporters"):
        suffix = pathlib.PurePath(components.build(Exporter, name).layout[part]).suffix
        if suffix and suffix == pathlib.PurePath(path).suffix:
            return name
    return None


def open_part(path, format_name):
    """Opens a published part.

    Args:
        path: Where it lies.
        format_name: Name of its exporter.

    Returns:
        A `Program` of the format's runtime.

    Raises:
        ValueError: If it can't be read.
    """
    try:
        return components.build(Exporter, format_name).open(path)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ValueError(
            f"{path} is damaged, or not of the format {format_name}: {reason}. Export it again "
            f"with `python -m pipelines.export`."
        ) from error


def _versions(directory, layout):
    """Yields the names of the versions of which the part is there."""
    before, after = layout.split("{version}")
    for path in pathlib.Path(directory, before).glob(f"*{after}"):
        name = path.relative_to(pathlib.Path(directory, before)).parts[0]
        if name.isdecimal():
            yield name
