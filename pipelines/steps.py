"""What one process does of a table of codes or of new examples: some of its rows.

The programs do all rows by it, and the processes of a pipeline a part each. Needs NumPy, and what
runs the exported part: neither TensorFlow nor training code, where that is a LiteRT file.
"""

import dataclasses
import pathlib

from pipelines import exports
from pipelines.cli import Failure, UsageError
from tfvae.lazy import numpy as np

#: Rows a call of an exported part: large enough to be quick, small enough for any part.
CHUNK = 256

#: Names of the signature that draws, and of those that encode, of LiteRT files and of SavedModels.
GENERATE = ("generate",)
ENCODE = ("encode", "serving_default")


@dataclasses.dataclass(frozen=True)
class Draw:
    """Draws new examples from an exported decoder.

    Attributes:
        path: Where the decoder lies.
        format_name: Its format.
        seed: As of `generate`.
        what: As of `generate`.
        condition: A label, a tuple of numbers, or None: of all rows.
    """

    path: str
    format_name: str
    seed: int
    what: str
    condition: tuple | int | None = None

    def open(self):
        """Returns the opened decoder."""
        return exports.open_part(self.path, self.format_name, GENERATE, quiet=False)[0]

    def columns(self, program, start, stop):
        """Yields the rows from `start` to `stop`, dicts of column name to array `[chunk, ...]`.

        Args:
            program: What `open` returns.
            start: A multiple of the chunk.
            stop: The row after the last one.
        """
        options = (self.seed, self.what, start, self.condition)
        for chunk in generate(program, self.path, stop, *options):
            yield {self.what: chunk}


@dataclasses.dataclass(frozen=True)
class Encode:
    """Encodes rows that lie in files, one for each part of a table, with an exported encoder.

    Attributes:
        path: Where the encoder lies.
        format_name: Its format.
        folder: Folder of the rows.
        suffix: As of `encode`.
    """

    path: str
    format_name: str
    folder: str
    suffix: str

    def open(self):
        """Returns the opened encoder, and the name of its signature."""
        return exports.open_part(self.path, self.format_name, ENCODE, quiet=False)

    def columns(self, opened, start, stop):
        """Yields the codes of the part that begins with a row, as `encode` does.

        Args:
            opened: What `open` returns.
            start: The row.
            stop: The row after the last one.
        """
        del stop  # the file ends there
        program, endpoint = opened
        yield from encode(program, endpoint, Stored(self.folder, start), 0, self.suffix)


class Stored:
    """The rows of a part in files: `rows-START.npy`, and beside it labels and conditions.

    Args:
        folder: Where they lie.
        start: Number of the first row.

    Attributes:
        labels: Ints, or None.
        condition: What a conditional encoder takes of each row, or None.
    """

    def __init__(self, folder, start):
        self._rows, *beside = (pathlib.Path(folder, f"{kind}-{start}.npy") for kind in _STORED)
        self._beside = beside
        self.labels, self.condition = (np.load(p) if p.exists() else None for p in beside)

    def chunks(self, start):
        """Yields float32 `[chunk, *shape]` from a row of the part on."""
        rows = np.load(self._rows, mmap_mode="r")
        for first in range(start, len(rows), CHUNK):
            yield np.array(rows[first : first + CHUNK])

    def is_there(self):
        """Says whether the rows have been written."""
        return self._rows.exists()

    def write(self, shape, chunks, labels, condition=None):
        """Writes the rows.

        Args:
            shape: Of all of them, `(num, *event_shape)`.
            chunks: Iterator of arrays, of which as many are taken as make up `num`.
            labels: Ints, or None.
            condition: As of the attribute.
        """
        temporary = self._rows.with_suffix(".tmp")
        array = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
        done = 0
        while done < len(array):
            chunk = next(chunks)
            array[done : done + len(chunk)] = chunk
            done += len(chunk)
        array.flush()
        for path, values in zip(self._beside, (labels, condition), strict=True):
            if values is not None:
                np.save(path, values)
        temporary.replace(self._rows)


_STORED = ("rows", "labels", "conditions")
_CONDITION = "condition"  # the input of a conditional part


def generate(program, path, num, seed, what="mean", start=0, condition=None):
    """Yields new examples in chunks `[chunk, *event_shape]`.

    Args:
        program: An opened decoder.
        path: Where it lies, for messages.
        num: Number of examples.
        seed: Int; example i depends on it and on i, not on `num`.
        what: "mean" for the mean of p(x|z), "x" for a draw from it.
        start: The first example, a multiple of the chunk: those before it are left out.
        condition: The condition of all examples, for a decoder that takes one: a label or numbers.

    Raises:
        UsageError: If the file does not give `what`, or knows no such class.
        Failure: If it answers with NaN or infinity.
    """
    inputs = dict(program.inputs(*GENERATE))
    inputs.pop(_CONDITION, None)
    for first in range(start, num, CHUNK):
        size = min(CHUNK, num - first)
        rows = {
            name: _noise(name, (size, *shape[1:]), _stream(name, seed, first // CHUNK))
            for name, shape in inputs.items()
        }
        if condition is not None:
            value = np.asarray(condition, np.int32 if np.ndim(condition) == 0 else np.float32)
            rows[_CONDITION] = np.repeat(value[np.newaxis], size, axis=0)
        answer = program.run(*GENERATE, rows)
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
        _check_finite(answer[what], what, path)
        yield answer[what]


def _check_finite(array, what, path):
    num_wrong = int(np.sum(~np.isfinite(array)))
    if num_wrong:
        raise Failure(
            f"{path} is a damaged export: {num_wrong:,} of {array.size:,} values of its output "
            f"`{what}` are NaN or infinite. Take another version with `--version`, or publish the "
            f"model again."
        )


def _stream(name, seed, chunk):
    """Returns the random numbers of an input for a chunk: each begins 2**192 after the last one."""
    key = [seed, 1] if name == "u" else seed  # `u` has another one than `eps` beside it
    return np.random.Generator(np.random.Philox(key, counter=[0, 0, 0, chunk]))


def _noise(name, shape, rng):
    """Returns what an input draws from: seeds for rows, uniforms or standard normals."""
    if name == "seed":
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int32)
    if name == "u":
        return rng.random(shape, dtype=np.float32)
    return rng.standard_normal(shape, dtype=np.float32)


def encode(program, endpoint, rows, start, suffix):
    """Yields the codes of rows in chunks, dicts of column name to array.

    Args:
        program: An opened encoder.
        endpoint: Name of its signature.
        rows: Has `chunks(start)`, `labels` and `condition`.
        start: The first row, a multiple of the chunk.
        suffix: Of the file: a .npy takes one column.
    """
    for x in rows.chunks(start):
        inputs = {"x": x}
        if rows.condition is not None:
            inputs[_CONDITION] = rows.condition[start : start + len(x)]
        columns = program.run(endpoint, inputs)
        if suffix == ".npy":
            name = "mean" if "mean" in columns else next(iter(columns))
            columns = {name: columns[name]}
        elif rows.labels is not None:
            labels = np.asarray(rows.labels[start : start + len(x)])
            columns = {**columns, "label": labels.astype(np.int32)}
        start += len(x)
        yield columns
