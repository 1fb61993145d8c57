"""Where objectives meet, the gradients that differ in their noise alone, and refusals."""

import itertools

import cases
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tfvae import noise
from tfvae.objectives import schedules

LATENTS = 2


@pytest.fixture(scope="module")
def vae():
    """A small model whose posterior is away from the prior."""
    vae = cases.model(network="mlp(hidden=(6,), activation='tanh')", latent_size=LATENTS)
    rng = np.random.default_rng(2)
    vae.set_weights([rng.normal(scale=0.6, size=w.shape) for w in vae.get_weights()])
    return vae


@pytest.fixture(scope="module")
def x(vae):
    return cases.data_for(vae, 8)


def terms_of(spec, vae, x, step=0):
    objective = cases.build("objectives", spec)
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    return objective(x, vae.posterior(x), vae.prior(), vae.likelihood, tf.constant(step), seeds)


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ("iwae(num_samples=1)", "elbo(kl='monte_carlo')"),
        ("dreg(num_samples=1)", "elbo(kl='monte_carlo')"),
        ("stl", "elbo(kl='monte_carlo')"),
        ("ciwae(num_samples=1, beta=0.3)", "elbo(kl='monte_carlo')"),
        ("miwae(num_bounds=1, samples_per_bound=1)", "elbo(kl='monte_carlo')"),
        ("dreg(num_samples=7)", "iwae(num_samples=7)"),
        ("stl(num_samples=7)", "elbo(kl='monte_carlo', num_samples=7)"),
        ("ciwae(num_samples=7, beta=0.0)", "iwae(num_samples=7)"),
        ("ciwae(num_samples=7, beta=1.0)", "elbo(kl='monte_carlo', num_samples=7)"),
        ("miwae(num_bounds=1, samples_per_bound=7)", "iwae(num_samples=7)"),
        ("miwae(num_bounds=7, samples_per_bound=1)", "elbo(kl='monte_carlo', num_samples=7)"),
        ("elbo(kl='analytic')", "elbo"),
        ("beta_tc(beta=1.0)", "elbo"),
        ("infovae(alpha=0.0, weight=1.0)", "elbo"),
        ("capacity(gamma=1.0, max_capacity=0.0)", "elbo"),
        ("elbo(beta=3.0, warmup_steps=6)", "elbo(beta=1.5)"),  # at half of the warm-up
        ("elbo(warmup_steps=1, cycle_steps=2)", "elbo"),
    ],
)
def test_a_special_case_is_the_other_objective(spec, same, vae, x):
    found, expected = (terms_of(text, vae, x, step=3) for text in (spec, same))
    # Sums of tens of nats in another order.
    np.testing.assert_allclose(found.bound, expected.bound, rtol=2e-6)


def test_more_samples_tighten_the_bound_and_several_bounds_lie_between(linear_gaussian):
    vae = linear_gaussian.vae(0.5, 0.8)
    many = np.repeat(linear_gaussian.x, 500, axis=0)
    bounds = {
        spec: np.float64(terms_of(spec, vae, many).bound)
        for spec in (
            "iwae(num_samples=1)",
            "miwae(num_bounds=3, samples_per_bound=4)",
            "iwae(num_samples=12)",
        )
    }
    values = list(bounds.values())
    for lower, higher in itertools.pairwise(values):
        difference = higher - lower
        assert difference.mean() > 5 * difference.std() / len(difference) ** 0.5
    assert values[-1].mean() < linear_gaussian.log_prob.mean()


GRADIENTS = [("dreg(num_samples=4)", "iwae(num_samples=4)"), ("stl", "elbo(kl='monte_carlo')")]


def gradients(spec, vae, x, sources):
    """Returns the gradients of the sum of the bounds, by the parameters of q(z|x) and `sources`."""
    params = vae.encoder(x)
    seeds = noise.row_seeds(noise.seed_of(1), len(x))
    objective = cases.build("objectives", spec)
    with tf.GradientTape() as tape:
        tape.watch(params)
        posterior = vae.posterior_layer(params)
        terms = objective(x, posterior, vae.prior(), vae.likelihood, tf.constant(0), seeds)
    return tape.gradient(terms.bound, [params, *sources])


