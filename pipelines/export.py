"""Publish a trained run as an encoder and a decoder: `python -m pipelines.export RUN`."""

import os
import pathlib

import tfvae
from pipelines import cli, runs
from pipelines.cli import Failure, UsageError, usage
from pipelines.evaluate import REPORT, read_reports
from tfvae import components
from tfvae.exporters import gates
from tfvae.exporters.base import FORMATS, Exporter, ExportError
from tfvae.lazy import numpy as np

_NUM_SAMPLES = 64  # in the picture of the model card
_NUM_EXAMPLES = 256  # for formats that are calibrated on data

_DESCRIPTION = """\
Publish a trained run as an encoder and a decoder that run alone, under the next version.

Every file is first read for defects, and every signature run in fresh processes, without this
project and without Keras, and compared with the model. Only then the version appears, with a
manifest, a model card and golden requests; older versions stay, unless --keep says otherwise.
"""


def main(argv):
    """Exports as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    run = runs.open_run(given.run)
    directory = pathlib.Path(given.output or default_directory(run.options["dataset"]))
    formats = tuple(_with_input(spec, given.input) for spec in given.format or FORMATS)
    with usage():
        check_directory(directory, "--output", formats)
    reports = read_reports(run.directory / REPORT)
    cli.load_tensorflow()
    vae = run.model()
    publish(
        vae,
        directory,
        formats,
        provenance=provenance_of(vae, run.options, reports, **_examples(run, formats)),
        gates=gates_of(given),
        keep=given.keep,
    )


def _with_input(spec, name):
    """Returns the spec of a format with the kind of input, where the format has a choice."""
    read = components.read(spec)
    if name is None or "input" not in components.members("exporters")[read.name].options:
        return spec
    return str(components.Spec(read.name, {**read.options, "input": name}))


def add_conditions(parser):
    """Adds the options of a publication: what it takes to publish, and what stays.

    Args:
        parser: A `cli.Parser`.
    """
    parser.add_argument(
        "--require",
        metavar="RULE",
        action="append",
        type=_requirement,
        default=[],
        help="publish only what reaches it, such as 'elbo >= -104'; may be given several times",
    )
    parser.add_argument(
        "--max-regression",
        metavar="NATS",
        type=cli.non_negative_float,
        help="publish only what is not worse than the last published by more than so many nats",
    )
    parser.add_argument(
        "--keep",
        metavar="N",
        type=cli.positive_int,
        help="remove older versions than the newest N, but for those that a label of "
        "serving/models.config names (default: all stay)",
    )


def gates_of(given):
    """Returns the gates that the options of `add_conditions` ask for."""
    limits = [] if given.max_regression is None else [gates.MaxRegression(given.max_regression)]
    return [*given.require, *limits]


def conditions_of(given):
    """Returns the options of `add_conditions` that were given, as words for a command."""
    words = []
    for rule in given.require:
        words += ["--require", f"'{rule.metric} {rule.comparison} {rule.bound!r}'"]
    if given.max_regression is not None:
        words += ["--max-regression", f"{given.max_regression!r}"]
    if given.keep is not None:
        words += ["--keep", f"{given.keep}"]
    return words


def provenance_of(vae, options, reports, examples=None, conditions=None):
    """Returns where a model comes from, for its manifest and its model card.

    Args:
        vae: A `VAE`.
        options: The options of the run.
        reports: Its evaluations, the newest last.
        examples: Rows of its data, for formats that are calibrated.
        conditions: The values of their condition, for a conditional model.

    Returns:
        A `Provenance`.
    """
    from tfvae.exporters.manifest import Provenance

    return Provenance(
        options=options,
        dataset=options["dataset"],
        fingerprint=reports[-1]["protocol"].get("fingerprint") if reports else None,
        evaluations=reports,
        samples=_samples(vae),
        examples=examples,
        conditions=conditions,
    )


def _examples(run, formats):
    """Returns rows of the training data as they came and their conditions, for `provenance_of`.

    Nothing where no format asks for them.
    """
    if not any(components.build(Exporter, spec).needs_examples for spec in formats):
        return {}
    dataset = run.dataset()
    num = min(_NUM_EXAMPLES, dataset.num_examples("train"))
    batch = next(iter(dataset.training(num)))  # shuffled: the first rows of a file are often alike
    x, known = (batch, None) if dataset.condition is None else batch
    rows = x if dataset.transform is None else dataset.transform.decode(x, whole=True)
    return {"examples": rows.numpy(), "conditions": None if known is None else known.numpy()}


def _samples(vae):
    """Returns a picture of new examples as the bytes of a PNG file; None if they are no images."""
    from tfvae import noise
    from tfvae.figures import images

    shape = vae.event_shape
    if vae.transform is not None or len(shape) != 3 or shape[-1] not in images.CHANNELS:
        return None
    seeds = noise.row_seeds(noise.seed_of(noise.Stream.SAMPLE, vae.seed), _NUM_SAMPLES)
    known = None if vae.condition is None else vae.condition.examples(_NUM_SAMPLES)
    means = vae.generate(seeds, known)["mean"].numpy()
    return images.png_bytes(images.tile(means)) if np.isfinite(means).all() else None


def _requirement(text):
    try:
        return gates.Requirement.read(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


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
        if os.path.exists(place) and not os.path.isdir(place):
            raise UsageError(
                f"`{option}` names a directory to publish in, with a folder for each part. {place} "
                f"is a file. Move it away, or choose another place, such as exported/mnist."
            )
        cli.check_writable(place, option)


def _folders(directory, formats):
    """Returns the folders that hold the versions of each part, and what lies beside them."""
    exporters = [components.build(Exporter, spec) for spec in formats]
    layouts = [layout for exporter in exporters for layout in exporter.layout.values()]
    beside = ["releases", *(name for exporter in exporters for name in exporter.beside)]
    names = [*(layout.partition("/")[0] for layout in layouts), *beside]
    return [directory / name for name in dict.fromkeys(names)]


def publish(vae, directory, formats=FORMATS, **conditions):
    """Publishes a model and prints what has been published.

    Args:
        vae: A `VAE`.
        directory: Directory of the export.
        formats: Specs of exporters.
        **conditions: `provenance`, `gates` and `keep` of `tfvae.export`.

    Returns:
        The `Publication`.

    Raises:
        Failure: If the export can't be written, computes something else than the model, or a gate
            refuses it; or if it is published, and what follows failed.
    """
    from tfvae.exporters.publication import FollowUpError

    try:
        publication = tfvae.export(vae, directory, formats, **conditions)
    except gates.GateError as error:
        reasons = directory / "releases" / "refused" / "manifest.json"
        raise Failure(
            f"Nothing has been exported to {directory}. {error} {reasons} holds the reasons."
        ) from error
    except FollowUpError as error:
        raise Failure(str(error)) from error
    except ExportError as error:
        raise Failure(f"Nothing has been exported to {directory}. {error}") from error
    except OSError as error:
        raise Failure(f"{directory} can't be written: {error}.") from error
    print(report(publication, vae.event_shape, vae.condition))
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
    parser.add_argument(
        "--input",
        choices=("float32", "uint8", "png"),
        help="uint8 and png add signatures for images, encode_image and decode_image, to "
        "saved_model: as arrays, or as PNG files (default: float32 alone)",
    )
    add_conditions(parser)
    return parser


def _listing():
    formats = components.members("exporters").values()
    return "formats:\n" + "\n".join(f"  {member}\n      {member.summary}" for member in formats)


def report(publication, event_shape, condition=None):
    """Returns what to tell the user: what there is now, how large, and how to try it.

    Args:
        publication: A `Publication`.
        event_shape: Shape of the model's examples: what is no image is written as an array.
        condition: The `Condition` of the model, or None.
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
            f"Manifest, model card and golden requests: {publication.release}",
            f"Try it: python -m pipelines.generate {publication.directory}{_given(condition)} "
            f"--output samples.{kind}",
        ]
    )


def _given(condition):
    """Returns the option that gives a condition to `pipelines.generate`, or nothing."""
    if condition is None:
        return ""
    (value,) = condition.examples(1).tolist()
    shown = str(value) if not condition.shape else ",".join(f"{number:g}" for number in value)
    return f" {'--condition' if condition.shape else '--label'} {shown}"


def _size(path):
    """Returns the bytes of a file, or of all files under a directory."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    cli.run(main)
