"""Tables that many processes make, each some parts of it, by a pipeline of Apache Beam.

    codes.parquet/part-00000-of-00016.parquet    rows 0 to 65,535
                  part-00001-of-00016.parquet    the next ones, and so on

Until all are there, they lie beside it; the same command goes on with them:

    .codes.parquet.parts/request.json   what is being made
                         rows/          what there is to encode, as arrays
                         done/          the parts
"""

import dataclasses
import importlib.util
import json
import math
import pathlib
import shlex
import shutil
import tempfile

from pipelines import bulk, cli, outputs, steps
from pipelines.cli import Failure, UsageError
from tfvae.files import write_atomically

_ROWS = 65_536  # of a part: some seconds of work, some ten megabytes
_REQUEST = "request.json"


def add_options(parser):
    """Adds the options that hand the work to a pipeline.

    Args:
        parser: A `cli.Parser`.
    """
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="work as an Apache Beam pipeline, such as DirectRunner or FlinkRunner: FILE becomes "
        "a folder with the parts that the workers write; needs `pip install 'tfvae[beam]'`",
    )
    parser.add_argument(
        "--runner-options",
        type=str,  # "" is none of them
        metavar="TEXT",
        default="",
        help="options of the pipeline, such as '--direct_num_workers 4 --direct_running_mode "
        "multi_processing'",
    )
    parser.add_argument(
        "--num-parts",
        type=cli.positive_int,
        metavar="N",
        help=f"of a pipeline: at most so many parts (default: one for each {_ROWS:,} rows)",
    )


def check(given):
    """Refuses options that can't be carried out.

    Args:
        given: The parsed command, with the options of `add_options`.

    Raises:
        UsageError: If there are such options.
    """
    if given.runner is None:
        if given.runner_options or given.num_parts:
            raise UsageError(
                "`--runner-options` and `--num-parts` are those of a pipeline. Add `--runner "
                "DirectRunner`, or leave them out."
            )
    elif importlib.util.find_spec("apache_beam") is None:
        raise UsageError(
            "`--runner` needs apache-beam. Install it with `pip install 'tfvae[beam]'`, or leave "
            "`--runner` out: this process does the work then."
        )


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of a table.

    Attributes:
        output: Folder that will hold them, as text; its suffix is that of the parts.
        num: Number of rows of the table.
        size: Rows of a part, a multiple of the chunk.
    """

    output: str
    num: int
    size: int

    @property
    def folder(self):
        """Where they are made, a `pathlib.Path`."""
        path = pathlib.Path(self.output)
        return path.with_name(f".{path.name}.parts")

    def __len__(self):
        return math.ceil(self.num / self.size)

    def bounds(self, number):
        """Returns the first row of a part, and the one after its last."""
        return number * self.size, min((number + 1) * self.size, self.num)

    def path(self, number):
        """Returns where a part lies as soon as it is whole."""
        suffix = pathlib.Path(self.output).suffix.lower()
        return self.folder / "done" / f"part-{number:05d}-of-{len(self):05d}{suffix}"

    def missing(self):
        """Returns the numbers of the parts that are to be made."""
        return [number for number in range(len(self)) if not self.path(number).exists()]

    def make(self, step, opened, number):
        """Makes a part, in a folder of its own: another process may be at the same one.

        Args:
            step: A step of `steps`.
            opened: What its `open` returned.
            number: Of the part.
        """
        path = self.path(number)
        if path.exists():
            return
        start, stop = self.bounds(number)
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            own = pathlib.Path(place, path.name)
            bulk.Table(own, {}, stop - start).write(step.columns(opened, start, stop))
            own.replace(path)


def cut(output, num, num_parts=None):
    """Returns the `Parts` of a table of `num` rows.

    Args:
        output: `pathlib.Path` of the folder.
        num: Number of rows.
        num_parts: How many parts at most; None for as many as are handy.

    Examples:
        >>> parts = cut(pathlib.Path("codes.npz"), 1000, 3)
        >>> [parts.bounds(number) for number in range(len(parts))]
        [(0, 512), (512, 1000)]
    """
    size = _ROWS if num_parts is None else -(-num // num_parts)
    return Parts(str(output.absolute()), num, -(-size // steps.CHUNK) * steps.CHUNK)


def run(step, parts, request, given, prepare=None):
    """Makes the parts by a pipeline, and the table of them.

    Args:
        step: A step of `steps`.
        parts: `Parts`.
        request: What is being made, as JSON can hold it: parts of another request are discarded.
        given: The parsed command.
        prepare: Function that writes what the step reads, or None.

    Raises:
        Failure: If the pipeline fails.
        UsageError: If there is no such runner.
    """
    from pipelines import beam

    with cli.usage():
        pipeline = beam.pipeline(given.runner, shlex.split(given.runner_options))
    output = pathlib.Path(parts.output)
    with outputs.writing(output):
        _begin(parts, {**request, "num": parts.num, "size": parts.size})
    try:
        if prepare is not None:
            prepare()
        beam.run(pipeline, step, parts)
    except KeyboardInterrupt:
        done = len(parts) - len(parts.missing())
        raise KeyboardInterrupt(
            f"Interrupted after {done:,} of {len(parts):,} parts. The same command goes on."
        ) from None
    if parts.missing():
        raise Failure(
            f"The pipeline has ended, and {len(parts.missing()):,} of {len(parts):,} parts are not "
            f"in {parts.folder}. Its workers have to see the same folders as this process."
        )
    with outputs.writing(output):
        _finish(parts.folder, output)


def _begin(parts, request):
    """Makes the folder of the parts, anew where it is of another request."""
    path = parts.folder / _REQUEST
    try:
        same = json.loads(path.read_text(encoding="utf-8")) == request
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(parts.folder, ignore_errors=True)
    (parts.folder / "done").mkdir(parents=True, exist_ok=True)
    (parts.folder / "rows").mkdir(exist_ok=True)
    if not same:
        with write_atomically(path) as file:
            file.write(json.dumps(request).encode())


def _finish(folder, output):
    """Moves the parts to their place, all at once."""
    if output.exists():
        output.replace(folder / "replaced")
    (folder / "done").replace(output)
    shutil.rmtree(folder, ignore_errors=True)
