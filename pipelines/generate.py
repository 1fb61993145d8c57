"""Draw new examples from an exported decoder: `python -m pipelines.generate EXPORTED`."""

import pathlib

import numpy as np

from pipelines import bulk, cli, exports, outputs
from pipelines.cli import UsageError
from tfvae.figures import images

_CHUNK = 256  # examples a call: large enough to be quick, small enough for any decoder
_ENDPOINT = "generate"
_CONDITION = "condition"  # the input of a conditional decoder
_PICTURE = ".png"
_MOST_PIXELS = 2**26  # of a picture: programs that show one warn of larger ones, from 89 million on

_DESCRIPTION = """\
Draw new examples from an exported decoder, without the model and the project that trained it.

EXPORTED is the directory of an export, or a decoder's .tflite file. A LiteRT decoder needs no
TensorFlow and answers in under a second. Each format draws its own noise from the seed, so the
same seed gives other examples in another format.
"""


def main(argv):
    """Generates as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    output = outputs.check(given.output, (_PICTURE, *bulk.SUFFIXES), given.overwrite)
    bulk.check_suffix(output)
    path, format_name = exports.find(given.exported, "decoder", _format(given), given.version)
    program, _ = exports.open_part(path, format_name, (_ENDPOINT,))
    condition = _condition(given, program, path)
    if output.suffix.lower() == _PICTURE:
        examples = generate(program, path, given.num, given.seed, given.what, condition=condition)
        _write_png(examples, output, given.num)
    else:
        _write_table(program, path, output, given, condition)
    print(f"{output}: {given.num} examples, {given.what} of {path}")


def _write_table(program, path, output, given, condition):
    """Writes examples as a table, going on with one that was stopped."""
    request = {
        "part": str(path.resolve()),
        "changed": path.stat().st_mtime_ns,
        "num": given.num,
        "seed": given.seed,
        "what": given.what,
    }
    if condition is not None:
        request["condition"] = condition.tolist()
    table = bulk.Table(output, request, given.num)
    table.num_done = start = table.num_done // _CHUNK * _CHUNK
    examples = generate(program, path, given.num, given.seed, given.what, start, condition)
    columns = ({given.what: chunk} for chunk in examples)
    try:
        table.write(cli.tracked(columns, "generating", given.num, start))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted after {table.num_done:,} of {given.num:,} examples. The same command "
            f"goes on."
        ) from None


def generate(program, path, num, seed, what="mean", start=0, condition=None):
    """Yields new examples in chunks `[chunk, *event_shape]`.

    Args:
        program: An opened decoder.
        path: Where it lies, for messages.
        num: Number of examples.
        seed: Int; example i depends on it and on i, not on `num`.
        what: "mean" for the mean of p(x|z), "x" for a draw from it.
        start: The first example, a multiple of the chunk: those before it are left out.
        condition: The condition of all examples `[*shape]`, for a decoder that takes one.

    Raises:
        UsageError: If the file does not give `what`.
    """
    inputs = dict(program.inputs(_ENDPOINT))
    inputs.pop(_CONDITION, None)
    # Each input draws from one stream, row after row: the chunks are those of one long draw.
    streams = {name: np.random.Generator(np.random.Philox(_key(name, seed))) for name in inputs}
    for first in range(0, num, _CHUNK):
        size = min(_CHUNK, num - first)
        rows = {
            name: _noise(name, (size, *shape[1:]), streams[name]) for name, shape in inputs.items()
        }
        if first < start:  # its noise has been drawn all the same
            continue
        if condition is not None:
            rows[_CONDITION] = np.repeat(condition[np.newaxis], size, axis=0)
        with cli.quiet_stderr():  # LiteRT says there which delegate it takes
            answer = program.run(_ENDPOINT, rows)
        if what not in answer:
            raise UsageError(
                f"`--what {what}` is not among the outputs of {path}: {', '.join(answer)}. A "
                f"draw of x takes random numbers: add `--format saved_model`."
            )
        if condition is not None and np.isnan(answer[what]).all():
            raise UsageError(
                f"{path} knows no class {condition}: its answer is NaN. Its model card has the "
                f"labels that it was trained on."
            )
        yield answer[what]


def _condition(given, program, path):
    """Returns the condition that the command gives, of the kind that the decoder takes, or None."""
    shape = program.inputs(_ENDPOINT).get(_CONDITION)
    options = {"--label": given.label, "--condition": given.condition}
    wanted = None if shape is None else "--label" if len(shape) == 1 else "--condition"
    for option, value in options.items():
        if value is not None and option != wanted:
            takes = "no condition: leave it out" if wanted is None else f"`{wanted}` instead"
            raise UsageError(f"`{option}` is not for {path}, which takes {takes}.")
    if wanted is None:
        return None
    if options[wanted] is None:
        raise UsageError(
            f"{path} is of a conditional model. Say what to draw, as in `{wanted} "
            f"{'3' if len(shape) == 1 else ','.join(['0.5'] * shape[1])}`; its model card has the "
            f"values."
        )
    value = np.asarray(options[wanted], np.int32 if len(shape) == 1 else np.float32)
    if value.shape != tuple(shape[1:]):
        raise UsageError(
            f"`--condition` of {path} is {shape[1]} numbers with commas between. Received "
            f"{len(value)}."
        )
    return value


def _key(name, seed):
    """Returns the key of an input's stream: `u` has another one than `eps` beside it."""
    return [seed, 1] if name == "u" else seed


def _noise(name, shape, rng):
    """Returns what an input draws from: seeds for rows, uniforms or standard normals."""
    if name == "seed":
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int32)
    if name == "u":
        return rng.random(shape, dtype=np.float32)
    return rng.standard_normal(shape, dtype=np.float32)


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
    pictures = np.concatenate([_checked_picture(chunk, num) for chunk in chunks])
    with outputs.writing(path):
        images.write_png(images.tile(pictures), path)


def _checked_picture(chunk, num):
    """Returns examples of which `num` make a picture; refuses others before more are drawn."""
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
