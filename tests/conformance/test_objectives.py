"""An objective is a lower bound on log p(x), in nats, for each example."""

import functools

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise
from tfvae.objectives.base import Objective, Terms

NUM = 20_000  # codes that are drawn for each example, for objectives that take them one by one
NUM_BATCHES, BATCH = 20, 200  # of the others
STEP = tf.constant(3)


@pytest.fixture(params=cases.specs("objectives"))
def spec(request):
    return request.param


def _promise(spec, name):
    """Returns what the member promises with the options of the spec."""
    promise = getattr(cases.OBJECTIVES[cases.name_of(spec)], name)
    options = cases.build("objectives", spec).spec.options
    return promise(options) if callable(promise) else promise


def _terms(vae, x, stream):
    seeds = noise.row_seeds(noise.seed_of(stream), tf.shape(x)[0])
    terms = vae.objective(x, vae.posterior(x), vae.prior(), vae.likelihood, STEP, seeds)
    return {"bound": terms.bound, **terms.metrics}


@pytest.fixture(scope="module")
def draws_of(linear_gaussian):
    """A function of a spec and of how far q(z|x) is off: what `_draws` returns, drawn once."""

    @functools.cache
    def draws(spec, shift=0.0, widen=0.0):
        return _draws(spec, linear_gaussian, linear_gaussian.vae(shift, widen, objective=spec))

    return draws


