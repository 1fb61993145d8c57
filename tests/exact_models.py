"""Models of the textbook whose posterior can be written down, in the terms of the objectives.

A discrete code is a function of standard normal noise too, by the inverse of its distribution
function, so that the objectives take these models as they take a VAE.
"""

import itertools

import numpy as np
import tensorflow as tf

from tfvae import noise


class Choice:
    """A distribution over 0, 1, ..., drawn from standard normal noise.

    Args:
        probabilities: `[batch, num]`, or `[num]` without a batch.
    """

    event_shape = (1,)

    def __init__(self, probabilities):
        self.probabilities = tf.constant(probabilities, tf.float32)
        self.log_probabilities = tf.math.log(self.probabilities)
        self.bijector = self  # no bijector, but it draws as one does

    def forward(self, eps):
        u = 0.5 * tf.math.erfc(-eps / 2**0.5)  # [..., batch, 1]
        ends = tf.cumsum(self.probabilities, axis=-1)[..., :-1]
        return tf.reduce_sum(tf.cast(u >= ends, tf.float32), axis=-1, keepdims=True)

    def log_prob(self, z):
        num = self.probabilities.shape[-1]
        chosen = tf.one_hot(tf.cast(z[..., 0], tf.int32), num)
        return tf.reduce_sum(chosen * self.log_probabilities, axis=-1)

    def kl_divergence(self, other):
        ratio = self.log_probabilities - other.log_probabilities
        return tf.reduce_sum(self.probabilities * ratio, axis=-1)


class Likelihoods:
    """p(x|k) of a model with a `log_joint`, for the examples of a batch."""

    def __init__(self, model, z):
        self.model, self.z = model, z

    def log_prob(self, x):
        table = self.model.log_joint(x) - np.log(self.model.weights)  # [batch, num]
        chosen = tf.one_hot(tf.cast(self.z[..., 0], tf.int32), table.shape[-1])
        return tf.reduce_sum(chosen * tf.constant(table, tf.float32), axis=-1)


def terms_of(objective, model, x, responsibilities, seed=0):
    """Returns what an objective says of a model with a discrete code.

    Args:
        objective: An `Objective`.
        model: Has `weights` and `log_joint(x)`.
        x: `[batch, *event]`.
        responsibilities: q(k|x), `[batch, num]`.
        seed: Int.
    """
    seeds = noise.row_seeds(noise.seed_of(seed), len(x))
    return objective(
        x,
        Choice(responsibilities),
        Choice(model.weights),
        lambda z: Likelihoods(model, z),
        step=0,
        seed=seeds,
    )


class Network:
    """Binary variables, each with a probability of being on for each state of its parents.

    Args:
        parents: Dict of variable to a tuple of its parents, parents first.
        tables: Dict of variable to an array `[2] * number of parents`: P(on | parents).
    """

    def __init__(self, parents, tables):
        self.parents = parents
        self.tables = {name: np.asarray(table, np.float64) for name, table in tables.items()}
        self.names = list(parents)
        #: Every state of all variables, [state, variable].
        self.states = np.array(list(itertools.product((0, 1), repeat=len(parents))))

    def joint(self):
        """Returns the probability of each state, by the product over the variables."""
        return np.prod([self._probability(name, self.states) for name in self.names], axis=0)

    def consistent(self, x):
        """Says which states agree with what is seen of each example, `[num, state]`; NaN is not."""
        x = np.asarray(x, np.float64)[:, np.newaxis]
        return np.all(np.isnan(x) | (x == self.states), axis=-1)

    def log_prob(self, x):
        """Returns the log-probability of what is seen of each example, `[num]`, in nats."""
        return np.log(self.consistent(x) @ self.joint())

    def responsibilities(self, x):
        """Returns the probability of every state given what is seen, `[num, state]`."""
        weights = self.consistent(x) * self.joint()
        return weights / weights.sum(axis=1, keepdims=True)

    def maximised(self, responsibilities):
        """Returns the network after an M-step: shares of expected counts."""
        counts = responsibilities.sum(axis=0)
        tables = {}
        for name, parents in self.parents.items():
            columns = [self.names.index(parent) for parent in parents]
            on = self.states[:, self.names.index(name)] == 1
            table = np.empty_like(self.tables[name])
            for values in itertools.product((0, 1), repeat=len(parents)):
                given = np.all(self.states[:, columns] == values, axis=1)
                table[values] = counts[given & on].sum() / counts[given].sum()
            tables[name] = table
        return Network(self.parents, tables)

    def query(self, name, evidence, seed, num):
        """Estimates P(name = on | evidence) by weighted sampling, and its standard error.

        Variables that are known keep their value and weigh the sample by its probability; the
        others are drawn given their parents.
        """
        u = noise.uniform(noise.row_seeds(noise.seed_of(seed), num), (len(self.names),)).numpy()
        x, weights = np.zeros((num, len(self.names)), int), np.ones(num)
        for i, variable in enumerate(self.names):
            on = self._on(variable, x)
            if variable in evidence:
                x[:, i] = evidence[variable]
                weights *= on if evidence[variable] else 1 - on
            else:
                x[:, i] = u[:, i] < on
        weights /= weights.sum()
        hits = x[:, self.names.index(name)]
        estimate = weights @ hits
        return estimate, np.sqrt(np.sum((weights * (hits - estimate)) ** 2))

    def _on(self, name, x):
        columns = [self.names.index(parent) for parent in self.parents[name]]
        return self.tables[name][tuple(x[:, column] for column in columns)] * np.ones(len(x))

    def _probability(self, name, x):
        on = self._on(name, x)
        return np.where(x[:, self.names.index(name)] == 1, on, 1 - on)