@pytest.mark.parametrize("posterior", cases.posteriors())
@pytest.mark.parametrize(("spec", "same"), GRADIENTS)
def test_the_gradient_is_that_of_the_objective_in_expectation(spec, same, posterior):
    vae = cases.model(network="mlp(hidden=(6,), activation='tanh')", posterior=posterior)
    rng = np.random.default_rng(2)
    for network in (vae.encoder, vae.decoder):
        weights = [rng.normal(scale=0.6, size=w.shape) for w in network.get_weights()]
        network.set_weights(weights)
    num = 4000
    x = np.repeat(cases.data_for(vae, 2), num, axis=0)
    sources = vae.decoder.trainable_variables
    found, *by_decoder = gradients(spec, vae, x, sources)
    expected, *others = gradients(same, vae, x, sources)
    pairs = np.float64(found - expected).reshape(2, num, -1)
    error = pairs.std(axis=1) / num**0.5
    assert np.all(np.abs(pairs.mean(axis=1)) < 5 * error + 1e-5)
    # They are other estimates, and not the same one; a floor has no gradient in either.
    assert np.any(error > 0)
    # The decoder's gradient is the same for every draw: sums of thousands of terms in float32.
    for gradient, other in zip(by_decoder, others, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("spec", "noisy"), GRADIENTS)
def test_the_gradient_for_the_encoder_is_zero_for_every_draw_at_the_exact_posterior(
    spec, noisy, linear_gaussian
):
    vae = linear_gaussian.vae()
    x = np.repeat(linear_gaussian.x, 50, axis=0)
    (found,) = gradients(spec, vae, x, [])
    (other,) = gradients(noisy, vae, x, [])
    # The weights are equal there, so nothing is left but rounding.
    np.testing.assert_allclose(found, 0, atol=2e-5)
    assert np.abs(other).max() > 0.1


def test_the_total_correlation_is_that_of_the_mixture_over_the_batch(vae, x):
    found = terms_of("beta_tc(beta=3.0)", vae, x)
    posterior = vae.posterior(x)
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    z = np.float64(posterior.bijector.forward(noise.normal(seeds, (LATENTS,))))
    # [code, example, latent]
    each = scipy.stats.norm.logpdf(z[:, None], posterior.mean(), posterior.stddev())
    log_q = scipy.special.logsumexp(each.sum(axis=-1), axis=1) - np.log(len(x))
    log_q_i = scipy.special.logsumexp(each, axis=1) - np.log(len(x))
    expected = log_q - log_q_i.sum(axis=-1)
    correlation = found.metrics["total_correlation"]
    np.testing.assert_allclose(
        correlation, expected, rtol=1e-4, atol=1e-5
    )  # logarithms that cancel
    np.testing.assert_allclose(found.bound, found.metrics["elbo"] - 2 * correlation, rtol=1e-6)


def test_the_discrepancy_is_that_of_the_kernel_over_all_pairs(vae, x):
    found = terms_of("infovae(alpha=0.25, weight=8.0)", vae, x)
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    z = np.float64(vae.posterior(x).bijector.forward(noise.normal(seeds, (LATENTS,))))
    y = np.float64(noise.normal(noise.fold_in(seeds, 0x6D6D64), (LATENTS,)))

    def kernel(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=-1) / LATENTS).mean()

    expected = kernel(z, z) - 2 * kernel(z, y) + kernel(y, y)
    assert expected > 0
    np.testing.assert_allclose(found.metrics["mmd"], np.full(len(x), expected), rtol=1e-4)
    bound = found.metrics["reconstruction"] - 0.75 * found.metrics["kl"] - 7.25 * expected
    np.testing.assert_allclose(found.bound, bound, rtol=1e-5)


