"""Draw new examples from an exported decoder: `python -m pipelines.generate EXPORTED`."""

import pathlib

from pipelines import bulk, cli, exports, outputs, parts, steps
from pipelines.cli import UsageError
from pipelines.steps import CHUNK, generate
from tfvae.lazy import numpy as np

_PICTURE = ".png"
_MOST_PIXELS = 2**26  # of a picture: programs that show one warn of larger ones, from 89 million on

_DESCRIPTION = """\
Draw new examples from an exported decoder, without the model and the project that trained it.

EXPORTED is the directory of an export, or a decoder's .tflite file. A LiteRT decoder needs no
TensorFlow and answers in under a second. Each format draws its own noise from the seed, so the
same seed gives other examples in another format. With --runner, many processes draw the same
examples as one.
"""


def main(argv):
    """Generates as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    parts.check(given)
    suffixes = bulk.SUFFIXES if given.runner else (_PICTURE, *bulk.SUFFIXES)
    output = outputs.check(given.output, suffixes, given.overwrite, parts=bool(given.runner))
    bulk.check_suffix(output)
    path, format_name = exports.find(given.exported, "decoder", _format(given), given.version)
    program, _ = exports.open_part(path, format_name, steps.GENERATE)
    known = _condition(given, program, path)
    if given.runner:
        # What it lacks, it says here.
        next(generate(program, path, 1, given.seed, given.what, condition=known))
        step = steps.Draw(str(path.resolve()), format_name, given.seed, given.what, known)
        table = parts.cut(output, given.num, given.num_parts)
        parts.run(step, table, _request(path, given), given)
    elif output.suffix.lower() == _PICTURE:
        examples = generate(program, path, given.num, given.seed, given.what, condition=known)
        _write_png(examples, output, given.num)
    else:
        _write_table(program, path, output, given, known)
    print(f"{output}: {given.num} examples, {given.what} of {path}")


def _request(path, given):
    """Returns what is being made: rows of another request are of no use."""
    return {
        "part": str(path.resolve()),
        "changed": path.stat().st_mtime_ns,
        "num": given.num,
        "seed": given.seed,
        "what": given.what,
        **{k: v for k, v in vars(given).items() if k in ("label", "condition") and v is not None},
    }


def _condition(given, program, path):
    """Returns the condition that the command gives, of the kind that the decoder takes, or None."""
    shape = program.inputs(*steps.GENERATE).get("condition")
    options = {"--label": given.label, "--condition": given.condition}
    wanted = None if shape is None else "--label" if len(shape) == 1 else "--condition"
    for option, value in options.items():
        if value is not None and option != wanted:
            takes = "no condition: leave it out" if wanted is None else f"`{wanted}` instead"
            raise UsageError(f"`{option}` is not for {path}, which takes {takes}.")
    if wanted is None or (len(shape) == 1 and given.label is not None):
        return given.label
    if options[wanted] is None:
        example = "3" if len(shape) == 1 else ",".join(["0.5"] * shape[1])
        raise UsageError(
            f"{path} is of a conditional model. Say what to draw, as in `{wanted} {example}`; its "
            f"model card has the values."
        )
    if len(given.condition) != shape[1]:
        raise UsageError(
            f"`--condition` of {path} is {shape[1]} numbers with commas between. Received "
            f"{len(given.condition)}."
        )
    return tuple(given.condition)


def _write_table(program, path, output, given, known=None):
    """Writes examples as a table, going on with one that was stopped."""
    table = bulk.Table(output, _request(path, given), given.num)
    table.num_done = start = table.num_done // CHUNK * CHUNK
    examples = generate(program, path, given.num, given.seed, given.what, start, known)
    columns = ({given.what: chunk} for chunk in examples)
    try:
        table.write(cli.tracked(columns, "generating", given.num, start))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted after {table.num_done:,} of {given.num:,} examples. The same command "
            f"goes on."
        ) from None


def _format(given):
    """Returns the format to look for: LiteRT takes no seeds, so a draw of x is the SavedModel's."""
    draws = given.what == "x" and pathlib.Path(given.exported).is_dir()
    return given.format or ("saved_model" if draws else None)


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.generate")
    parser.add_argument("exported", metavar="EXPORTED", help="exported/NAME or FILE.tflite")
    parser.add_argument("--num", type=cli.positive_int, default=64, metavar="N", help="(64)")
    parser.add_argument("--seed", type=cli.non_negative_int, default=0, metavar="N", help="(0)")
    parser.add_argument(
        "--output",
        default="samples.png",
        metavar="FILE",
        help="a picture (.png), an array [num, ...] (.npy, .npz) or a table (.parquet, .tfrecord); "
        "arrays and tables stream, and go on after a stop (default: samples.png)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    parser.add_argument(
        "--label",
        type=cli.non_negative_int,
        metavar="N",
        help="class to draw",
    )
    parser.add_argument(
        "--condition",
        type=_numbers,
        metavar="A,B,...",
        help="what is known of the examples, of a model of such numbers",
    )
    parser.add_argument(
        "--what",
        choices=("mean", "x"),
        default="mean",
        help="the mean of p(x|z), or a draw from it, for which saved_model is needed (mean)",
    )
    exports.add_choice(parser)
    parts.add_options(parser)
    return parser


def _numbers(text):
    """Reads numbers with commas between, for argparse."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise cli.argparse.ArgumentTypeError(
            f"expected numbers with commas between, received {text!r}"
        ) from None


def _write_png(chunks, path, num):
    from tfvae.figures import images

    pictures = np.concatenate([_checked_picture(chunk, num) for chunk in chunks])
    with outputs.writing(path):
        images.write_png(images.tile(pictures), path)


def _checked_picture(chunk, num):
    """Returns examples of which `num` make a picture; refuses others before more are drawn."""
    from tfvae.figures import images

    shape = chunk.shape[1:]
    if not (len(shape) == 2 or (len(shape) == 3 and shape[-1] in images.CHANNELS)):
        raise UsageError(
            f"A .png shows images: examples of shape (height, width, 1, 3 or 4 channels). This "
            f"decoder's have the shape {shape}. Write them as an array: `--output samples.npy`."
        )
    most = max(1, _MOST_PIXELS // ((shape[0] + 1) * (shape[1] + 1)))
    if num > most:
        raise UsageError(
            f"A .png shows at most {most} examples of {shape[0]} x {shape[1]} pixels. Received "
            f"`--num {num}`. Write `--num {most}`, or an array: `--output samples.npy`."
        )
    return chunk


if __name__ == "__main__":
    cli.run(main)
