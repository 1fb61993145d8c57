"""Encode a data set with an exported encoder: `python -m pipelines.encode EXPORTED`."""

import numpy as np

from pipelines import bulk, cli, exports, outputs
from pipelines.cli import UsageError, usage
from tfvae import components

_ENDPOINTS = ("encode", "serving_default")  # of LiteRT files, of SavedModels
_CHUNK = 256

_DESCRIPTION = """\
Encode every example of a data set with an exported encoder, without the model and the project
that trained it: q(z|x) as its mean and standard deviation, with the labels where there are some.
The encoder of a conditional model takes the labels, or the condition, of the data set too.

Streams in constant memory. A run that was stopped goes on where it was, by the same command.

  codes.npy        the means, [num, latent_size]
  codes.npz        mean, stddev and label, arrays by name
  codes.parquet    the same as columns, lists of floats
  codes.tfrecord   the same as features of tf.train.Example
"""


def main(argv):
    """Encodes as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    output = outputs.check(given.output, bulk.SUFFIXES, given.overwrite)
    bulk.check_suffix(output)
    path, format_name = exports.find(given.exported, "encoder", given.format, given.version)
    cli.load_tensorflow(probability=False)
    program, endpoint = exports.open_part(path, format_name, _ENDPOINTS)
    dataset = _dataset(given.dataset)
    with usage():
        num = dataset.num_examples(given.split)
    rows = Rows(dataset, given.split)
    rows.take(_check_shape(rows, program, endpoint, path))
    request = {
        "part": str(path.resolve()),
        "changed": path.stat().st_mtime_ns,
        "dataset": given.dataset,
        "fingerprint": dataset.fingerprint(),
        "split": given.split,
        "columns": output.suffix,
    }
    table = bulk.Table(output, request, num)
    start = table.num_done // _CHUNK * _CHUNK
    table.num_done = start
    label = f"encoding {given.split}"
    try:
        table.write(cli.tracked(encode(program, endpoint, rows, start, output), label, num, start))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted after {table.num_done:,} of {num:,} examples. The same command goes on."
        ) from None
    print(f"{output}: {num:,} examples of {given.split}, encoded by {path}")


class Rows:
    """The examples of a split as the rows that an exported encoder takes.

    Args:
        dataset: A `Dataset`.
        split: Name of a split.
    """

    def __init__(self, dataset, split):
        self._dataset = dataset
        self._split = split
        self.labels = dataset.labels(split)
        transform = dataset.transform
        self.shape = dataset.event_shape if transform is None else transform.row_shape
        self._condition = None

    def take(self, shape):
        """Adds the input `condition` of a shape, `[num]` of labels or `[num, size]`; None: not.

        Raises:
            UsageError: If the data set doesn't have it.
        """
        if shape is None:
            return
        if len(shape) == 1:
            name, values, dtype = "labels", self.labels, "int32"
        else:
            name, dtype = "numbers as condition", "float32"
            values = self._dataset.conditions(self._split)
        if values is None or values.shape[1:] != tuple(shape[1:]):
            size = "" if len(shape) == 1 else f", {shape[1]} for each example"
            raise UsageError(
                f"This encoder is of a conditional model: it takes {name}{size}. The data set "
                f"`{self._dataset.spec}` has {'none' if values is None else values.shape[1:]}. "
                f"Give the data set that the model was trained on, or one like it."
            )
        self._condition = values.astype(dtype)

    def chunks(self, start):
        """Yields the inputs by name, `[chunk, ...]`, from a row on, a multiple of the chunk."""
        transform = self._dataset.transform
        batches = self._dataset.split(self._split, _CHUNK).skip(start // _CHUNK)
        for x in batches:
            rows = (x if transform is None else transform.decode(x, whole=True)).numpy()
            if self._condition is None:
                yield {"x": rows}
            else:
                yield {"x": rows, "condition": self._condition[start : start + len(rows)]}
            start += len(rows)


def encode(program, endpoint, rows, start, output):
    """Yields the codes of rows in chunks, dicts of column name to array.

    Args:
        program: An opened encoder.
        endpoint: Name of its signature.
        rows: A `Rows`.
        start: The first row, a multiple of the chunk.
        output: `pathlib.Path` of the file: a .npy takes one column.
    """
    for inputs in rows.chunks(start):
        with cli.quiet_stderr():  # LiteRT says there which delegate it takes
            columns = program.run(endpoint, inputs)
        if output.suffix.lower() == ".npy":
            name = "mean" if "mean" in columns else next(iter(columns))
            columns = {name: columns[name]}
        elif rows.labels is not None:
            labels = np.asarray(rows.labels[start : start + len(inputs["x"])])
            columns = {**columns, "label": labels.astype(np.int32)}
        start += len(inputs["x"])
        yield columns


def _dataset(spec):
    from tfvae.datasets.base import Dataset

    with usage():
        return components.build(Dataset, spec)


def _check_shape(rows, program, endpoint, path):
    """Returns the shape of the input `condition`, or None where the encoder has none."""
    inputs = dict(program.inputs(endpoint))
    condition = inputs.pop("condition", None)
    if set(inputs) != {"x"} or inputs["x"][1:] != tuple(rows.shape):
        wanted = {name: shape[1:] for name, shape in inputs.items()}
        raise UsageError(
            f"{path} encodes rows of the shape {wanted.get('x', wanted)}. Those of `--dataset` "
            f"have {tuple(rows.shape)}. Give the data set that the model was trained on, or one "
            f"like it."
        )
    return condition


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.encode", epilog=_listing())
    parser.add_argument("exported", metavar="EXPORTED", help="exported/NAME or FILE.tflite")
    parser.add_argument(
        "--dataset", type=cli.spec_of("datasets"), metavar="SPEC", required=True, help="see below"
    )
    parser.add_argument("--split", default="test", metavar="NAME", help="(default: test)")
    parser.add_argument(
        "--output",
        default="codes.npz",
        metavar="FILE",
        help=f"one of {', '.join(bulk.SUFFIXES)} (default: codes.npz)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    exports.add_choice(parser)
    return parser


def _listing():
    members = components.members("datasets").values()
    return "data sets:\n" + "\n".join(f"  {member}\n      {member.summary}" for member in members)


if __name__ == "__main__":
    cli.run(main)
