"""Data sets of rows of columns, whatever they come from."""

import dataclasses

import numpy as np

from tfvae.datasets.stored import StoredDataset

_MOST_NAMED = 8
# Of the standard deviation: from here on rounding is worth a remedy.
_MUCH = 1e-3


class TabularDataset(StoredDataset):
    """A data set of rows, standardised with the statistics of its training split.

    The constructor of a member ends with `_hold_table`, which hands on the transform that a model
    carries into its exports.
    """

    def _hold_table(self, table, parts, shares, name, notes=()):
        """Standardises the rows of a table and takes them over.

        Args:
            table: A `tables.Table`.
            parts: Dict of splits to a `Part` of its rows, as of `_divide`.
            shares: `splits.Shares`.
            name: Names the source in notes.
            notes: What else has been done to the data.
        """
        raw, found = self._parted(parts, shares)
        transform = table.fit(raw["train"].examples)
        splits = {
            split: dataclasses.replace(part, examples=np.array(transform.encode(part.examples)))
            for split, part in raw.items()
        }
        own = _notes(transform, table, name)
        self._hold(splits, notes=[*notes, *own, *found], transform=transform)

    def adopt(self, transform):
        """Standardises the rows as those that a model was trained on, by its transform."""
        own = self.transform
        if transform is None or own is None or transform == own:
            super().adopt(transform)
            return
        for split, part in self._parts.items():
            rows = transform.translate(own.decode(part.examples, whole=True), own)
            x = np.array(transform.encode(rows))
            self._parts[split] = dataclasses.replace(part, examples=x)
        self.transform, self.event_shape = transform, transform.event_shape
        said = "The rows were standardised as those that the model was trained on."
        self.notes = (*self.notes, said)
        self.__dict__.pop("_digest", None)


def _notes(transform, table, name):
    """Yields what becomes of each column, and how many of its values are missing."""
    missing = np.isnan(table.rows).sum(axis=0)
    for column, num in zip(transform.columns, missing, strict=True):
        called = f"{name}: `{column['name']}`"
        if num:
            yield f"{called}: {num:,} values are missing and left out by the likelihood."
        if column["kind"] == "category":
            pairs = [f"{code} {text!r}" for code, text in enumerate(column["categories"])]
            more = f", ... ({len(pairs)})" if len(pairs) > _MOST_NAMED else ""
            yield f"{called}: {', '.join(pairs[:_MOST_NAMED])}{more}."
        else:
            yield (
                f"{called} ({column['kind']}) was standardised: mean {column['mean']:.6g}, "
                f"standard deviation {column['stddev']:.6g}"
                f"{_on_rounding(table.rounding[column['name']], column['stddev'])}."
            )


def _on_rounding(distance, stddev):
    if not distance:
        return ""
    said = f"; its values were cast to float32, which moves them by up to {distance:.2g}"
    if distance <= _MUCH * stddev:
        return said
    return (
        f"{said}, {distance / stddev:.2g} of the standard deviation: subtract a constant from the "
        f"column first"
    )