def test_free_bits_cost_as_much_as_the_mean_of_a_latent_that_has_more(vae, x):
    posterior = vae.posterior(x)
    loc, scale = np.float64(posterior.mean()), np.float64(posterior.stddev())
    each = (0.5 * (loc**2 + scale**2 - 1) - np.log(scale)).mean(axis=0)
    free = each.mean()  # one latent below, one above
    assert each.min() < free < each.max()
    found = terms_of(f"elbo(free_bits={free}, beta=2.0)", vae, x)
    expected = np.mean(found.metrics["reconstruction"]) - 2 * np.maximum(each, free).sum()
    assert np.mean(found.bound) == pytest.approx(expected, rel=1e-5)
    assert np.all(found.bound < found.metrics["elbo"])


def test_a_warm_up_is_a_function_of_the_step_alone(vae, x):
    for step, beta in [(0, 0.0), (2, 0.5), (4, 1.0), (9, 1.0), (10, 0.0), (13, 0.75)]:
        found = terms_of("elbo(warmup_steps=4, cycle_steps=10)", vae, x, step)
        kl = found.metrics["kl"]
        bound = found.metrics["reconstruction"] - beta * kl
        np.testing.assert_allclose(found.bound, bound, rtol=1e-6)
        assert found.metrics["elbo"].numpy() == pytest.approx(
            (found.metrics["reconstruction"] - kl).numpy()
        )


def test_a_capacity_grows_with_the_step(vae, x):
    for step, capacity in [(0, 0.0), (5, 4.0), (10, 8.0), (70, 8.0)]:
        found = terms_of("capacity(max_capacity=8.0, gamma=3.0, steps=10)", vae, x, step)
        distance = np.abs(found.metrics["kl"] - capacity)
        expected = found.metrics["reconstruction"] - 3 * distance
        np.testing.assert_allclose(found.bound, expected, rtol=1e-6)


def test_a_ramp_is_the_same_in_a_graph():
    compiled = tf.function(lambda step: schedules.ramp(step, 7, period=9), autograph=False)
    for step in range(30):
        # A graph may multiply by 1/7 instead.
        assert float(compiled(tf.constant(step))) == pytest.approx(min(1, (step % 9) / 7), rel=1e-6)


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        ("elbo", 0),
        ("elbo(warmup_steps=7)", 7),
        ("elbo(warmup_steps=7, cycle_steps=9)", 7),
        ("capacity(steps=11)", 11),
        ("iwae", 0),
    ],
)
def test_the_length_of_a_schedule_can_be_read(spec, steps):
    assert cases.build("objectives", spec).schedule_steps == steps


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("elbo(beta=-1.0)", "`beta` is a number from 0 on. Received -1.0."),
        ("elbo(kl='exact')", "`kl` is one of 'auto', 'analytic', 'monte_carlo'. Received 'exact'."),
        (
            "elbo(warmup_steps=0.5)",
            "`warmup_steps` counts steps of the optimizer: an int from 0 on. Received 0.5.",
        ),
        (
            "elbo(cycle_steps=10)",
            "`cycle_steps` is how often a warm-up begins anew, which must have ended by then: "
            "0 < warmup_steps <= cycle_steps. Received warmup_steps=0 and cycle_steps=10. Write "
            "`elbo(warmup_steps=5, cycle_steps=10)`.",
        ),
        ("iwae(num_samples=0)", "`num_samples` is a positive int. Received 0."),
        ("ciwae(beta=2)", "`beta` is a number from 0 to 1. Received 2."),
        (
            "infovae(alpha=0.5, weight=0.1)",
            "The weight of the distance, alpha + weight - 1, is not negative. Received alpha=0.5 "
            "and weight=0.1. Write `infovae(alpha=0.5, weight=1.0)`.",
        ),
    ],
)
def test_an_option_out_of_range_is_refused(spec, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        cases.build("objectives", spec)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"objective": "elbo(kl='analytic')", "prior": "mixture"}, r"elbo\(kl='monte_carlo'"),
        ({"objective": "elbo(free_bits=1.0)", "prior": "mixture"}, "leave `free_bits` out"),
        ({"objective": "beta_tc", "posterior": "iaf"}, "`--posterior normal`"),
    ],
)
def test_parts_that_do_not_fit_the_objective_are_refused(parts, message, x):
    vae = cases.model(network="mlp(hidden=(6,), activation='tanh')", **parts)
    with pytest.raises(ValueError, match=message):
        terms_of(parts["objective"], vae, x)
