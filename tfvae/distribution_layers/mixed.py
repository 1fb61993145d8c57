"""The likelihood of tables: numbers, counts and categories together."""

import dataclasses
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import components, noise
from tfvae.distribution_layers import draws
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class _Field:
    """What stands at one place of a row: a category of `size` elements, or an element by `spec`."""

    size: int = 1
    spec: str | None = None
    mean: float = 0.0
    stddev: float = 1.0


class MixedLayer(DistributionLayer, name="mixed"):
    """Reads a vector of parameters as a likelihood of its own for each column of a table.

        log p(x|z) = sum_columns log p_column(x_column | z)

        number     a density of the standardised value, by the likelihood `number`
        integer    a mass of the count as it came, by the likelihood `integer`
        category   softmax(logits)[code], a mass of the one element that is 1

    With `--dataset "table(...)"` the columns follow from the data set. The terms of densities are
    those of standardised values; add log(stddev) of a column for the density in its own unit.

    Args:
        event_shape: Length of one example.
        number: Spec of the likelihood of numbers: 'normal', 'laplace', 'student_t(df=3.0)', ...
        integer: Spec of the likelihood of whole numbers: 'negative_binomial' or 'poisson' for
            counts from 0; 'normal' where they may be negative.
        columns: A dict of names of columns to specs that take the place of `number` and `integer`;
            or, for data that is no table, a tuple with an entry for each column in order: a spec
            for one element, the number of its elements for a category.

    Call arguments:
        params: Float tensor `[batch, *params_shape]`.

    Returns:
        distribution: Batch shape `[batch]`, event shape `event_shape`. The mean of a category are
            the probabilities of its elements.

    Raises:
        ValueError: If the shape of `params` is another one, the columns aren't known, or a spec is
            that of no likelihood of single elements.

    Examples:
        >>> MixedLayer(5, columns=("normal", "poisson", 3)).params_shape
        (6,)

    References:
        [1] Nazabal et al., section 2.2. Handling incomplete heterogeneous data using VAEs.
            https://arxiv.org/abs/1807.03653
    """

    proposed = True

    def __init__(
        self,
        event_shape,
        *,
        number="normal",
        integer="negative_binomial",
        columns=None,
        **kwargs,
    ):
        super().__init__(event_shape, **kwargs)
        self.number, self.integer = number, integer
        self._named = dict(columns) if isinstance(columns, dict) else {}
        self._fields = None
        if columns is not None and not isinstance(columns, dict):
            self._put_together([_field_of(column) for column in columns])

    @property
    def support(self):
        """What the values of a column may be, for messages."""
        return "the support of the likelihood of each column"

    @property
    def params_shape(self):
        """The parameters of all columns, one after the other."""
        self._check_bound()
        each = (math.prod(layer.params_shape) for layer, _ in self._groups)
        return (sum(each) + sum(f.size for f in self._fields if f.spec is None),)

    def bind(self, transform):
        """Takes the columns of a table, where they aren't given as an option."""
        super().bind(transform)
        if transform is not None and (self._fields is None or self._named):
            known = [column["name"] for column in transform.columns]
            unknown = [name for name in self._named if name not in known]
            if unknown:
                raise ValueError(
                    f"`mixed(columns=...)` names columns of the table, which has "
                    f"{', '.join(known)}. Received {', '.join(map(repr, unknown))}."
                )
            self._put_together([self._field(column) for column in transform.columns])
        self._check_bound()

    def _field(self, column):
        """Returns the field of a column of a table."""
        if column["kind"] == "category":
            return _Field(size=len(column["categories"]))
        kind = self.integer if column["kind"] == "integer" else self.number
        spec = str(components.read(self._named.get(column["name"], kind)))
        return _Field(spec=spec, mean=column["mean"], stddev=column["stddev"])

    def _put_together(self, fields):
        """Builds a layer for each likelihood: columns that share a spec share one."""
        self._fields = tuple(fields)
        places = np.cumsum([0, *(field.size for field in fields)])[:-1]
        self._places = [int(place) for place in places]
        specs = dict.fromkeys(field.spec for field in fields if field.spec is not None)
        self._groups = []
        for spec in specs:
            members = [i for i, field in enumerate(fields) if field.spec == spec]
            layer = components.build(DistributionLayer, spec, (len(members),))
            layer.bind(None)
            self._groups.append((layer, members))

    def _check_bound(self):
        if self._fields is None:
            raise ValueError(
                "`mixed` follows the columns of a table: train on `--dataset \"table(path='...')\"`"
                ", or name the likelihood of each column, as in "
                "`mixed(columns=('normal', 'poisson', 3))` for a number, a count and a category of "
                "3 elements."
            )
        size = sum(field.size for field in self._fields)
        if self.event_shape != (size,):
            raise ValueError(
                f"The columns of `mixed` have {size} elements together, and the examples have the "
                f"shape {self.event_shape}. Give each column: a spec for one element, the number "
                f"of its elements for a category."
            )

    def _distribution(self, params):
        return tfd.Independent(_Mixed(self, self._parts(params)), 1)

    def _training_distribution(self, params):
        return tfd.Independent(_Mixed(self, self._parts(params, training=True)), 1)

    def _parts(self, params, training=False):
        """Returns the distribution of each group, and the logits of each category."""
        groups, logits, start = [], {}, 0
        for layer, _ in self._groups:
            size = math.prod(layer.params_shape)
            own = params[..., start : start + size]
            shape = tf.concat([tf.shape(own)[:-1], layer.params_shape], 0)
            own = tf.ensure_shape(
                tf.reshape(own, shape), (*params.shape[:-1], *layer.params_shape)
            )
            groups.append(layer(own, training=training))
            start += size
        for i, field in enumerate(self._fields):
            if field.spec is None:
                logits[i] = params[..., start : start + field.size]
                start += field.size
        return groups, logits

    def _sample(self, distribution, seed):
        parts = distribution.distribution
        columns = {}
        for number, (layer, members) in enumerate(self._groups):
            x = layer._sample(parts.groups[number], noise.fold_in(seed, number))
            columns |= self._columns(layer, members, x)
        u = noise.open_uniform(noise.fold_in(seed, len(self._groups)), (len(self._fields),))
        for i, logits in parts.logits.items():
            index = draws.category(u[..., i], tf.nn.softmax(logits))
            columns[i] = tf.one_hot(index, self._fields[i].size)
        return self._row(columns)

    def _columns(self, layer, members, values, moment="value"):
        """Returns the column of each member of a group, in the units of the examples, `[..., 1]`.

        What carries mass is read and drawn as it came, and standardised on the way out.
        """
        found = {}
        for place, i in enumerate(members):
            field, value = self._fields[i], values[..., place : place + 1]
            if layer.discrete:
                value = value if moment == "variance" else value - field.mean
                value = value / field.stddev ** (2 if moment == "variance" else 1)
            found[i] = value
        return found

    def _values(self, layer, members, x):
        """Returns what the layer of a group reads of examples, `[..., members]`."""
        found = []
        for i in members:
            field, value = self._fields[i], x[..., self._places[i]]
            if layer.discrete and (field.mean, field.stddev) != (0.0, 1.0):
                value = _round(value * field.stddev + field.mean)
            found.append(value)
        return found

    def _row(self, columns):
        return tf.concat([columns[i] for i in range(len(self._fields))], axis=-1)

    def _in_support(self, x):
        x = np.asarray(x, np.float32)
        if x.shape[-1:] != self.event_shape:
            return True
        groups = all(
            layer._in_support(np.stack(self._values(layer, members, x), axis=-1))
            for layer, members in self._groups
        )
        return groups and all(
            _is_one_hot(x[..., self._places[i] : self._places[i] + field.size])
            for i, field in enumerate(self._fields)
            if field.spec is None
        )

    def _remedy(self):
        if self.transform is None:
            return ""
        names = [c["name"] for c in self.transform.columns if c["kind"] == "integer"]
        return (
            f"Whole numbers that may be negative are no counts: `mixed(integer='normal')`, or "
            f"`mixed(columns={{{(names or ['NAME'])[0]!r}: 'normal'}})` for one of them."
        )

    def _reports(self, params):
        start, found = 0, {}
        for layer, members in self._groups:
            size = math.prod(layer.params_shape)
            own = tf.reshape(params[:, start : start + size], (-1, *layer.params_shape))
            for name, share in layer.reports(own).items():
                found[name] = found.get(name, 0.0) + share * len(members) / len(self._fields)
            start += size
        return found


