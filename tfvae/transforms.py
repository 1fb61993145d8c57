"""What stands between the rows that people have and the examples that a model learns.

A data set that standardises its rows hands its transform to the model, which is saved with it, and
whose exports apply it: a served encoder takes rows as they came, a served decoder returns them.
"""

import numpy as np
import tensorflow as tf

KINDS = ("number", "integer", "category")


class Columns:
    """The columns of a table, to and from a vector.

        number, integer   x = (value - mean) / stddev, one element
        category          x = one_hot(code), an element for each category

    Args:
        columns: A dict for each column, in the order of a row: its `name` and `kind`, and `mean`
            and `stddev` of a number or integer, or the list of `categories` of a category, whose
            codes are their places in it.

    Raises:
        ValueError: If a kind is unknown or a standard deviation is not positive.

    Examples:
        >>> age = {"name": "age", "kind": "number", "mean": 40.0, "stddev": 10.0}
        >>> city = {"name": "city", "kind": "category", "categories": ["Bern", "Rome"]}
        >>> Columns([age, city]).encode([[50.0, 1.0]]).numpy().tolist()
        [[1.0, 0.0, 1.0]]
    """

    def __init__(self, columns):
        self.columns = [dict(column) for column in columns]
        for column in self.columns:
            if column["kind"] not in KINDS:
                raise ValueError(
                    f"A column is of one of the kinds {', '.join(KINDS)}. Received {column!r}."
                )
            if column["kind"] != "category" and not column["stddev"] > 0:
                raise ValueError(
                    f"The standard deviation of a column is positive. Received {column!r}. Leave "
                    f"out a column that is constant."
                )
        self._sizes = [len(column.get("categories", (None,))) for column in self.columns]

    @property
    def row_shape(self):
        """Shape of a row: its number of columns."""
        return (len(self.columns),)

    @property
    def event_shape(self):
        """Shape of an example."""
        return (sum(self._sizes),)

    def encode(self, rows):
        """Returns the examples of rows.

        Args:
            rows: Float tensor `[batch, num_columns]`, categories as codes. A code that is none
                becomes all zeros; a value that is missing, NaN, stays so in all its elements.

        Returns:
            x: float32 `[batch, *event_shape]`.
        """
        rows = tf.cast(rows, tf.float32)
        return tf.concat(
            [self._encoded(c, rows[..., i]) for i, c in enumerate(self.columns)], axis=-1
        )

    def decode(self, x, *, whole=False):
        """Returns the rows of examples, or of their means.

        Args:
            x: Float tensor `[batch, *event_shape]`.
            whole: Whether integers are rounded, as a draw should be and a mean should not.

        Returns:
            rows: float32 `[batch, num_columns]`; a category is the code of its largest element.
                What is missing stays NaN.
        """
        return self._each(x, lambda column, part: _decoded(column, part, whole))

    def decode_stddev(self, stddev):
        """Returns standard deviations in the units of the rows; 0 for a category, which has none.

        Args:
            stddev: Float tensor `[batch, *event_shape]`.

        Returns:
            stddev: float32 `[batch, num_columns]`.
        """
        return self._each(stddev, _decoded_stddev)

    def translate(self, rows, other):
        """Returns rows of other columns as rows of these: a category has the code that it has here.

        Codes are places in the list of the values that a table holds, so another table of the same
        columns may number its categories otherwise.

        Args:
            rows: Floats `[num, num_columns]` in the codes of `other`.
            other: `Columns` of the same names, from another table.

        Returns:
            rows: float32 NumPy array `[num, num_columns]`.

        Raises:
            ValueError: If the columns have other names or kinds, or a category is unknown here.

        Examples:
            >>> city = {"name": "city", "kind": "category", "categories": ["Bern", "Oslo", "Rome"]}
            >>> fewer = Columns([{**city, "categories": ["Bern", "Rome"]}])
            >>> Columns([city]).translate([[0.0], [1.0]], fewer).tolist()
            [[0.0], [2.0]]
        """
        names, given = (tuple(c["name"] for c in each.columns) for each in (self, other))
        if names != given:
            raise ValueError(
                f"Rows are of the columns that the model was trained on, in their order: "
                f"{', '.join(names)}. Received {', '.join(given)}. Choose them with "
                f"`columns={names!r}`."
            )
        rows = np.array(rows, np.float32)
        for i, (own, theirs) in enumerate(zip(self.columns, other.columns, strict=True)):
            if own.get("categories") != theirs.get("categories"):
                rows[:, i] = _recoded(rows[:, i], own, theirs)
        return rows

    def get_config(self):
        """Returns the arguments of the constructor, as JSON can hold them."""
        return {"columns": self.columns}

    def __eq__(self, other):
        return isinstance(other, Columns) and self.columns == other.columns

    def __hash__(self):
        return hash(repr(self.columns))

    def _encoded(self, column, values):
        if column["kind"] == "category":
            missing = tf.math.is_nan(values)
            codes = tf.cast(tf.round(tf.where(missing, -1.0, values)), tf.int32)
            code = tf.one_hot(codes, len(column["categories"]))
            return tf.where(missing[..., tf.newaxis], float("nan"), code)
        return ((values - column["mean"]) / column["stddev"])[..., tf.newaxis]

    def _each(self, x, function):
        parts = tf.split(x, self._sizes, axis=-1)
        pairs = zip(self.columns, parts, strict=True)
        return tf.stack([function(column, part) for column, part in pairs], axis=-1)


