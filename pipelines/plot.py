"""Draws a figure of a finished run."""

import re

from pipelines import cli, outputs, runs
from pipelines.cli import Failure, UsageError
from tfvae import components

FOLDER = "figures"


def main(arguments):
    """Runs the program.

    Args:
        arguments: List of strings, the command line without the program's name.
    """
    options = _parser().parse_args(arguments)
    run = runs.open_run(options.run)
    output = _output(run, options)
    with cli.usage():
        figure = _build(options.kind)
    cli.load_tensorflow()
    dataset = run.dataset()
    _check_split(dataset, options.split)
    seed = run.options.get("seed", 0) if options.seed is None else options.seed
    _write(_render(figure, run.model(), dataset, options.split, seed), output)
    print(output)


def _parser():
    parser = cli.Parser(__doc__, prog="python -m pipelines.plot", epilog=_kinds())
    parser.add_argument("run", metavar="RUN", help="directory of a finished run")
    parser.add_argument(
        "kind",
        metavar="KIND",
        type=cli.spec_of("figures"),
        help='what to draw, with its options, such as "manifold(size=12)"',
    )
    parser.add_argument(
        "--output",
        metavar="FILE.png",
        help=f"the file to write (default: RUN/{FOLDER}/KIND.png, or KIND-OPTION_VALUE.png where "
        f"it differs from the figure that training drew)",
    )
    parser.add_argument(
        "--split", help="part of the data to show (default: test, or validation without one)"
    )
    parser.add_argument(
        "--seed",
        type=cli.non_negative_int,
        metavar="N",
        help="of the codes that are drawn from the prior (default: the seed of the run)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file that --output names"
    )
    return parser


def _kinds():
    known = components.members("figures").values()
    lines = [f"  {member}\n      {member.summary}" for member in known]
    return "\n".join(["kinds, with their options and defaults:", *lines])


def _build(text):
    from tfvae.figures.base import Figure

    return components.build(Figure, text)


def _output(run, options):
    """Returns the path to write, or refuses it."""
    if options.output is not None:
        return outputs.check(options.output, (".png",), options.overwrite)
    # Derived data under a name of the program's own: made anew each time.
    path = run.directory / FOLDER / f"{_name(options, run.options.get('seed', 0))}.png"
    outputs.check_place(path, "RUN")
    return path


def _name(options, seed):
    """Returns the name of a figure: that of its kind, and what differs from training's own."""
    spec = components.read(options.kind)
    defaults = components.members("figures")[spec.name].options
    differing = {
        option: spec.options[option]
        for option, default in defaults.items()
        if option in spec.options and repr(spec.options[option]) != default
    }
    if options.split not in (None, "test"):
        differing["split"] = options.split
    if options.seed not in (None, seed):
        differing["seed"] = options.seed
    return "-".join([spec.name, *(f"{key}_{_plain(value)}" for key, value in differing.items())])


def _plain(value):
    """Returns an option as a part of a name of a file.

    Examples:
        >>> _plain(12), _plain((0, 1)), _plain("validation")
        ('12', '0_1', 'validation')
    """
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", str(value)).strip("_")


def _check_split(dataset, split):
    if split is not None and split not in dataset.splits:
        raise UsageError(
            f"The data set `{dataset.spec}` has the splits {', '.join(dataset.splits)}. Received "
            f"`--split {split}`. Write `--split {dataset.splits[-1]}`."
        )


def _render(figure, vae, dataset, split, seed):
    """Returns the picture; a figure that the model has no place for is the command's fault."""
    from tfvae.figures.base import FigureError

    try:
        return figure.render(vae, dataset, split=split, seed=seed)
    except FigureError as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _write(picture, path):
    from tfvae.figures import images

    with outputs.writing(path):
        images.write_png(picture, path, scale=1)


if __name__ == "__main__":
    cli.run(main)
