"""Publish a trained run as an encoder and a decoder: `python -m pipelines.export RUN`."""

import pathlib

import tfvae
from pipelines import cli, runs
from pipelines.cli import Failure, UsageError
from tfvae import components
from tfvae.exporters.base import FORMATS, Exporter, ExportError

_DESCRIPTION = """\
Publish a trained run as an encoder and a decoder that run alone, under the next version.

Every signature is first run in a fresh process, without this project and without Keras, and
compared with the model. Only then the version appears; older versions stay.
"""


def main(argv):
    """Exports as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    run = runs.open_run(given.run)
    directory = pathlib.Path(given.output or default_directory(run.options["dataset"]))
    formats = tuple(given.format or FORMATS)
    check_directory(directory, "--output", formats)
    cli.load_tensorflow()
    publish(run.model(), directory, formats)


def default_directory(dataset):
    """Returns where a model of a data set is exported by default.

    Examples:
        >>> default_directory("mnist(binarize='dynamic')")
        'exported/mnist'
    """
    return f"exported/{components.read(dataset).name}"


def check_directory(directory, option, formats=FORMATS):
    """Refuses a place where nothing can be published, before the work that would end there.

    Args:
        directory: `pathlib.Path` of a directory that need not exist yet.
        option: Name of the option that gave it.
        formats: Specs of exporters.

    Raises:
        UsageError: If it or a folder in it can't be written, or isn't a directory.
    """
    for place in (directory, *_folders(directory, formats)):
        if place.exists() and not place.is_dir():
            raise UsageError(
                f"`{option}` names a directory to publish in, with a folder for each part. {place} "
                f"is a file. Move it away, or choose another place, such as exported/mnist."
            )
        cli.check_writable(place, option)


def _folders(directory, formats):
    """Returns the folders that hold the versions of each part."""
    layouts = [components.build(Exporter, spec).layout.values() for spec in formats]
    names = [layout.partition("/")[0] for listed in layouts for layout in listed]
    return [directory / name for name in dict.fromkeys(names)]


def publish(vae, directory, formats=FORMATS):
    """Publishes a model and prints what has been published.

    Args:
        vae: A `VAE`.
        directory: Directory of the export.
        formats: Specs of exporters.

    Returns:
        The `Publication`.

    Raises:
        Failure: If the export can't be written, or computes something else than the model.
    """
    try:
        publication = tfvae.export(vae, directory, formats)
    except ExportError as error:
        raise Failure(f"Nothing has been exported to {directory}. {error}") from error
    except OSError as error:
        raise Failure(f"{directory} can't be written: {error}.") from error
    print(report(publication, vae.event_shape))
    return publication


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.export", epilog=_listing())
    parser.add_argument("run", metavar="RUN", help="run directory of `pipelines.train`")
    parser.add_argument(
        "--output", metavar="DIR", help="where to publish (default: exported/DATASET)"
    )
    parser.add_argument(
        "--format",
        metavar="SPEC",
        action="append",
        type=cli.spec_of("exporters"),
        help=f"may be given several times (default: {' and '.join(FORMATS)})",
    )
    return parser


def _listing():
    formats = components.members("exporters").values()
    return "formats:\n" + "\n".join(f"  {member}\n      {member.summary}" for member in formats)


def report(publication, event_shape):
    """Returns what to tell the user: what there is now, how large, and how to try it.

    Args:
        publication: A `Publication`.
        event_shape: Shape of the model's examples: what is no image is written as an array.
    """
    from tfvae.figures import grids

    kind = "png" if grids.is_image(event_shape) else "npy"
    sizes = {path: _size(path) for path in publication.paths.values()}
    width = max(len(str(path)) for path in sizes)
    lines = [f"  {path!s:<{width}}  {size / 1e6:8.2f} MB" for path, size in sizes.items()]
    return "\n".join(
        [
            f"Published version {publication.version} of {publication.directory}; every "
            f"signature agrees with the model in a fresh process.",
            *lines,
            f"Try it: python -m pipelines.generate {publication.directory} --output samples.{kind}",
        ]
    )


def _size(path):
    """Returns the bytes of a file, or of all files under a directory."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    cli.run(main)
