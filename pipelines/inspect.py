"""Look at a data set before training on it: `python -m pipelines.inspect --dataset SPEC`."""

import pathlib

from pipelines import cli, inspection, outputs
from tfvae import components

_SHOWN = 64

_DESCRIPTION = """\
Look at a data set: shapes, range, counts, a histogram, copies, what was done to the data on the
way in, a picture of some examples, which likelihoods fit, and the command that trains on it.
"""


def main(argv):
    """Inspects as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    output = _output(given)
    cli.load_tensorflow()
    from tfvae.datasets import summary
    from tfvae.datasets.base import Dataset

    with cli.usage():
        dataset = components.build(Dataset, given.dataset)
    x = inspection.some(dataset)
    facts = summary.summarize(x)
    fits = inspection.likelihoods(dataset, x)
    _say("data", inspection.on_data(dataset, given.dataset))
    _say("examples", [*inspection.on_counts(dataset), *inspection.on_copies(dataset)])
    _say("on the way in", dataset.notes)
    _say(f"values of {facts.num:,} examples to train on", inspection.on_values(facts))
    _say("likelihoods", [f"{'fits' if good else 'no':<5}{why}" for good, why in fits.values()])
    _write(inspection.picture(dataset, x[:_SHOWN]), output)
    print(f"\nPicture of {min(_SHOWN, len(x))} examples: {output}")
    print(f"Train on it:\n  {inspection.command(dataset, given.dataset, fits)}")


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.inspect", epilog=_listing())
    parser.add_argument(
        "--dataset",
        required=True,
        type=cli.spec_of("datasets"),
        metavar="SPEC",
        help=f"one of: {', '.join(components.members('datasets'))}, with options",
    )
    parser.add_argument(
        "--output",
        metavar="FILE.png",
        help="picture of some examples (default: inspection-DATASET.png, made anew each time)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.png if it is there")
    return parser


def _listing():
    known = components.members("datasets").values()
    return "data sets:\n" + "\n".join(f"  {member}\n      {member.summary}" for member in known)


def _output(given):
    if given.output is not None:
        return outputs.check(given.output, (".png",), given.overwrite)
    # Derived data under a name of the program's own: made anew each time.
    path = pathlib.Path(f"inspection-{components.read(given.dataset).name}.png")
    outputs.check_place(path, "--output")
    return path


def _say(title, lines):
    print(f"\n{title}")
    for line in lines or ["nothing was changed"]:
        print(f"  {line}")


def _write(picture, path):
    from tfvae.figures import images

    with outputs.writing(path):
        images.write_png(picture, path)


if __name__ == "__main__":
    cli.run(main)
