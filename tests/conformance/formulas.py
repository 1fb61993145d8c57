"""Densities and masses by scipy, in the textbook's form: what distribution layers are held to."""

import numpy as np
import scipy.special
import scipy.stats

#: A grid that is fine where a density has a peak, and reaches far out for heavy tails.
FINE_IN_THE_MIDDLE = np.sinh(np.linspace(-12, 12, 40_001)) / 100

#: The columns of a table, for likelihoods that follow them: 7 elements.
COLUMNS = (
    {"name": "height", "kind": "number", "mean": 1.7, "stddev": 0.1},
    {"name": "children", "kind": "integer", "mean": 3.0, "stddev": 2.0},
    {"name": "city", "kind": "category", "categories": ["Bern", "Lima", "Rome"]},
    {"name": "weight", "kind": "number", "mean": 70.0, "stddev": 12.0},
    {"name": "cars", "kind": "integer", "mean": 1.5, "stddev": 0.5},
)

_VARIANCES = {
    "exp": np.exp,
    "softplus": lambda a: np.log1p(np.exp(a)),
    "square": np.square,
    "relu": lambda a: np.maximum(a, 0),
}


def _halves(params):
    return np.split(params.astype(np.float64), 2, axis=-1)


def normal(layer, params, x):
    """Gaussian, for every covariance and map of variances."""
    options = layer.spec.options
    loc, raw = params.astype(np.float64), None
    if options["stddev"] or options["covariance"] == "unit":
        return scipy.stats.norm.logpdf(x, loc, options["stddev"] or 1.0)
    if options["covariance"] == "diagonal":
        loc, raw = _halves(params)
    elif options["covariance"] == "isotropic":
        loc, raw = params[..., :-1], params[..., -1].mean(dtype=np.float64)
    else:
        (raw,) = (np.float64(w) for w in layer.get_weights())
    variance = _VARIANCES[options["variance"]](raw)
    if options["variance"] != "exp":
        variance = np.maximum(variance, options["floor"])
    return scipy.stats.norm.logpdf(x, loc, np.sqrt(variance))


def full_normal(layer, params, x):
    """Gaussian with a full covariance: one number for the event."""
    loc, tril = _loc_and_tril(layer, params)
    return scipy.stats.multivariate_normal.logpdf(x, loc, tril @ tril.T)


def full_correlation(layer, params):
    """Correlations of the elements of a Gaussian with a full covariance."""
    _, tril = _loc_and_tril(layer, params)
    covariance = tril @ tril.T
    scale = np.sqrt(np.diag(covariance))
    return covariance / np.outer(scale, scale)


def _loc_and_tril(layer, params):
    (n,) = layer.event_shape
    loc, log_variance, below = np.split(params.astype(np.float64), [n, 2 * n])
    tril = np.diag(np.exp(log_variance / 2))
    tril[np.tril_indices(n, -1)] = below / n**0.5
    return loc, tril


def optimal_normal(layer, params, x):
    """Gaussian with the stored variance."""
    optima, weights = layer.get_weights()
    return scipy.stats.norm.logpdf(x, params, np.sqrt(np.float64(optima) / weights))


def laplace(layer, params, x):
    """Laplace."""
    del layer
    loc, log_scale = _halves(params)
    return scipy.stats.laplace.logpdf(x, loc, np.exp(log_scale))


def student_t(layer, params, x):
    """Student's t, its degrees of freedom given or learned."""
    loc, log_scale = _halves(params)
    df = layer.spec.options["df"] or 2 + np.exp(np.float64(layer.get_weights()[0]))
    return scipy.stats.t.logpdf(x, df, loc, np.exp(log_scale))


def continuous_bernoulli(layer, params, x):
    """An exponential distribution that is cut off at 1, or its mirror image."""
    del layer
    rate = -params.astype(np.float64)
    falling = scipy.stats.truncexpon.logpdf(x * np.abs(rate), np.abs(rate)) + np.log(np.abs(rate))
    return np.where(rate > 0, falling, falling + np.abs(rate) * (2 * x - 1))


def levels(layer):
    """The values of a likelihood of levels."""
    return layer.step * np.arange(layer.levels)


def _index(layer, x):
    return np.round(np.asarray(x, np.float64) / layer.step)