def _draws(spec, model, vae):
    """Returns the bound and the metrics for many draws of the noise of each example, [5, draw].

    Of objectives that couple the examples of a batch, the means of many batches, [1, draw].
    """
    if _promise(spec, "is_coupled"):
        x = np.repeat(model.x, BATCH // len(model.x), axis=0)
        compiled = tf.function(lambda stream: _terms(vae, x, stream), autograph=False)
        batches = [compiled(tf.constant(stream)) for stream in range(NUM_BATCHES)]
        return {k: np.array([[np.mean(batch[k]) for batch in batches]]) for k in batches[0]}
    num = NUM // vae.objective.num_samples
    everything = _terms(vae, np.repeat(model.x, num, axis=0), 4)
    return {k: np.float64(v).reshape(-1, num) for k, v in everything.items()}


def _expected(spec, values):
    """Returns values of each example, or their mean for objectives that couple the examples."""
    return np.mean(values, keepdims=True) if _promise(spec, "is_coupled") else np.asarray(values)


def _mean_and_tolerance(draws):
    # Five standard errors of the mean, and the digits that float32 has at tens of nats.
    error = draws.std(axis=1) / draws.shape[1] ** 0.5
    return draws.mean(axis=1), 5 * error + 1e-4


@pytest.mark.parametrize(("shift", "widen"), [(0.0, 0.0), (0.5, 0.6), (-0.4, -0.6)])
def test_the_bound_lies_below_the_log_likelihood(spec, linear_gaussian, draws_of, shift, widen):
    draws = draws_of(spec, shift, widen)
    for name in ("bound", "elbo") if _promise(spec, "is_bound") else ("elbo",):
        mean, tolerance = _mean_and_tolerance(draws[name])
        assert np.all(mean < _expected(spec, linear_gaussian.log_prob) + tolerance), name


def test_the_elbo_is_the_log_likelihood_at_the_exact_posterior(spec, linear_gaussian, draws_of):
    draws = draws_of(spec)
    expected = _expected(spec, linear_gaussian.log_prob)
    mean, tolerance = _mean_and_tolerance(draws["elbo"])
    assert np.all(tolerance < 0.25)
    assert np.all(np.abs(mean - expected) < tolerance)
    if _promise(spec, "is_tight"):
        mean, tolerance = _mean_and_tolerance(draws["bound"])
        assert np.all(np.abs(mean - expected) < tolerance)
    if _promise(spec, "is_exact"):  # log p(x|z) + log p(z) - log q(z|x) = log p(x) for every z
        every = np.broadcast_to(linear_gaussian.log_prob[:, np.newaxis], draws["bound"].shape)
        np.testing.assert_allclose(draws["bound"], every, atol=1e-4)


def test_the_elbo_falls_short_by_the_divergence_from_the_exact_posterior(
    spec, linear_gaussian, draws_of
):
    vae = linear_gaussian.vae(0.5, 0.6, objective=spec)
    draws = draws_of(spec, 0.5, 0.6)
    mean, tolerance = _mean_and_tolerance(draws["elbo"])
    exact = linear_gaussian.vae().posterior(linear_gaussian.x)
    posterior = vae.posterior(linear_gaussian.x)
    gap = posterior.kl_divergence(exact)
    assert np.all(gap > 0.2)
    expected = _expected(spec, linear_gaussian.log_prob - gap)
    assert np.all(np.abs(mean - expected) < tolerance)
    # And the divergence among the metrics is that from the prior.
    mean, tolerance = _mean_and_tolerance(draws["kl"])
    expected = _expected(spec, posterior.kl_divergence(vae.prior()))
    assert np.all(np.abs(mean - expected) < tolerance)


def test_the_gradient_vanishes_on_average_at_the_exact_posterior(spec, linear_gaussian):
    if not _promise(spec, "is_tight"):
        return
    vae = linear_gaussian.vae(objective=spec)
    num = NUM // vae.objective.num_samples
    x = np.repeat(linear_gaussian.x, num, axis=0)
    params = vae.encoder(x)
    with tf.GradientTape() as tape:
        tape.watch(params)
        seeds = noise.row_seeds(noise.seed_of(4), len(x))
        posterior = vae.posterior_layer(params)
        terms = vae.objective(x, posterior, vae.prior(), vae.likelihood, STEP, seeds)
    gradients = np.float64(tape.gradient(terms.bound, params)).reshape(
        len(linear_gaussian.x), num, -1
    )
    # The bound is at its maximum there: the path by z and the path by the density cancel.
    error = gradients.std(axis=1) / num**0.5
    assert np.all(np.abs(gradients.mean(axis=1)) < 5 * error + 1e-5)


@pytest.fixture
def terms_of(spec):
    """A function of x and row seeds, of a small VAE with this objective."""
    vae = cases.model(network="mlp(hidden=(6,), activation='tanh')", objective=spec)
    x = cases.data_for(vae)
    seeds = noise.row_seeds(noise.seed_of(0), len(x))

    def terms_of(x, seeds):
        return vae.objective(x, vae.posterior(x), vae.prior(), vae.likelihood, STEP, seeds)

    return vae, terms_of, x, seeds


def test_metrics_hold_the_elbo_and_its_parts_for_each_example(terms_of):
    vae, terms_of, x, seeds = terms_of
    terms = terms_of(x, seeds)
    assert terms.bound.shape == (len(x),)
    assert set(terms.metrics) == set(vae.objective.metric_names)
    assert set(terms.metrics) >= {"elbo", "reconstruction", "kl"}
    for name, value in terms.metrics.items():
        assert value.shape == (len(x),), name
        assert np.isfinite(value).all(), name
    parts = terms.metrics["reconstruction"] - terms.metrics["kl"]
    # One subtraction of numbers of tens of nats.
    np.testing.assert_allclose(terms.metrics["elbo"], parts, rtol=1e-6, atol=1e-5)


def test_terms_agree_in_eager_and_xla(terms_of):
    _, terms_of, x, seeds = terms_of

    def values(x, seeds):
        terms = terms_of(x, seeds)
        return {"bound": terms.bound, **terms.metrics}

    compiled = tf.function(values, jit_compile=True, autograph=False)(tf.constant(x), seeds)
    for name, expected in values(x, seeds).items():
        # Sums of tens of nats in another order.
        np.testing.assert_allclose(compiled[name], expected, rtol=1e-5, atol=1e-5)


def test_an_example_has_the_terms_of_its_own_seed(spec, terms_of):
    vae, terms_of, x, seeds = terms_of
    assert vae.objective.is_coupled == _promise(spec, "is_coupled")

    def values(x, seeds):
        terms = terms_of(x, seeds)
        return terms.metrics["elbo"] if vae.objective.is_coupled else terms.bound

    expected = values(x, seeds)
    np.testing.assert_array_equal(values(x, seeds), expected)
    for rows in ([4, 1], [2], [5, 4, 3, 2, 1, 0]):
        # Matrix products add up in another order for another batch size.
        np.testing.assert_allclose(
            values(x[rows], seeds.numpy()[rows]), expected.numpy()[rows], rtol=1e-5
        )
    assert np.all(values(x, seeds[::-1]) != expected)


def test_every_variable_of_a_model_gets_a_gradient(terms_of):
    vae, terms_of, x, seeds = terms_of
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(terms_of(x, seeds).bound)
    gradients = tape.gradient(loss, vae.trainable_variables)
    for variable, gradient in zip(vae.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
        assert np.any(gradient), variable.path


def test_an_objective_that_breaks_its_promise_of_metrics_is_told():
    class Forgetful(Objective):
        def _terms(self, x, *parts):
            return Terms(x, {"elbo": x, "extra": x})

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Forgetful()(tf.zeros([2]), None, None, None, STEP, None)
    assert str(caught.value) == (
        "`Forgetful` must report the metrics that its `metric_names` promises, "
        "['elbo', 'kl', 'reconstruction']. It returned ['elbo', 'extra']."
    )
