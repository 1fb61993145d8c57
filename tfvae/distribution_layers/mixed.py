"""The likelihood of tables: numbers, counts and categories together."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import components, noise
from tfvae.distribution_layers import draws, fields
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distribution_layers.elements import Elementwise

tfd = tfp.distributions

_LEAST = 1e-3  # probability of a category that a decoder begins with


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
        [1] Nazabal et al. Handling incomplete heterogeneous data using VAEs.
            https://arxiv.org/abs/1807.03653
    """

    proposed = True
    support = "the support of the likelihood of each column"

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
        self._fields: tuple = ()
        self._groups: list = []
        if columns is not None and not isinstance(columns, dict):
            self._put_together(fields.of_entries(columns))

    @property
    def params_shape(self):
        """The parameters of all columns, one after the other."""
        self._check_bound()
        categories = sum(field.size for field in self._fields if field.spec is None)
        return (sum(math.prod(layer.params_shape) for layer, _ in self._groups) + categories,)

    @property
    def measure(self):
        """The measures of the columns: mass of a category or count, density of a number."""
        kinds = {p: layer.measure for layer, places in self._groups for p in places}
        return ", ".join(kinds.get(place, "mass") for place in range(len(self._fields)))

    @property
    def has_reports(self):
        """Whether a column has something to report."""
        return any(layer.has_reports for layer, _ in self._groups)

    def bind(self, transform):
        """Takes the columns of a table, where they aren't given as an option."""
        super().bind(transform)
        if transform is not None and (not self._fields or self._named):
            self._put_together(fields.of_table(transform, self.number, self.integer, self._named))
        self._check_bound()

    def _put_together(self, found):
        """Builds a layer for each likelihood: columns that share a spec share one."""
        self._fields, self._groups = found, []
        for spec in dict.fromkeys(field.spec for field in found if field.spec is not None):
            places = [i for i, field in enumerate(found) if field.spec == spec]
            layer = components.build(DistributionLayer, spec, (len(places),))
            _check_column(layer)
            layer.bind(None)
            self._groups.append((layer, places))

    def _check_bound(self):
        if not self._fields:
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
        return tfd.Independent(_Mixed(self, *self._parts(params, training=False)), 1)

    def _training_distribution(self, params):
        return tfd.Independent(_Mixed(self, *self._parts(params, training=True)), 1)

    def _parts(self, params, training):
        """Returns the distribution of each group, and the logits of each category by its place."""
        groups, logits, start = [], {}, 0
        for layer, _ in self._groups:
            shape = layer.params_shape
            own = params[..., start : start + math.prod(shape)]
            wide = tf.reshape(own, tf.concat([tf.shape(own)[:-1], shape], 0))
            wide = tf.ensure_shape(wide, (*own.shape[:-1], *shape))
            groups.append(layer(wide, training=training))
            start += math.prod(shape)
        for place, field in enumerate(self._fields):
            if field.spec is None:
                logits[place] = params[..., start : start + field.size]
                start += field.size
        return groups, logits

    def _params_at(self, mean):
        found = []
        for layer, places in self._groups:
            columns = [self._fields[place] for place in places]
            own = [f.raw(mean) if layer.discrete else mean[f.start] for f in columns]
            params = layer.params_at(np.array(own))
            found.append(np.zeros(layer.params_shape) if params is None else params)
        for field in self._fields:
            if field.spec is None:
                found.append(np.log(np.maximum(field.of(mean), _LEAST)))
        return np.concatenate([np.ravel(params) for params in found])

    def _sample(self, distribution, seed):
        parts = distribution.distribution
        drawn = [
            layer._sample(group, noise.fold_in(seed, number))
            for number, ((layer, _), group) in enumerate(
                zip(self._groups, parts.groups, strict=True)
            )
        ]
        u = noise.open_uniform(noise.fold_in(seed, len(drawn)), (len(self._fields),))
        categories = {
            place: tf.one_hot(
                draws.category(u[..., place], tf.nn.softmax(logits)), logits.shape[-1]
            )
            for place, logits in parts.logits.items()
        }
        return self._row(drawn, categories, power=1)

    def _row(self, values, categories, power):
        """Puts values of the groups, moments of that power, together with those of categories.

        What carries mass is a count as it came, and standardised here.
        """
        columns = dict(categories)
        for (layer, places), value in zip(self._groups, values, strict=True):
            for i, place in enumerate(places):
                column, field = value[..., i : i + 1], self._fields[place]
                if layer.discrete:
                    shift = field.mean if power == 1 else 0.0
                    column = (column - shift) / field.stddev**power
                columns[place] = column
        return tf.concat([columns[place] for place in range(len(self._fields))], axis=-1)

    def _values(self, layer, places, x):
        """Returns the columns that the layer of a group reads, one by one."""
        chosen = [self._fields[place] for place in places]
        return [f.count(x) if layer.discrete else x[..., f.start] for f in chosen]

    def _in_support(self, x):
        x = np.asarray(x, np.float32)
        groups = all(
            layer._in_support(np.stack(self._values(layer, places, x), axis=-1))
            for layer, places in self._groups
        )
        categories = (field.of(x) for field in self._fields if field.spec is None)
        return groups and all(
            np.all((one == 0) | (one == 1)) and np.all(one.sum(axis=-1) == 1) for one in categories
        )

    def check_range(self, least, greatest):
        """Refuses nothing: the range of all columns together says nothing of one."""

    def check_missing(self, x=None):
        """Refuses missing values where the likelihood of a column does, and parts of categories."""
        for layer, _ in self._groups:
            layer.check_missing()
        for field in self._fields if x is not None else ():
            missing = np.isnan(field.of(x))
            if field.spec is None and (missing.any(axis=-1) != missing.all(axis=-1)).any():
                raise ValueError(
                    f"The elements of a category are missing together. Of the elements "
                    f"{field.start} to {field.start + field.size - 1} some are NaN and others are "
                    f"not in one example. Make all of them NaN where the category is unknown."
                )

    def _remedy(self):
        columns = () if self.transform is None else self.transform.columns
        names = [column["name"] for column in columns if column["kind"] == "integer"]
        if not names:
            return ""
        return (
            f"Whole numbers that may be negative are no counts: `mixed(integer='normal')`, or "
            f"`mixed(columns={{{names[0]!r}: 'normal'}})` for one of them."
        )

    def _reports(self, params):
        start = 0
        found: dict = {}
        for layer, places in self._groups:
            size = math.prod(layer.params_shape)
            own = tf.reshape(params[:, start : start + size], (-1, *layer.params_shape))
            for name, share in layer.reports(own).items():
                found[name] = found.get(name, 0.0) + share * len(places) / len(self._fields)
            start += size
        return found