class _Mixed(Elementwise):
    """A term for each element: that of a category stands at its first one, zero at the others."""

    def __init__(self, layer, parts):
        parameters = dict(locals())
        self._layer = layer
        self.groups, self.logits = parts
        rows = tf.concat([g.mean() for g in self.groups] + list(self.logits.values()), axis=-1)
        super().__init__(rows, parameters)

    def _log_prob(self, x):
        layer, columns = self._layer, {}
        for (member, places), group in zip(layer._groups, self.groups, strict=True):
            values = tf.stack(layer._values(member, places, x), axis=-1)
            terms = member.element_log_prob(group, values)
            for j, i in enumerate(places):
                columns[i] = terms[..., j : j + 1]
        for i, logits in self.logits.items():
            size, start = layer._fields[i].size, layer._places[i]
            term = tf.reduce_sum(x[..., start : start + size] * tf.nn.log_softmax(logits), -1)
            zeros = tf.zeros([size - 1])
            columns[i] = term[..., tf.newaxis] * tf.concat([[1.0], zeros], 0)
        return layer._row(columns)

    def _mean(self):
        return self._moment("mean", tf.nn.softmax)

    def _variance(self):
        return self._moment("variance", lambda logits: _spread(tf.nn.softmax(logits)))

    def _moment(self, name, of_logits):
        layer = self._layer
        columns = {i: of_logits(logits) for i, logits in self.logits.items()}
        for (member, places), group in zip(layer._groups, self.groups, strict=True):
            columns |= layer._columns(member, places, getattr(group, name)(), name)
        return layer._row(columns)


def _spread(probs):
    return probs * (1 - probs)


def _field_of(column):
    """Returns the field of an entry of the option `columns`."""
    if type(column) is int and column >= 2:
        return _Field(size=column)
    if isinstance(column, str):
        return _Field(spec=str(components.read(column)))
    raise ValueError(
        f"An entry of `columns` is the spec of a likelihood, or the number of elements of a "
        f"category, 2 or more. Received {column!r}."
    )


def _round(value):
    return np.round(value) if isinstance(value, np.ndarray) else tf.round(value)


def _is_one_hot(x):
    return bool(np.all((x == 0) | (x == 1)) and np.all(x.sum(axis=-1) == 1))