def revive(transform, event_shape):
    """Returns a transform, also from what `record` made of it.

    Args:
        transform: A `Columns`, its record, or None.
        event_shape: Shape of the examples that it must make.

    Raises:
        ValueError: If it makes examples of another shape.
    """
    if isinstance(transform, dict):
        transform = Columns(**transform)
    if transform is not None and transform.event_shape != event_shape:
        raise ValueError(
            f"`transform` makes examples of the model's event shape, {event_shape}. Received one "
            f"that makes {transform.event_shape}. Build the model with "
            f"`VAE(event_shape=transform.event_shape, ...)`."
        )
    return transform


def record(transform):
    """Returns a transform as text and numbers for a config, None for None."""
    return None if transform is None else transform.get_config()


def _recoded(codes, own, theirs):
    """Returns codes of the categories of one column in those of another; NaN stays."""
    if "categories" not in own or "categories" not in theirs:
        raise ValueError(
            f"The column `{own['name']}` is of the kind {own['kind']!r} in what the model was "
            f"trained on. Received the kind {theirs['kind']!r}. Say which, as in "
            f"`columns={{{own['name']!r}: {own['kind']!r}, ...}}`, or correct the file."
        )
    known = {text: code for code, text in enumerate(own["categories"])}
    unknown = [text for text in theirs["categories"] if text not in known]
    if unknown:
        raise ValueError(
            f"The column `{own['name']}` has the categories that the model was trained on: "
            f"{', '.join(map(repr, known))}. Received {', '.join(map(repr, unknown))} too. Leave "
            f"these rows out, or train on data that has them."
        )
    table = np.array([known[text] for text in theirs["categories"]], np.float32)
    there = ~np.isnan(codes)
    found = np.full_like(codes, np.nan)
    found[there] = table[np.rint(codes[there]).astype(int)]
    return found


def _decoded(column, part, whole):
    if column["kind"] == "category":
        code = tf.cast(tf.argmax(part, axis=-1, output_type=tf.int32), tf.float32)
        return tf.where(tf.math.is_nan(part[..., 0]), float("nan"), code)
    values = part[..., 0] * column["stddev"] + column["mean"]
    return tf.round(values) if whole and column["kind"] == "integer" else values


def _decoded_stddev(column, part):
    if column["kind"] == "category":
        return tf.zeros_like(part[..., 0])
    return part[..., 0] * column["stddev"]
