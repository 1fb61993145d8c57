"""Encode a data set with an exported encoder: `python -m pipelines.encode EXPORTED`."""

from pipelines import bulk, cli, exports, outputs, parts, steps
from pipelines.cli import UsageError, usage
from pipelines.steps import CHUNK, encode
from tfvae import components

_DESCRIPTION = """\
Encode every example of a data set with an exported encoder, without the model and the project
that trained it: q(z|x) as its mean and standard deviation, with the labels where there are some.
The encoder of a conditional model takes the labels, or the condition, of the data set too.

Streams in constant memory. A run that was stopped goes on where it was, by the same command.

  codes.npy        the means, [num, latent_size]
  codes.npz        mean, stddev and label, arrays by name
  codes.parquet    the same as columns, lists of floats
  codes.tfrecord   the same as features of tf.train.Example

With --runner the data set is read by this process, and encoded by the workers of a pipeline.
"""


def main(argv):
    """Encodes as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    parts.check(given)
    output = outputs.check(given.output, bulk.SUFFIXES, given.overwrite, parts=bool(given.runner))
    bulk.check_suffix(output)
    path, format_name = exports.find(given.exported, "encoder", given.format, given.version)
    cli.load_tensorflow(probability=False)
    program, endpoint = exports.open_part(path, format_name, steps.ENCODE)
    dataset = _dataset(given.dataset)
    with usage():
        num = dataset.num_examples(given.split)
    rows = Rows(dataset, given.split, _columns(path, dataset))
    rows.take(_check_shape(rows, program, endpoint, path))
    request = {
        "part": str(path.resolve()),
        "changed": path.stat().st_mtime_ns,
        "dataset": given.dataset,
        "fingerprint": dataset.fingerprint(),
        "split": given.split,
        "columns": output.suffix,
    }
    if given.runner:
        _in_parts(path, format_name, rows, request, output, num, given)
    else:
        _in_one(program, endpoint, rows, bulk.Table(output, request, num), num, output)
    print(f"{output}: {num:,} examples of {given.split}, encoded by {path}")


def _in_one(program, endpoint, rows, table, num, output):
    """Encodes in this process, going on where a stopped run was."""
    table.num_done = start = table.num_done // CHUNK * CHUNK
    codes = encode(program, endpoint, rows, start, output.suffix.lower())
    try:
        table.write(cli.tracked(codes, "encoding", num, start))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted after {table.num_done:,} of {num:,} examples. The same command goes on."
        ) from None


class Rows:
    """The examples of a split as the rows that an exported encoder takes.

    Args:
        dataset: A `Dataset`.
        split: Name of a split.
        columns: The `Columns` of the table that the encoder was trained on, where rows are of one.
    """

    def __init__(self, dataset, split, columns=None):
        self._dataset = dataset
        self._split = split
        self._columns = columns
        self.labels = dataset.labels(split)
        transform = dataset.transform
        self.shape = dataset.event_shape if transform is None else transform.row_shape
        self.condition = None

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
        self.condition = values.astype(dtype)

    def chunks(self, start):
        """Yields float32 `[chunk, *shape]` from a row on, which is a multiple of the chunk."""
        transform = self._dataset.transform
        batches = self._dataset.split(self._split, CHUNK).skip(start // CHUNK)
        for x in batches:
            if transform is None:
                yield x.numpy()
            else:
                yield self._columns.translate(transform.decode(x, whole=True), transform)


def _in_parts(path, format_name, rows, request, output, num, given):
    """Encodes by a pipeline, whose workers read the rows from files beside their parts."""
    table = parts.cut(output, num, given.num_parts)
    folder = table.folder / "rows"
    step = steps.Encode(str(path.resolve()), format_name, str(folder), output.suffix.lower())

    def prepare():
        stored = {
            number: steps.Stored(folder, table.bounds(number)[0]) for number in range(len(table))
        }
        wanted = [number for number in table.missing() if not stored[number].is_there()]
        if not wanted:
            return
        first = table.bounds(wanted[0])[0]
        chunks = rows.chunks(first)
        for number in range(wanted[0], len(table)):
            start, stop = table.bounds(number)
            labels = None if rows.labels is None else rows.labels[start:stop]
            known = None if rows.condition is None else rows.condition[start:stop]
            stored[number].write((stop - start, *rows.shape), chunks, labels, known)

    parts.run(step, table, request, given, prepare)


def _dataset(spec):
    from tfvae.datasets.base import Dataset

    with usage():
        return components.build(Dataset, spec)


def _columns(path, dataset):
    """Returns the columns of the table that an encoder was trained on, for rows of a table.

    Raises:
        UsageError: If those of the data set are others.
    """
    import numpy as np

    from tfvae import transforms

    if dataset.transform is None:
        return None
    known = exports.columns_of(path)
    if known is None:
        print(
            f"No manifest of a release says what {path} takes: columns and the codes of categories "
            f"are taken to be those of `{dataset.spec}`."
        )
        return dataset.transform
    columns = transforms.Columns(known)
    with usage():
        columns.translate(np.zeros([0, len(known)]), dataset.transform)
    return columns


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
    parts.add_options(parser)
    return parser


def _listing():
    members = components.members("datasets").values()
    return "data sets:\n" + "\n".join(f"  {member}\n      {member.summary}" for member in members)


if __name__ == "__main__":
    cli.run(main)
