"""Draw new examples from an exported decoder: `python -m pipelines.generate EXPORTED`."""

import os
import pathlib

import numpy as np

from pipelines import cli, exports
from pipelines.cli import Failure, UsageError
from tfvae import components
from tfvae.figures import images

_CHUNK = 256  # examples a call: large enough to be quick, small enough for any decoder
_ENDPOINT = "generate"

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
    output = _check_output(given.output, given.overwrite)
    path, format_name = exports.find(given.exported, "decoder", _format(given), given.version)
    program = exports.open_part(path, format_name, _ENDPOINT)
    examples = generate(program, path, given.num, given.seed, given.what)
    try:
        _WRITERS[output.suffix.lower()](examples, output)
    except OSError as error:
        raise Failure(f"{output} can't be written: {error.strerror or error}.") from error
    print(f"{output}: {given.num} examples, {given.what} of {path}")


def generate(program, path, num, seed, what="mean"):
    """Yields new examples in chunks `[chunk, *event_shape]`.

    Args:
        program: An opened decoder.
        path: Where it lies, for messages.
        num: Number of examples.
        seed: Int; example i depends on it and on i, not on `num`.
        what: "mean" for the mean of p(x|z), "x" for a draw from it.

    Raises:
        UsageError: If the file does not give `what`.
    """
    inputs = program.inputs(_ENDPOINT)
    noise = {name: _noise(name, (num, *shape[1:]), seed) for name, shape in inputs.items()}
    for start in range(0, num, _CHUNK):
        rows = {name: array[start : start + _CHUNK] for name, array in noise.items()}
        with cli.quiet_stderr():  # LiteRT says there which delegate it takes
            outputs = program.run(_ENDPOINT, rows)
        if what not in outputs:
            raise UsageError(
                f"`--what {what}` is not among the outputs of {path}: {', '.join(outputs)}. A "
                f"draw of x takes random numbers: add `--format saved_model`."
            )
        yield outputs[what]


def _noise(name, shape, seed):
    """Returns what an input draws from: seeds for rows, or standard normals."""
    rng = np.random.Generator(np.random.Philox(seed))
    if name == "seed":
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int32)
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
        help="a picture (.png) or an array [num, ...] (.npy) (default: samples.png)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    parser.add_argument(
        "--what",
        choices=("mean", "x"),
        default="mean",
        help="the mean of p(x|z), or a draw from it, for which saved_model is needed (mean)",
    )
    parser.add_argument(
        "--version", type=cli.positive_int, metavar="N", help="(default: the newest)"
    )
    parser.add_argument(
        "--format",
        choices=tuple(components.members("exporters")),
        help="(default: litert where it is published, since it needs no TensorFlow)",
    )
    return parser


def _check_output(name, overwrite):
    path = pathlib.Path(name)
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(
            f"`--output` names a .png or a .npy file. Received {name}. Write "
            f"`--output {path.with_suffix('.png')}`."
        )
    if path.exists() and not overwrite:
        raise UsageError(
            f"`--output` names {path}, which exists. Choose another name, or add `--overwrite`."
        )
    if path.is_dir():
        raise UsageError(f"`--output` names {path}, which is a directory. Name a file.")
    cli.check_writable(path, "--output")
    return path


def _write_png(chunks, path):
    pictures = np.concatenate([_checked_picture(chunk) for chunk in chunks])
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write_png(images.tile(pictures), path)


def _checked_picture(chunk):
    """Returns examples that are pictures, and refuses others before more of them are drawn."""
    shape = chunk.shape[1:]
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] in images.CHANNELS):
        return chunk
    raise UsageError(
        f"A .png shows images: examples of shape (height, width, 1, 3 or 4 channels). This "
        f"decoder's have the shape {shape}. Write them as an array: `--output samples.npy`."
    )


def _write_npy(chunks, path):
    examples = np.concatenate(list(chunks))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.save(file, examples)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


#: How examples are written, by the suffix of the file.
_WRITERS = {".png": _write_png, ".npy": _write_npy}


if __name__ == "__main__":
    cli.run(main)