def _check_column(layer):
    """Refuses what is no likelihood of the columns that share it, one by one."""
    if not layer.is_likelihood:
        raise ValueError(
            f"Each column of `mixed` has a likelihood of single elements. Received "
            f"`{layer.spec}`, a posterior. Choose another, such as `normal` or `laplace`."
        )
    zeros = tf.zeros([1, *layer.params_shape])
    layer.element_log_prob(layer(zeros), tf.zeros([1, *layer.event_shape]))  # or it says why not


class _Mixed(Elementwise):
    """A term for each element: of a category, that of the one element that is 1."""

    def __init__(self, layer, groups, logits):
        parameters = dict(locals())
        self._layer, self.groups, self.logits = layer, groups, logits
        rows = tf.concat([group.mean() for group in groups] + [*logits.values()], axis=-1)
        super().__init__(rows, parameters)

    def _log_prob(self, x):
        columns: dict = {}
        for (layer, places), group in zip(self._layer._groups, self.groups, strict=True):
            values = tf.stack(self._layer._values(layer, places, x), axis=-1)
            if layer.discrete:  # any number may stand for a value that is missing
                values = tf.maximum(values, 0.0)
            terms = layer.element_log_prob(group, values)
            columns |= {place: terms[..., i : i + 1] for i, place in enumerate(places)}
        for place, logits in self.logits.items():
            # Only zeros are left where the element that is 1 is missing, whatever fills it.
            columns[place] = self._layer._fields[place].of(x) * tf.nn.log_softmax(logits)
        return tf.concat([columns[place] for place in range(len(columns))], axis=-1)

    def _mean(self):
        probs = {place: tf.nn.softmax(logits) for place, logits in self.logits.items()}
        return self._layer._row([group.mean() for group in self.groups], probs, power=1)

    def _variance(self):
        probs = {place: tf.nn.softmax(logits) for place, logits in self.logits.items()}
        spread = {place: p * (1 - p) for place, p in probs.items()}
        return self._layer._row([group.variance() for group in self.groups], spread, power=2)
