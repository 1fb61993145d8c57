"""What single likelihoods promise beyond the laws of their family."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from pipelines import cli, train
from tfvae import components, noise, transforms
from tfvae.distribution_layers import draws, fitting
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distributions import DiagonalNormal
from tfvae.training.reports import Reports

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (50, 6)).astype(np.float32) / 255
COLUMNS = transforms.Columns(
    [
        {"name": "height", "kind": "number", "mean": 1.7, "stddev": 0.1},
        {"name": "balance", "kind": "integer", "mean": 3.0, "stddev": 2.0},
        {"name": "city", "kind": "category", "categories": ["Bern", "Lima", "Rome"]},
    ]
)


def build(spec, event_shape=(6,), transform=None):
    layer = components.build(DistributionLayer, spec, event_shape)
    layer.bind(transform)
    return layer


def params_of(layer, batch, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, *layer.params_shape)).astype(np.float32)


def refusal(layer, x):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        layer.check_data(x)
    return str(caught.value)


# Data that doesn't fit.


@pytest.mark.parametrize(
    ("spec", "x", "proposed"),
    [
        ("bernoulli", GREY, ["continuous_bernoulli", "discretized_logistic", "normal"]),
        (
            "discretized_logistic",
            np.round(GREY * 16) / 16,
            ["continuous_bernoulli", "discretized_logistic(levels=17)", "normal"],
        ),
        ("bernoulli", np.round(GREY * 30), ["negative_binomial", "normal", "full_normal"]),
        ("poisson", np.round(GREY * 30) - 5, ["normal", "full_normal", "laplace"]),
        ("continuous_bernoulli", GREY - 1.23, ["normal", "full_normal", "laplace"]),
    ],
)
def test_a_refusal_names_likelihoods_that_fit(spec, x, proposed):
    x = x.astype(np.float32)
    message = refusal(build(spec), x)
    listed = " or ".join(f'`--likelihood "{other}"`' for other in proposed)
    assert message.endswith(f"Choose one that fits: {listed}.")
    for other in proposed:
        build(other).check_data(x)


def test_a_table_with_categories_is_offered_the_likelihood_of_tables():
    rows = np.array([[1.8, 2, 0], [1.6, 5, 2], [1.7, 3, 1]], np.float32)
    x = COLUMNS.encode(rows).numpy()
    message = refusal(build("bernoulli", (5,), COLUMNS), x)
    assert 'Choose one that fits: `--likelihood "mixed"` or `--likelihood "normal"`' in message
    build("mixed", (5,), COLUMNS).check_data(x)


def test_whole_numbers_below_zero_are_told_from_counts():
    x = COLUMNS.encode(np.array([[1.8, -2, 0], [1.6, 5, 2]], np.float32)).numpy()
    message = refusal(build("mixed", (5,), COLUMNS), x)
    assert "`mixed(integer='normal')`, or `mixed(columns={'balance': 'normal'})`" in message
    build("mixed(columns={'balance': 'normal'})", (5,), COLUMNS).check_data(x)


def test_the_range_of_two_columns_is_no_row_of_them():
    height, balance, _ = COLUMNS.columns
    layer = build("mixed", (2,), transforms.Columns([balance, height]))
    x = layer.transform.encode(np.array([[0, 1.5], [9, 1.9]], np.float32)).numpy()
    layer.check_data(x)
    layer.check_range(-2.0, 3.0)  # 9 is the greatest value, and -2 stands for the least number
    with pytest.raises(ValueError, match=r"is defined for values in \{0, 1\}"):
        build("bernoulli", (2,)).check_range(0.0, 0.5)


def test_a_run_is_refused_before_training_for_one_bad_value_among_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).poisson(5, (4000, 3)).astype(np.float32)
    x[-1, -1] = -1
    np.save("x.npy", x)
    with pytest.raises(cli.UsageError) as caught:
        train.main(["--dataset", "arrays(path='x.npy', test=0)", "--likelihood", "poisson"])
    assert "`poisson` is defined for values in {0, 1, 2, ...}. Received data" in str(caught.value)
    assert "values from -1 to" in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_every_likelihood_is_proposed_with_options_that_fit_or_not_at_all():
    kinds = (GREY, np.round(GREY), np.round(GREY * 4) / 4, np.round(GREY * 9), GREY * 8 - 4)
    for x in kinds:
        found = fitting.proposals(DistributionLayer, (6,), x.astype(np.float32), num=99)
        assert {"normal", "laplace", "student_t"} <= {components.read(s).name for s in found}
        for spec in found:
            build(spec).check_data(x.astype(np.float32))


# The Gaussian.


def test_the_default_gaussian_is_the_exp_of_a_log_variance():
    params = params_of(build("normal"), 4)
    loc, log_variance = params[:, :6], params[:, 6:]
    found, expected = build("normal")(params), DiagonalNormal(loc, 0.5 * log_variance)
    np.testing.assert_array_equal(found.log_prob(GREY[:4]), expected.log_prob(GREY[:4]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("normal(variance='log')", "`variance` is one of 'exp', 'softplus', 'square', 'relu'."),
        ("normal(covariance='full')", "A full one is `full_normal`."),
        ("normal(stddev=0)", "`stddev` is a positive number, or None to learn it."),
        ("normal(stddev=1, covariance='unit')", "so it stands alone: `normal(stddev=1)`"),
        ("normal(floor=0)", "`floor` is the least variance, a positive number"),
        ("optimal_normal(decay=1)", "`decay` is a number from 0 to below 1."),
        ("optimal_normal(floor=0)", "`floor` is the least variance, a positive number"),
        ("student_t(df=2)", "`df` is a number above 2"),
        ("categorical(levels=1)", "`levels` is the number of different values, from 2 to"),
        ("beta_binomial(step=0)", "`step` is the distance of two levels"),
        ("logistic_mixture(components=0)", "`components` is the number of logistics"),
        ("mixed", "`mixed` follows the columns of a table"),
        ("mixed(columns=('normal', 2))", "of `mixed` have 3 elements together"),
        ("mixed(columns=('normal', 1))", "An entry of `columns` is the spec of a likelihood"),
    ],
)
def test_an_option_that_makes_no_likelihood_is_refused(spec, message):
    with pytest.raises(ValueError, match=f".*{message.replace('(', '.').replace(')', '.')}"):
        build(spec)


def test_a_full_gaussian_on_images_is_refused():
    with pytest.raises(ValueError, match=r"is over vectors: .* Choose `normal`\."):
        build("full_normal", (4, 4, 1))


def test_a_variance_that_a_floor_holds_up_is_reported(capsys):
    x = tf.constant(GREY)
    vae = tfvae.VAE((6,), 2, likelihood="normal(variance='relu')", network="mlp(hidden=())")
    _, bias = vae.decoder.get_weights()
    bias[6:] = [-9, -9, -9, 9, 9, 9]  # three of six variances below zero, whatever the code
    vae.decoder.set_weights([np.zeros((2, 12)), bias])
    reports = Reports(tf.data.Dataset.from_tensors(x))
    reports.set_model(vae)
    logs: dict = {}
    reports.on_epoch_end(3, logs)
    assert logs == {"val_likelihood_variance_at_floor": 0.5}
    said = capsys.readouterr().out
    assert said.startswith("Epoch 4: 50.00% of what the likelihood gives of 50 examples is at the ")
    assert float(tf.reduce_min(vae.likelihood(tf.zeros([1, 2])).variance())) == pytest.approx(1e-6)


def test_a_gaussian_without_a_floor_reports_nothing(capsys):
    reports = Reports(tf.data.Dataset.from_tensors(tf.constant(GREY)))
    reports.set_model(tfvae.VAE((6,), 2, likelihood="normal", network="mlp(hidden=())"))
    logs: dict = {}
    reports.on_epoch_end(0, logs)
    assert logs == {}
    assert capsys.readouterr().out == ""


# The optimal variance.


def test_the_optimal_variance_is_the_mean_squared_error_of_the_batch():
    layer = build("optimal_normal")
    loc = params_of(layer, 50)
    squares = (GREY - loc) ** 2
    log_prob = layer(loc, training=True).log_prob(GREY)
    expected = scipy.stats.norm.logpdf(GREY, loc, np.sqrt(squares.mean())).sum(axis=1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
    for v in (0.9 * squares.mean(), 1.1 * squares.mean()):
        other = scipy.stats.norm.logpdf(GREY, loc, np.sqrt(v)).sum()
        assert float(tf.reduce_sum(log_prob)) > other


def test_its_gradient_is_that_of_a_gaussian_with_the_optimum_held_fixed():
    layer = build("optimal_normal")
    loc = tf.constant(params_of(layer, 50))
    v = float(tf.reduce_mean((GREY - loc) ** 2))
    with tf.GradientTape() as tape:
        tape.watch(loc)
        total = tf.reduce_sum(layer(loc, training=True).log_prob(GREY))
    # By the envelope theorem; sums of 300 float32 terms.
    np.testing.assert_allclose(tape.gradient(total, loc), (GREY - loc) / v, rtol=1e-4, atol=1e-5)


def test_its_gradient_is_so_where_examples_count_unequally():
    """As under the weights of importance samples, where a moving optimum would count as well."""
    layer = build("optimal_normal")
    loc, shares = tf.constant(params_of(layer, 50)), np.linspace(0, 1, 50, dtype=np.float32)
    v = float(tf.reduce_mean((GREY - loc) ** 2))
    with tf.GradientTape() as tape:
        tape.watch(loc)
        total = tf.reduce_sum(shares * layer(loc, training=True).log_prob(GREY))
    expected = shares[:, None] * (GREY - loc) / v
    np.testing.assert_allclose(tape.gradient(total, loc), expected, rtol=1e-4, atol=1e-5)


def test_what_is_stored_is_the_weighted_average_of_past_optima():
    layer = build("optimal_normal(decay=0.5)")
    zeros = tf.zeros([1, 6])
    assert float(layer(zeros).variance()[0, 0]) == 1.0
    for error in (1.0, 2.0, 3.0):
        layer(zeros, training=True).log_prob(tf.fill([1, 6], error))
    expected = (0.25 * 1 + 0.5 * 4 + 1 * 9) / 1.75
    assert float(layer(zeros).variance()[0, 0]) == pytest.approx(expected, rel=1e-6)
    layer(zeros, training=True).log_prob(tf.fill([1, 6], np.nan))  # a step that is left out
    assert float(layer(zeros).variance()[0, 0]) == pytest.approx(expected, rel=1e-6)


def test_the_variance_is_stored_where_xla_compiles_the_step():
    layer, again = build("optimal_normal"), build("optimal_normal")
    compiled = tf.function(
        lambda p: layer(p, training=True).log_prob(GREY), jit_compile=True, autograph=False
    )
    loc = params_of(layer, 50)
    np.testing.assert_allclose(compiled(loc), again(loc, training=True).log_prob(GREY), rtol=1e-5)
    for stored, expected in zip(layer.weights, again.weights, strict=True):
        assert float(stored) == pytest.approx(float(expected), rel=1e-5)


def test_training_stores_the_variance_and_validation_uses_it():
    vae = tfvae.VAE((6,), 2, likelihood="optimal_normal", network="mlp(hidden=())")
    vae.compile("adam", run_eagerly=True)
    vae.fit(GREY, batch_size=25, epochs=2, verbose=0)
    total, weight = (float(w) for w in vae.likelihood_layer.weights)
    assert weight == pytest.approx(1 - 0.99**4, rel=1e-5)
    before = vae.evaluate(GREY, verbose=0)
    assert [float(w) for w in vae.likelihood_layer.weights] == [total, weight]
    mean = vae.likelihood(tf.zeros([1, 2])).variance()
    np.testing.assert_allclose(mean, total / weight, rtol=1e-6)
    assert vae.evaluate(GREY, verbose=0) == before


# Tables.


def test_the_mass_of_a_mixed_likelihood_is_one():
    layer = build("mixed", (5,), COLUMNS)
    height = np.linspace(-12, 12, 161)
    counts, city = np.arange(120), np.eye(3)
    rows = [
        [h, (n - 3) / 2, *c] for h, n, c in itertools.product(height, counts, city)
    ]  # the count in the unit of an example
    density = np.exp(layer(params_of(layer, 1)).log_prob(np.array(rows, np.float32)))
    mass = density.reshape(len(height), -1).sum(axis=1, dtype=np.float64)
    assert np.trapezoid(mass, height) == pytest.approx(1, rel=1e-4)


def test_a_mixed_likelihood_draws_rows_that_a_table_could_hold():
    layer = build("mixed", (5,), COLUMNS)
    params = np.repeat(params_of(layer, 1), 200, axis=0)
    x = layer.sample(params, noise.row_seeds(noise.seed_of(1), 200))
    layer.check_data(x.numpy())
    rows = COLUMNS.decode(x, whole=True).numpy()
    assert set(rows[:, 2]) <= {0.0, 1.0, 2.0}
    assert np.all(rows[:, 1] >= 0)
    np.testing.assert_array_equal(rows[:, 1], np.round(rows[:, 1]))


def test_a_mixed_likelihood_begins_at_the_mean_of_counts_and_at_the_shares_of_categories():
    layer = build("mixed", (5,), COLUMNS)
    mean = np.array([0.0, 21.0, 0.5, 0.3, 0.2])  # a number is standardised: its mean is 0
    params = layer.params_at(mean)
    assert params.shape == layer.params_shape
    np.testing.assert_allclose(layer(np.float32(params[np.newaxis])).mean()[0], mean, atol=1e-5)
    assert layer.transform.decode(np.float32(mean[np.newaxis])).numpy()[0, 1] == 45


# Draws and masses.


def _fits(observed, expected):
    """Compares counts of cells with what is expected by the chi-squared test."""
    return scipy.stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("rate", [0.01, 0.7, 9.9, 10.1, 40.0, 900.0])
def test_poisson_draws_have_the_masses_of_scipy(rate):
    num = 20_000
    k = draws.poisson(noise.row_seeds(noise.seed_of(3), num), tf.fill([num, 1], rate)).numpy()
    edges = np.unique(scipy.stats.poisson.ppf(np.linspace(0, 1, 31)[1:-1], rate))
    expected = np.diff(np.concatenate([[0], scipy.stats.poisson.cdf(edges, rate), [1]]))
    observed = np.bincount(np.searchsorted(edges, k[:, 0]), minlength=len(expected))
    assert _fits(observed[expected > 0], expected[expected > 0])


@pytest.mark.parametrize("shape", [0.05, 0.9, 1.0, 30.0, 1e4])
def test_gamma_draws_have_the_distribution_of_scipy(shape):
    num = 20_000
    log_g = draws.log_gamma(noise.row_seeds(noise.seed_of(4), num), tf.fill([num, 1], shape))
    u = scipy.stats.gamma.cdf(np.exp(np.float64(log_g[:, 0])), shape)
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("logit", "log_size"), [(0.5, -3.0), (-2.0, 1.0), (1.0, 8.0), (0.0, -9.0)])
def test_beta_binomial_draws_have_the_masses_of_scipy(logit, log_size):
    num, n = 4000, 255
    layer = build("beta_binomial", (1,))
    params = np.tile(np.float32([[logit, log_size]]), (num, 1))
    x = layer.sample(params, noise.row_seeds(noise.seed_of(5), num)).numpy()[:, 0]
    mean, size = 1 / (1 + np.exp(-logit)), np.exp(log_size)
    masses = scipy.stats.betabinom.pmf(np.arange(n + 1), n, mean * size, (1 - mean) * size)
    cells = np.minimum((masses.cumsum() - masses / 2) * 20, 19).astype(int)
    observed = np.bincount(cells[np.round(x * n).astype(int)], minlength=20)
    expected = np.bincount(cells, masses, minlength=20)
    assert _fits(observed[expected > 1e-3], expected[expected > 1e-3])


@pytest.mark.parametrize("count", [0, 3, 15, 16, 1000, 1_000_000])
def test_the_mass_of_large_counts_keeps_its_digits(count):
    rate = max(count, 1) + 3 * np.sqrt(max(count, 1))
    log_rate = np.float32(np.log(rate))
    found = draws.poisson_log_mass(tf.constant(float(count)), tf.constant(log_rate))
    expected = scipy.stats.poisson.logpmf(count, np.exp(np.float64(log_rate)))
    # The logarithm of the rate has seven digits, of which the square root of the count remains.
    assert float(found) == pytest.approx(expected, rel=1e-6 + 3e-7 * count**0.5)


def test_inputs_that_are_no_counts_are_read_without_a_pole():
    """A `vampprior` moves its inputs by gradient, and nothing keeps them from below zero."""
    layer = build("poisson")
    x = tf.constant([[-3.0, -1.0, -1e-3, 0.0, 1e-3, 9.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        read = layer.network_input(x)
    np.testing.assert_allclose(read[0, 3:], np.log1p(x[0, 3:]), rtol=1e-6)
    assert np.all(np.diff(read[0]) > 0)
    slopes = tape.gradient(read, x)[0].numpy()
    np.testing.assert_allclose(slopes[:5], [1, 1, 1, 1, 1], atol=2e-3)


def test_columns_refuse_what_their_likelihoods_refuse():
    columns = "mixed(columns=('optimal_normal', 'poisson'))"
    with pytest.raises(ValueError, match="some are missing"):
        build(columns, (2,)).check_missing()
    build("mixed(columns=('normal', 'poisson'))", (2,)).check_missing()
    with pytest.raises(ValueError, match=r"Received `iaf.*, a posterior"):
        build("mixed(columns=('iaf', 'poisson'))", (2,))
    with pytest.raises(ValueError, match="depend on each other"):
        build("mixed(columns=('full_normal', 'full_normal'))", (2,))


@pytest.mark.parametrize("size", [2, 20, 100])
def test_a_full_covariance_begins_with_variances_of_one_or_two(size):
    """Whatever the length: else the first codes are noise, and the posterior collapses."""
    layer = build("full_normal", (size,))
    variances = layer(params_of(layer, 20)).variance()
    # exp(a) has the mean exp(1/2), and what stands left of the diagonal adds i / n.
    assert 1 < np.mean(variances) < np.exp(0.5) + 1
