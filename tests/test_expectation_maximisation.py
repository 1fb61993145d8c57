"""EM's cousins: the objectives on models whose posterior is exact, and EM climbing the bound."""

import exact_models
import numpy as np
import pytest
import scipy.stats

from tfvae import components
from tfvae.evaluation import mixtures
from tfvae.objectives.base import Objective

EXACT = [
    "elbo(kl='monte_carlo')",
    "iwae(num_samples=5)",
    "miwae(num_bounds=2, samples_per_bound=3)",
]


def objective(spec):
    return components.build(Objective, spec)


@pytest.fixture(scope="module")
def points():
    """Three clouds of points in the plane."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [3.0, 1.0], [-1.0, 4.0]], [60, 100, 40], axis=0)
    return (centres + rng.normal(size=centres.shape) * [0.7, 1.1]).astype(np.float32)


@pytest.fixture(scope="module")
def mixture(points):
    """A Gaussian mixture after a few iterations of EM."""
    return mixtures.fit(points, 3, binary=False, num_iterations=4)[0]


def test_the_density_of_a_mixture_is_that_of_scipy(points, mixture):
    each = [
        weight * scipy.stats.multivariate_normal(mean, np.diag(variance)).pdf(points)
        for weight, mean, variance in zip(
            mixture.weights, mixture.means, mixture.variances, strict=True
        )
    ]
    np.testing.assert_allclose(mixture.log_prob(points), np.log(np.sum(each, axis=0)), rtol=1e-9)
    np.testing.assert_allclose(
        mixture.responsibilities(points), (each / np.sum(each, axis=0)).T, rtol=1e-9
    )


@pytest.mark.parametrize("spec", EXACT)
def test_every_bound_is_the_likelihood_at_the_responsibilities(spec, points, mixture):
    shares = mixture.responsibilities(points)
    terms = exact_models.terms_of(objective(spec), mixture, points, shares)
    # log p(x|k) + log p(k) - log p(k|x) = log p(x) for every k, in float32.
    np.testing.assert_allclose(terms.bound, mixture.log_prob(points), rtol=1e-4, atol=1e-4)


def check_gap(model, x, exact, other, log_prob):
    """Checks that the bound lies below log p(x) by KL(other || exact)."""
    gap = (other * np.log(np.maximum(other, 1e-30) / np.maximum(exact, 1e-300))).sum(axis=1)
    num = 400
    many = np.tile(x, (num, 1)), np.tile(other, (num, 1))
    bound = exact_models.terms_of(objective("elbo"), model, *many).bound
    draws = np.reshape(bound, (num, -1))
    error = draws.std(axis=0) / num**0.5
    difference = draws.mean(axis=0) - (log_prob - gap)
    assert np.all(np.abs(difference) < 5.5 * error + 1e-3)  # of some hundred examples
    return gap


def test_the_bound_is_below_it_by_the_divergence_for_any_other_encoder(points, mixture):
    exact = mixture.responsibilities(points)
    other = 0.6 * exact + 0.4 / 3
    assert np.all(check_gap(mixture, points, exact, other, mixture.log_prob(points)) > 0)


def test_em_climbs_the_bound_in_both_of_its_steps(points):
    shares = mixtures.fit(points, 3, binary=False, num_iterations=1)[0].responsibilities(points)
    before, seen = None, []
    for iterations in range(2, 7):
        model, history = mixtures.fit(points, 3, binary=False, num_iterations=iterations)
        # With the shares of before the M-step, the bound of the new model is no lower than what
        # it was for the old one: log p(x), by the E-step.
        bound = (shares * (model.log_joint(points) - np.log(shares))).sum(axis=1).mean()
        assert bound >= history[-1] - 1e-9
        assert model.log_prob(points).mean() >= bound - 1e-9
        shares = model.responsibilities(points)
        seen.append(bound)
        before = history
    assert np.all(np.diff(before) > 0)
    assert len(seen) == len(set(seen))


def test_em_finds_the_clouds(points):
    model, history = mixtures.fit(points, 3, binary=False, num_iterations=200)
    assert len(history) < 200  # it ends where it has come to rest
    order = np.argsort(-model.weights)
    # 200 points with deviations of about one: standard errors of about 0.15.
    np.testing.assert_allclose(model.means[order[0]], [3, 1], atol=0.5)
    np.testing.assert_allclose(model.means[order[1]], [0, 0], atol=0.5)
    np.testing.assert_allclose(model.weights[order], [0.5, 0.3, 0.2], atol=0.08)


def test_bernoullis_climb_without_smoothing_and_stay_finite_with_it():
    rng = np.random.default_rng(1)
    x = (rng.random((80, 6)) < rng.choice([0.1, 0.9], size=(80, 1))).astype(np.float32)
    x[:, 5] = 0  # never on
    _, history = mixtures.fit(x, 2, binary=True, smoothing=0.0)
    assert np.all(np.diff(history) > 0)
    model, _ = mixtures.fit(x, 2, binary=True)
    new = np.ones((1, 6), np.float32)
    assert np.isfinite(model.log_prob(new)).all()
    # One value of two for each of 6 elements.
    states = np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T
    assert np.exp(model.log_prob(states)).sum() == pytest.approx(1)


def test_more_components_than_examples_are_refused():
    with pytest.raises(ValueError, match="Received num_components=3"):
        mixtures.fit(np.zeros((2, 1)), 3, binary=False)


# The cloud that decides whether the sprinkler runs and whether it rains.

PARENTS = {"cloud": (), "sprinkler": ("cloud",), "rain": ("cloud",), "wet": ("sprinkler", "rain")}
TRUTH = exact_models.Network(
    PARENTS,
    {
        "cloud": 0.5,
        "sprinkler": [0.5, 0.1],
        "rain": [0.2, 0.8],
        "wet": [[0.05, 0.9], [0.9, 0.99]],
    },
)
GUESS = exact_models.Network(
    PARENTS,
    {
        "cloud": 0.4,
        "sprinkler": [0.6, 0.3],
        "rain": [0.4, 0.6],
        "wet": [[0.3, 0.6], [0.6, 0.8]],
    },
)


@pytest.fixture(scope="module")
def seen():
    """Draws of the network of which every fourth value is missing, the cloud more often."""
    rng = np.random.default_rng(0)
    x = TRUTH.states[rng.choice(len(TRUTH.states), size=400, p=TRUTH.joint())].astype(float)
    missing = rng.random(x.shape) < [0.7, 0.25, 0.25, 0.25]
    return np.where(missing, np.nan, x)


def em(network, x, num_iterations):
    """Yields the network and the mean of log p(x), before each iteration."""
    for _ in range(num_iterations):
        yield network, network.log_prob(x).mean()
        network = network.maximised(network.responsibilities(x))


def test_the_probabilities_of_the_states_add_up():
    assert TRUTH.joint().sum() == pytest.approx(1)
    assert len(TRUTH.states) == 16
    wet_without_water = TRUTH.joint()[np.all(TRUTH.states[:, 1:] == [0, 0, 1], axis=1)].sum()
    # P(no sprinkler, no rain, wet) = (0.5 0.5 0.8 + 0.5 0.9 0.2) 0.05
    assert wet_without_water == pytest.approx((0.2 + 0.09) * 0.05)


class Whole:
    """A network as a model whose code is the state of all variables, seen in part."""

    def __init__(self, network):
        self.weights = network.joint()
        self._network = network

    def log_joint(self, x):
        # p(x|state) is one where the state agrees with what is seen: -60 nats stands for never.
        return np.log(self.weights) + np.where(self._network.consistent(x), 0.0, -60.0)


@pytest.mark.parametrize("spec", EXACT)
def test_every_bound_is_the_likelihood_at_the_responsibilities_of_the_network(spec, seen):
    shares = np.maximum(GUESS.responsibilities(seen), 1e-30)
    terms = exact_models.terms_of(objective(spec), Whole(GUESS), seen, shares)
    np.testing.assert_allclose(terms.bound, GUESS.log_prob(seen), rtol=1e-4, atol=1e-4)  # float32


def test_the_bound_is_below_it_for_any_other_encoder_of_the_network(seen):
    x = seen[:100]
    exact, possible = GUESS.responsibilities(x), GUESS.consistent(x)
    other = 0.6 * exact + 0.4 * possible / possible.sum(axis=1, keepdims=True)
    other = np.maximum(other, 1e-30)
    gap = check_gap(Whole(GUESS), x, np.maximum(exact, 1e-30), other, GUESS.log_prob(x))
    several = possible.sum(axis=1) > 1  # with nothing missing there is nothing to be unsure of
    assert np.all(gap[several] > 0)
    np.testing.assert_allclose(gap[~several], 0, atol=1e-9)


def test_em_climbs_the_bound_of_the_network_in_both_of_its_steps(seen):
    shares, before = GUESS.responsibilities(seen), GUESS.log_prob(seen).mean()
    for _ in range(5):
        network = GUESS.maximised(shares)
        joint = np.log(network.joint()) - np.log(np.maximum(shares, 1e-300))
        bound = (shares * joint).sum(axis=1).mean()
        assert bound >= before - 1e-9  # the M-step, with the shares of the E-step before it
        shares, before = network.responsibilities(seen), network.log_prob(seen).mean()
        assert before >= bound - 1e-9


def test_em_climbs_with_missing_variables_to_what_explains_the_data_best(seen):
    networks, means = zip(*em(GUESS, seen, 60), strict=True)
    assert np.all(np.diff(means) > -1e-12)
    assert means[-1] > TRUTH.log_prob(seen).mean()  # the best fit is better than the truth
    # 400 examples with a quarter missing: standard errors of about 0.05, and the cloud, seen in
    # 120 of them, of about 0.1.
    for name in ("rain", "sprinkler", "wet"):
        np.testing.assert_allclose(networks[-1].tables[name], TRUTH.tables[name], atol=0.25)


def test_without_a_missing_variable_one_iteration_counts():
    x = np.repeat(TRUTH.states, np.round(1e4 * TRUTH.joint()).astype(int), axis=0)
    found = GUESS.maximised(GUESS.responsibilities(x))
    for name, table in TRUTH.tables.items():
        np.testing.assert_allclose(found.tables[name], table, atol=1e-3)  # counts are rounded


@pytest.mark.parametrize(
    ("name", "evidence"),
    [("rain", {"wet": 1}), ("rain", {"wet": 1, "sprinkler": 1}), ("cloud", {"sprinkler": 0})],
)
def test_a_query_by_weighted_sampling_agrees_with_enumeration(name, evidence):
    joint, states, names = TRUTH.joint(), TRUTH.states, TRUTH.names
    given = np.all([states[:, names.index(k)] == v for k, v in evidence.items()], axis=0)
    on = states[:, names.index(name)] == 1
    expected = joint[given & on].sum() / joint[given].sum()
    estimate, error = TRUTH.query(name, evidence, seed=3, num=20_000)
    assert error < 0.01
    assert abs(estimate - expected) < 5 * error


def test_a_cause_explains_another_away():
    wet, _ = TRUTH.query("rain", {"wet": 1}, seed=0, num=20_000)
    both, _ = TRUTH.query("rain", {"wet": 1, "sprinkler": 1}, seed=0, num=20_000)
    assert both < wet - 0.1
