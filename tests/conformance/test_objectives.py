"""An objective is a lower bound on log p(x), in nats, for each example."""

import cases
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise
from tfvae.objectives.base import Objective, Terms

NUM = 20_000
STEP = tf.constant(3)


@pytest.fixture(params=cases.specs("objectives"))
def spec(request):
    return request.param


def _draws(spec, model, vae):
    """Returns the bound and the metrics for NUM draws of the noise of each example."""
    x = np.repeat(model.x, NUM, axis=0)
    terms = vae.objective(
        x,
        vae.posterior(x),
        vae.prior(),
        vae.likelihood,
        STEP,
        noise.row_seeds(noise.seed_of(4), len(x)),
    )
    everything = {"bound": terms.bound, **terms.metrics}
    return {k: np.float64(v).reshape(-1, NUM) for k, v in everything.items()}


def _mean_and_tolerance(draws):
    # Five standard errors of the mean, and the digits that float32 has at tens of nats.
    return draws.mean(axis=1), 5 * draws.std(axis=1) / NUM**0.5 + 1e-4


@pytest.mark.parametrize(("shift", "widen"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (-0.4, -0.6)])
def test_the_bound_lies_below_the_log_likelihood(spec, linear_gaussian, shift, widen):
    vae = linear_gaussian.vae(shift, widen, objective=spec)
    draws = _draws(spec, linear_gaussian, vae)
    for name in ("bound", "elbo"):
        mean, tolerance = _mean_and_tolerance(draws[name])
        assert np.all(mean < linear_gaussian.log_prob + tolerance), name


def test_the_elbo_is_the_log_likelihood_at_the_exact_posterior(spec, linear_gaussian):
    draws = _draws(spec, linear_gaussian, linear_gaussian.vae(objective=spec))
    mean, tolerance = _mean_and_tolerance(draws["elbo"])
    assert np.all(tolerance < 0.1)
    assert np.all(np.abs(mean - linear_gaussian.log_prob) < tolerance)
    if cases.OBJECTIVES[cases.name_of(spec)] and spec == cases.name_of(spec):
        mean, tolerance = _mean_and_tolerance(draws["bound"])
        assert np.all(np.abs(mean - linear_gaussian.log_prob) < tolerance)


def test_the_elbo_falls_short_by_the_divergence_from_the_exact_posterior(spec, linear_gaussian):
    vae = linear_gaussian.vae(0.5, 0.6, objective=spec)
    mean, tolerance = _mean_and_tolerance(_draws(spec, linear_gaussian, vae)["elbo"])
    exact = linear_gaussian.vae().posterior(linear_gaussian.x)
    gap = vae.posterior(linear_gaussian.x).kl_divergence(exact)
    assert np.all(gap > 0.2)
    assert np.all(np.abs(mean + gap - linear_gaussian.log_prob) < tolerance)


def test_the_divergence_among_the_metrics_is_that_from_the_prior(spec, linear_gaussian):
    vae = linear_gaussian.vae(0.5, 0.6, objective=spec)
    mean, tolerance = _mean_and_tolerance(_draws(spec, linear_gaussian, vae)["kl"])
    expected = vae.posterior(linear_gaussian.x).kl_divergence(vae.prior())
    assert np.all(np.abs(mean - expected) < tolerance)


def test_the_gradient_vanishes_on_average_at_the_exact_posterior(spec, linear_gaussian):
    if spec != cases.name_of(spec) or not cases.OBJECTIVES[spec]:
        return
    vae = linear_gaussian.vae(objective=spec)
    x = np.repeat(linear_gaussian.x, NUM, axis=0)
    params = vae.encoder(x)
    with tf.GradientTape() as tape:
        tape.watch(params)
        seeds = noise.row_seeds(noise.seed_of(4), len(x))
        posterior = vae.posterior_layer(params)
        terms = vae.objective(x, posterior, vae.prior(), vae.likelihood, STEP, seeds)
    gradients = np.float64(tape.gradient(terms.bound, params)).reshape(
        len(linear_gaussian.x), NUM, -1
    )
    # The bound is at its maximum there: the path by z and the path by the density cancel.
    error = gradients.std(axis=1) / NUM**0.5
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


def test_terms_agree_in_eager_graph_and_xla(terms_of):
    _, terms_of, x, seeds = terms_of

    def values(x, seeds):
        terms = terms_of(x, seeds)
        return {"bound": terms.bound, **terms.metrics}

    eager = values(x, seeds)
    for jit_compile in (False, True):
        compiled = tf.function(values, jit_compile=jit_compile)(tf.constant(x), seeds)
        for name, expected in eager.items():
            # Sums of tens of nats in another order.
            np.testing.assert_allclose(compiled[name], expected, rtol=1e-5, atol=1e-5)


def test_an_example_has_the_terms_of_its_own_seed(terms_of):
    _, terms_of, x, seeds = terms_of
    bound = terms_of(x, seeds).bound
    np.testing.assert_array_equal(terms_of(x, seeds).bound, bound)
    for rows in ([4, 1], [2], [5, 4, 3, 2, 1, 0]):
        # Matrix products add up in another order for another batch size.
        np.testing.assert_allclose(
            terms_of(x[rows], seeds.numpy()[rows]).bound, bound.numpy()[rows], rtol=1e-5
        )
    assert np.all(terms_of(x, seeds[::-1]).bound != bound)


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
