"""Draws a figure of a finished run."""

import os
import pathlib

from pipelines import cli, runs
from tfvae import components

FOLDER = "figures"


def main(arguments):
    """Runs the program.

    Args:
        arguments: List of strings, the command line without the program's name.
    """
    options = _parser().parse_args(arguments)
    run = runs.open_run(options.run)
    spec = options.kind
    output = _output(run, spec, options)
    with cli.usage():
        figure = _build(spec)
    cli.load_tensorflow()
    dataset = run.dataset()
    _check_split(dataset, options.split)
    with cli.usage():
        picture = figure.render(run.model(), dataset, split=options.split, seed=options.seed)
    _write(picture, output)
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
        "--output", metavar="FILE.png", help=f"the file to write (default: RUN/{FOLDER}/KIND.png)"
    )
    parser.add_argument(
        "--split", help="part of the data to show (default: test, or validation without one)"
    )
    parser.add_argument(
        "--seed",
        type=cli.non_negative_int,
        default=0,
        help="of the codes that are drawn from the prior (default: 0)",
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


def _output(run, kind, options):
    """Returns the path to write, or refuses it."""
    if options.output is None:
        # Derived data under a name of the program's own: made anew each time.
        return run.directory / FOLDER / f"{components.read(kind).name}.png"
    path = pathlib.Path(options.output)
    if path.suffix.lower() != ".png":
        raise cli.UsageError(
            f"A figure is written as a PNG file, and --output names it with its ending. Received "
            f"{path}. Write `--output {path.with_suffix('.png') if path.name else 'figure.png'}`."
        )
    if path.is_dir():
        raise cli.UsageError(
            f"--output names a file. {path} is a directory. Write `--output {path / 'figure.png'}`."
        )
    if path.exists() and not options.overwrite:
        raise cli.UsageError(
            f"A file that is there is replaced only when you say so. {path} exists. Add "
            f"`--overwrite`, or choose another name."
        )
    if not path.parent.is_dir():
        raise cli.UsageError(
            f"--output names a file in a directory that exists. {path.parent} is none. Make it "
            f"with `mkdir -p {path.parent}`."
        )
    if not os.access(path.parent, os.W_OK):
        raise cli.UsageError(
            f"--output names a file in a directory that you may write to. {path.parent} is not. "
            f"Choose another place."
        )
    return path


def _check_split(dataset, split):
    if split is not None and split not in dataset.splits:
        raise cli.UsageError(
            f"The data set `{dataset.spec}` has the splits {', '.join(dataset.splits)}. Received "
            f"`--split {split}`. Write `--split {dataset.splits[-1]}`."
        )


def _write(picture, path):
    from tfvae.figures import images

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write_png(picture, path, scale=1)
    except OSError as error:
        raise cli.Failure(
            f"The figure could not be written to {path}: {error.strerror}. Choose another place "
            f"with `--output FILE.png`."
        ) from error


if __name__ == "__main__":
    cli.run(main)