def beta_binomial(layer, params, x):
    """Beta-binomial."""
    logit, log_size = _halves(params)
    a, b = (np.exp(log_size) * scipy.special.expit(sign * logit) for sign in (1, -1))
    return scipy.stats.betabinom.logpmf(_index(layer, x), layer.levels - 1, a, b)


def categorical(layer, params, x):
    """The logarithm of a softmax, at the level of each element."""
    logits = scipy.special.log_softmax(params.astype(np.float64), axis=-1)
    index = _index(layer, x).astype(int)[..., np.newaxis]
    return np.take_along_axis(logits, index, axis=-1)[..., 0]


def _logistic_mass(layer, loc, log_scale, x):
    index, half = _index(layer, x), (layer.levels - 1) / 2
    logistic = scipy.stats.logistic(half * (loc + 1), half * np.exp(log_scale))
    upper = np.where(index == layer.levels - 1, np.inf, index + 0.5)
    lower = np.where(index == 0, -np.inf, index - 0.5)
    # Of the two tails the one that is small, which keeps its digits.
    by_cdf = logistic.cdf(upper) - logistic.cdf(lower)
    by_sf = logistic.sf(lower) - logistic.sf(upper)
    return np.where(index < half * (loc + 1), by_cdf, by_sf)


def discretized_logistic(layer, params, x):
    """Differences of the logistic distribution function."""
    return np.log(_logistic_mass(layer, *_halves(params), x))


def logistic_mixture(layer, params, x):
    """Weighted sums of differences of logistic distribution functions."""
    logits, loc, log_scale = np.split(params.astype(np.float64), 3, axis=-1)
    each = _logistic_mass(layer, loc, log_scale, np.asarray(x)[..., np.newaxis])
    return np.log((scipy.special.softmax(logits, axis=-1) * each).sum(axis=-1))


def poisson(layer, params, x):
    """Poisson."""
    del layer
    return scipy.stats.poisson.logpmf(x, np.exp(params.astype(np.float64)))


def negative_binomial(layer, params, x):
    """Negative binomial, by its size and the probability of a success."""
    del layer
    log_mean, log_size = _halves(params)
    size = np.exp(log_size)
    return scipy.stats.nbinom.logpmf(x, size, size / (size + np.exp(log_mean)))


def rows(layer):
    """Examples of a likelihood of tables, `[num, 7]`."""
    rng = np.random.default_rng(0)
    numbers, counts = rng.normal(size=(60, 2)), rng.poisson([3.0, 1.5], size=(60, 2))
    if layer.transform is not None:
        counts = (counts - [3.0, 1.5]) / [2.0, 0.5]
    else:
        counts[:, 1] -= 1  # a number with a Gaussian there
    city = np.eye(3)[rng.integers(3, size=60)]
    return np.column_stack([numbers[:, 0], counts[:, 0], city, numbers[:, 1], counts[:, 1]])


def mixed(layer, params, x):
    """The likelihood of each column; one number for the event."""
    p, x = params.astype(np.float64), np.asarray(x, np.float64)
    if layer.transform is None:  # laplace, poisson, category, two normals that share a layer
        terms = [
            scipy.stats.laplace.logpdf(x[0], p[0], np.exp(p[1])),
            scipy.stats.poisson.logpmf(x[1], np.exp(p[2])),
            scipy.stats.norm.logpdf(x[5:], p[3:5], np.exp(p[5:7] / 2)).sum(),
            scipy.special.log_softmax(p[7:]) @ x[2:5],
        ]
    else:  # two normals, two counts, a category
        counts = np.round(x[[1, 6]] * [2.0, 0.5] + [3.0, 1.5])
        terms = [
            scipy.stats.norm.logpdf(x[[0, 5]], p[0:2], np.exp(p[2:4] / 2)).sum(),
            negative_binomial(None, p[4:8], counts).sum(),
            scipy.special.log_softmax(p[8:]) @ x[2:5],
        ]
    return sum(terms)


def mixed_correlation(layer, params):
    """Correlations of the elements of a row: those of a category exclude each other."""
    del layer
    probs = scipy.special.softmax(params[-3:].astype(np.float64))
    covariance = np.diag(probs) - np.outer(probs, probs)
    scale = np.sqrt(np.diag(covariance))
    correlation = np.eye(7)
    correlation[2:5, 2:5] = covariance / np.outer(scale, scale)
    return correlation
