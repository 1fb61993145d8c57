"""What stands where in an example of a table, for the likelihood of its columns."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import components


@dataclasses.dataclass(frozen=True)
class Field:
    """A column, as elements of an example.

    Attributes:
        start: Index of its first element.
        size: Number of its elements: 1, or the number of categories.
        spec: Spec of its likelihood; None for a category.
        mean: What the column was standardised with.
        stddev: As `mean`.
    """

    start: int
    size: int = 1
    spec: str | None = None
    mean: float = 0.0
    stddev: float = 1.0

    def of(self, x):
        """Returns the elements of the field, `[..., size]`."""
        return x[..., self.start : self.start + self.size]

    def raw(self, x):
        """Returns the values before they were standardised, `[...]`."""
        return x[..., self.start] * self.stddev + self.mean

    def count(self, x):
        """Returns the whole numbers that were standardised, `[...]`."""
        value = x[..., self.start]
        if (self.mean, self.stddev) == (0.0, 1.0):
            return value
        value = self.raw(x)
        return np.round(value) if isinstance(value, np.ndarray) else tf.round(value)


def of_table(transform, number, integer, named):
    """Returns the fields of a table.

    Args:
        transform: `tfvae.transforms.Columns`.
        number: Spec of the likelihood of numbers.
        integer: Spec of the likelihood of whole numbers.
        named: Dict of the name of a column to the spec that takes their place.

    Raises:
        ValueError: If there is no such column.
    """
    names = [column["name"] for column in transform.columns]
    unknown = [name for name in named if name not in names]
    if unknown:
        raise ValueError(
            f"`mixed(columns=...)` names columns of the table, which has {', '.join(names)}. "
            f"Received {', '.join(map(repr, unknown))}."
        )
    found, start = [], 0
    for column in transform.columns:
        if column["kind"] == "category":
            found.append(Field(start, len(column["categories"])))
        else:
            usual = integer if column["kind"] == "integer" else number
            spec = str(components.read(named.get(column["name"], usual)))
            found.append(Field(start, 1, spec, column["mean"], column["stddev"]))
        start += found[-1].size
    return tuple(found)


def of_entries(entries):
    """Returns the fields of a tuple of specs and numbers of categories."""
    found, start = [], 0
    for entry in entries:
        if type(entry) is int and entry >= 2:
            found.append(Field(start, entry))
        elif isinstance(entry, str):
            found.append(Field(start, 1, str(components.read(entry))))
        else:
            raise ValueError(
                f"An entry of `columns` is the spec of a likelihood, or the number of elements of "
                f"a category, 2 or more. Received {entry!r}."
            )
        start += found[-1].size
    return tuple(found)
