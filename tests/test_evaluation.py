"""What an evaluation says of a model, against closed forms and NumPy."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from pipelines.evaluations import tables
from tfvae import components, layered, noise
from tfvae.datasets.base import Dataset
from tfvae.datasets.python import FromPython
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.evaluation import collapse, comparison, importance, latents, measures, report
from tfvae.evaluation import mutual_information as information
from tfvae.evaluation.moments import Moments
from tfvae.evaluation.mutual_information import mutual_information
from tfvae.priors.base import Prior

NETWORK = "mlp(hidden=())"


@pytest.fixture(scope="module")
def shapes():
    return components.build(
        Dataset, "synthetic(kind='shapes', size=4, num=130, binarize='threshold')"
    )


@pytest.fixture(scope="module")
def vae(shapes):
    return tfvae.VAE(shapes.event_shape, 3, network=NETWORK)


@pytest.fixture
def eagerly(monkeypatch):
    """Without compiling: for what is small and looked at once."""
    monkeypatch.setattr(measures, "_measure", measures._measure.python_function)
    monkeypatch.setattr(importance, "_add_weights", importance._add_weights.python_function)
    monkeypatch.setattr(information, "_log_densities", information._log_densities.python_function)


@pytest.fixture(scope="module")
def found(vae, shapes):
    return measures.measure(vae, shapes, "train", num_samples=5)


def everything(dataset, split):
    return np.concatenate(list(dataset.split(split, 1000).as_numpy_iterator()))


def test_moments_of_parts_are_those_of_the_whole():
    values = 1e6 + np.random.default_rng(0).normal(size=(100, 2))  # far from zero
    moments = Moments()
    for part in np.split(values, [1, 1, 40]):  # an empty one among them
        moments.add(part)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance(), values.var(axis=0, ddof=1), rtol=1e-9)


@pytest.mark.usefixtures("eagerly")
def test_the_batch_size_changes_nothing_and_the_last_short_batch_counts(
    vae, shapes, found, monkeypatch
):
    monkeypatch.setattr(measures, "_CODES", 37)
    told = []
    again = measures.measure(vae, shapes, "train", num_samples=5, on_rows=told.append)
    assert again.num_examples == shapes.num_examples("train") != 37 * (again.num_examples // 37)
    assert sum(told) == again.num_examples * 6  # codes: one for the ELBO, and five
    assert set(again.terms) == set(found.terms)
    for name, term in found.terms.items():
        # The order of float32 sums.
        np.testing.assert_allclose(again.terms[name], term, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(again.latent_kl, found.latent_kl, rtol=1e-5)
    np.testing.assert_allclose(again.activity, found.activity, rtol=1e-4)
    for name, error in found.errors.items():
        assert again.errors[name] == pytest.approx(error, rel=1e-5)


def test_measures_are_what_numpy_finds(vae, shapes, found):
    x = everything(shapes, "train")
    posterior = vae.posterior(x)
    np.testing.assert_allclose(
        found.activity, np.var(np.float64(posterior.mean()), axis=0), rtol=1e-4
    )
    # Independent latents: the divergences of all add up.
    assert found.latent_kl.sum() == pytest.approx(found.terms["kl"].mean(), rel=1e-5)
    expected = vae.likelihood(posterior.mean()).mean().numpy()
    errors = {"squared_error": (x - expected) ** 2, "misclassified": (expected > 0.5) != x}
    for name, each in errors.items():
        of_examples = each.reshape(len(x), -1).mean(axis=1)
        error = of_examples.std(ddof=1) / len(x) ** 0.5
        assert found.errors[name] == pytest.approx((each.mean(), error), rel=1e-4)


def test_errors_leave_out_what_is_missing():
    x = np.full([6, 4], np.nan, np.float32)
    x[:, 1] = 2.0
    model = tfvae.VAE((4,), 2, network=NETWORK, likelihood="normal(stddev=1.0)", mask_missing=True)
    errors = measures._errors(model, tf.constant(x), tf.zeros([6, 2]))["squared_error"]
    mean = model.likelihood(tf.zeros([1, 2])).mean().numpy()[0, 1]
    np.testing.assert_allclose(errors, [[(2.0 - mean) ** 2, 1]] * 6, rtol=1e-6)


def test_an_error_is_one_of_all_elements_whichever_examples_lack_some():
    """A mean of r with weights m_n has the variance of (e_n - r m_n) / mean(m), by the delta
    method; resampling the examples finds the same."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 5, 400).astype(float)
    sums = counts * rng.gamma(2.0, size=400)
    mean, error = measures._ratios({"e": [np.stack([sums, counts], axis=1)]})["e"]
    assert mean == pytest.approx(sums.sum() / counts.sum())
    draws = rng.integers(0, 400, (4000, 400))
    again = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    assert error == pytest.approx(again.std(), rel=0.06)  # of 4,000 draws, 5 standard errors


@pytest.mark.parametrize("rows", [[[1.0, 0.0]], [[np.nan, 1.0]], [[np.inf, 1.0], [1.0, 1.0]]])
def test_an_error_that_is_no_number_is_left_out(rows):
    assert measures._ratios({"e": [np.array(rows)]}) == {}
    assert measures._ratios({"e": [np.array([[3.0, 2.0]])]}) == {"e": (1.5, None)}


def test_a_category_is_misclassified_where_another_level_is_likelier():
    layer = components.build(DistributionLayer, "categorical(levels=3, step=1)", (2,))
    distribution = layer(tf.constant([[[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]]]))
    wrong = layer.errors(distribution, tf.constant([[1.0, 2.0]]))["misclassified"]
    assert wrong.numpy().tolist() == [[0.0, 1.0]]


# What a latent costs.


def layer_of(spec, params):
    return components.build(DistributionLayer, spec, 2)(tf.constant(params, tf.float32))


def gaussian_kl(q_mean, q_stddev, p_mean=0.0, p_stddev=1.0):
    ratio = (q_stddev / p_stddev) ** 2
    return 0.5 * (ratio + ((q_mean - p_mean) / p_stddev) ** 2 - 1 - np.log(ratio))


def test_a_latent_of_a_full_gaussian_costs_what_its_marginal_does():
    posterior = layer_of("full_normal", [[0.5, -1.0, -1.0, 0.4, 0.8]])
    prior = components.build(Prior, "standard_normal(precision=4.0)", 2).distribution()
    terms = latents.kl(posterior, prior, None).numpy()
    stddev = np.sqrt(np.diag(posterior.covariance().numpy()[0]))
    expected = gaussian_kl(np.array([0.5, -1.0]), stddev, p_stddev=0.5)
    np.testing.assert_allclose(terms[0], expected, rtol=1e-5)
    assert latents.method(posterior, prior) == latents.CLOSED_FORM
    # The rest is the dependence of the latents given x: the divergence from the product of both.
    dependence = np.log(stddev).sum() - 0.5 * np.linalg.slogdet(posterior.covariance()[0])[1]
    total = float(posterior.kl_divergence(prior)[0])
    assert total == pytest.approx(terms.sum() + dependence, rel=1e-5)


def test_a_latent_under_a_mixture_costs_what_the_integral_says():
    num = 40_000
    posterior = layer_of("normal", np.tile([0.5, -1.0, -1.0, 0.4], (num, 1)))
    member = components.build(Prior, "mixture(num_components=3)", 2)
    member.set_weights(
        [np.array([0.0, 1.0, -1.0]), np.array([[0, 1], [2, -1], [-2, 0]]), 0.3 * np.ones((3, 2))]
    )
    prior = member.distribution()
    z = posterior.bijector.forward(noise.normal(noise.row_seeds(noise.seed_of(0), num), (2,)))
    terms = latents.kl(posterior, prior, z).numpy()
    assert latents.method(posterior, prior) == latents.SAMPLED
    weights = scipy.special.softmax([0.0, 1.0, -1.0])
    for i, (mean, log_variance) in enumerate([(0.5, -1.0), (-1.0, 0.4)]):
        q = scipy.stats.norm(mean, np.exp(log_variance / 2))
        p = scipy.stats.norm(member.loc.numpy()[:, i], np.exp(0.3))

        def integrand(t, q=q, p=p):
            return q.pdf(t) * (q.logpdf(t) - np.log(weights @ p.pdf(t)))

        expected = scipy.integrate.quad(integrand, -12, 12)[0]
        error = float(terms[:, i].std()) / num**0.5
        assert terms[:, i].mean() == pytest.approx(expected, abs=5 * error)


@pytest.mark.parametrize(
    ("posterior", "prior"),
    [
        ("hierarchical(top=2)", "hierarchical(top=2)"),
        ("hierarchical", "standard_normal(precision=2.0)"),
        ("normal", "hierarchical"),
        ("ladder", "ladder(sizes=(2, 2, 1))"),
        ("ladder(sizes=(4, 1))", "hierarchical(top=1)"),
        ("normal", "ladder"),
    ],
)
def test_what_latents_of_layers_cost_adds_up(posterior, prior):
    model = tfvae.VAE((4,), 5, posterior=posterior, prior=prior, network=NETWORK)
    q, p = model.posterior(np.random.default_rng(0).normal(size=[7, 4]).astype("f")), model.prior()
    z = q.bijector.forward(noise.normal(noise.row_seeds(noise.seed_of(0), 7), (5,)))
    terms = latents.kl(q, p, z)
    assert terms.shape == (7, 5)
    np.testing.assert_allclose(
        tf.reduce_sum(terms, axis=-1), q.log_prob(z) - p.log_prob(z), atol=1e-5
    )
    assert latents.method(q, p) == latents.LAYERED


def test_a_latent_is_taken_given_the_layer_that_it_is_drawn_by():
    model = tfvae.VAE(
        (4,), 5, posterior="hierarchical", prior="hierarchical(top=2)", network=NETWORK
    )
    z = np.random.default_rng(1).normal(size=[6, 5]).astype(np.float32)
    weights = model.prior_layer.network
    loc, log_variance = layered.params(weights, layered.features(weights, z[:, 3:]))
    lower = scipy.stats.norm(loc, np.exp(0.5 * np.float64(log_variance))).logpdf(z[:, :3])
    found = model.prior().element_log_prob(z)
    expected = np.concatenate([lower, scipy.stats.norm.logpdf(z[:, 3:])], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_latents_without_marginals_are_left_out_and_said_so():
    posterior = tfvae.VAE((4,), 2, posterior="iaf").posterior(np.zeros([1, 4], np.float32))
    prior = components.build(Prior, "standard_normal", 2).distribution()
    assert latents.kl(posterior, prior, tf.zeros([1, 2])) is None
    method = latents.method(posterior, prior)
    assert method == "left out: the marginals of InverseAutoregressive aren't known in closed form"


# What codes tell of examples.


@pytest.mark.xla
def test_mutual_information_is_the_mean_ratio_to_the_aggregate(vae, shapes):
    x = everything(shapes, "train")
    num = len(x)
    kl = np.linspace(2.0, 4.0, num)
    information = mutual_information(vae, shapes, "train", kl, seed=3)
    posterior = vae.posterior(x)
    seeds = noise.row_seeds(noise.seed_of(noise.Stream.AGGREGATE, 3), num)
    z = np.float64(posterior.bijector.forward(noise.normal(seeds, (3,))))
    each = scipy.stats.norm(np.float64(posterior.mean()), np.float64(posterior.stddev()))
    table = np.stack([each.logpdf(code).sum(axis=-1) for code in z])  # [code, example]
    ratios = np.diag(table) - (scipy.special.logsumexp(table, axis=1) - np.log(num))
    assert information["mutual_information"] == pytest.approx(ratios.mean(), abs=1e-4)
    assert information["mutual_information_standard_error"] == pytest.approx(
        ratios.std(ddof=1) / num**0.5, rel=1e-3
    )
    rest = kl - ratios
    assert information["marginal_kl"] == pytest.approx(rest.mean(), abs=1e-4)
    assert information["marginal_kl_standard_error"] == pytest.approx(
        rest.std(ddof=1) / num**0.5, rel=1e-3
    )
    assert information["num_examples"] == num
    assert information["mutual_information"] <= information["bound"] == np.log(num)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("posterior", ["normal", "full_normal", "householder", "hierarchical"])
def test_mutual_information_is_the_same_from_blocks_of_any_size(shapes, posterior, monkeypatch):
    """Of a full covariance, 500 codes under 500 posteriors would take gigabytes."""
    model = tfvae.VAE(shapes.event_shape, 3, posterior=posterior, network=NETWORK)
    kl = np.zeros(shapes.num_examples("validation"))
    whole = mutual_information(model, shapes, "validation", kl)
    size = np.prod(model.posterior_layer.params_shape)
    monkeypatch.setattr(information, "_PAIRED_NUMBERS", 16 * size)  # four codes at once
    parts = mutual_information(model, shapes, "validation", kl)
    assert parts["num_examples"] == whole["num_examples"]
    assert parts["mutual_information"] == pytest.approx(whole["mutual_information"], abs=1e-4)
    assert whole["mutual_information"] <= whole["bound"]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("apart", [False, True])
def test_codes_tell_nothing_or_all_of_their_example(shapes, apart):
    model = tfvae.VAE(shapes.event_shape, 1, network=NETWORK)
    kernel = np.zeros([16, 2], np.float32)
    if apart:  # a place of its own for every picture, as far as there are two different ones
        kernel[:, 0] = 1e3 * 2.0 ** np.arange(16)
    model.encoder.set_weights([kernel, np.zeros(2, np.float32)])
    kl = np.zeros(shapes.num_examples("train"))
    information = mutual_information(model, shapes, "train", kl)
    x = everything(shapes, "train").reshape(-1, 16)
    _, counts = np.unique(x, axis=0, return_counts=True)
    shares = counts / len(x)
    entropy = -(shares * np.log(shares)).sum()
    expected = entropy if apart else 0.0
    assert information["mutual_information"] == pytest.approx(expected, abs=1e-3)
    assert information["saturated"] == (np.log(len(x)) - expected < 0.5)


@pytest.mark.usefixtures("eagerly")
def test_what_examples_are_too_few_to_tell_is_said(vae, shapes):
    few = FromPython(np.unique(everything(shapes, "train"), axis=0)[:8])
    model = tfvae.VAE(shapes.event_shape, 1, network=NETWORK)
    kernel = np.zeros([16, 2], np.float32)
    kernel[:, 0] = 1e3 * 2.0 ** np.arange(16)  # a place of its own for every picture
    model.encoder.set_weights([kernel, np.zeros(2, np.float32)])
    found = report.evaluate(model, few, "train")
    num = few.num_examples("train")
    assert found["information"]["saturated"]
    assert found["information"]["mutual_information"] == pytest.approx(np.log(num), abs=1e-3)
    rows = [row[0] for row in tables.tables_of(found)[0].rows]
    assert f"  information I(n; z), near its most, {np.log(num):.2f}" in rows
    assert "  KL(q(z) || p(z)), less with more examples" in rows


@pytest.mark.usefixtures("eagerly")
def test_the_rate_is_information_and_distance_of_the_aggregate_from_the_prior(vae, shapes):
    found = report.evaluate(vae, shapes, "train")
    parts = found["information"]
    assert parts["rate"] == pytest.approx(found["rate"]) == pytest.approx(found["kl"])
    assert parts["marginal_kl"] + parts["mutual_information"] == pytest.approx(found["rate"])
    assert found["distortion"] == -found["reconstruction"]


def test_a_posterior_whose_densities_are_dear_has_no_such_estimate(shapes):
    model = tfvae.VAE(shapes.event_shape, 2, posterior="iaf", network=NETWORK)
    assert mutual_information(model, shapes, "train", np.zeros(1)) is None


# The alarm.


def test_the_alarm_sounds_where_more_than_half_of_the_latents_are_idle():
    assert collapse.alarm([0.5, 0.0], kl=[1.0, 0.0]) == ""
    text = collapse.alarm([0.5, 0.0, 0.0], kl=[1.0, 0.0, 0.0])
    assert "2 of 3 don't depend on the example, each costs less than 0.01 nats" in text
    assert "a code of length 1 does as well" in text
    assert "warmup_steps" in text
    assert "free_bits" in text
    # One that costs something isn't idle, whatever its mean does.
    assert collapse.alarm([0.5, 0.0, 0.0], kl=[1.0, 0.0, 0.5]) == ""
    assert "none of the 2 latents" in collapse.alarm([0.0, 0.0])
    # Which only such a divergence can be given.
    assert "free_bits" not in collapse.alarm([0.0, 0.0], independent=False)


def test_every_remedy_of_the_alarm_is_an_objective_that_there_is():
    from tfvae.objectives.base import Objective

    for spec in ("elbo(warmup_steps=10000)", "elbo(free_bits=0.1)", "elbo(beta=0.5)"):
        assert spec in collapse.alarm([0.0])
        components.build(Objective, spec)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("posterior", "sounds"), [("normal", True), ("delta", False)])
def test_a_collapsed_model_is_told_of_and_an_autoencoder_is_not(shapes, posterior, sounds):
    model = tfvae.VAE(shapes.event_shape, 2, posterior=posterior, network=NETWORK)
    model.encoder.set_weights([np.zeros_like(weight) for weight in model.encoder.get_weights()])
    found = measures.measure(model, shapes, "validation")
    summary = report.summarize(model, shapes, "validation", found)
    assert bool(summary["latents"]["alarm"]) == sounds
    assert summary["latents"]["num_active"] == 0


# Two models.


def test_what_examples_have_in_common_falls_out_of_the_error():
    rng = np.random.default_rng(0)
    hard = 50 * rng.normal(size=500)
    one, two = hard + 0.1 * rng.normal(size=(2, 500))
    found = comparison.compare({"elbo": one, "kl": one}, {"elbo": two})
    assert set(found) == {"elbo", "elbo_standard_error"}
    expected = scipy.stats.ttest_rel(one, two)
    assert found["elbo"] / found["elbo_standard_error"] == pytest.approx(expected.statistic)
    assert found["elbo_standard_error"] < 0.01  # each alone has one of 2


OTHERS = {
    "condition": (None, {"condition": "vector(size=2)"}),
    "event shape": ("synthetic(kind='shapes', size=5, num=130, binarize='threshold')", {}),
    "binarization": ("synthetic(kind='shapes', size=4, num=130)", {}),
    "examples": ("synthetic(kind='shapes', size=4, num=130, seed=1, binarize='threshold')", {}),
    "units of the likelihood": (None, {"likelihood": "normal"}),
    "kind of posterior": (None, {"posterior": "delta"}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_numbers_that_do_not_compare_are_refused(vae, shapes, what):
    spec, options = OTHERS[what]
    data = shapes if spec is None else components.build(Dataset, spec)
    other = tfvae.VAE(data.event_shape, 3, network=NETWORK, **options)
    with pytest.raises(ValueError, match=rf"differ in their {what}"):
        comparison.check_comparable((vae, shapes), (other, data), "test")
    comparison.check_comparable((vae, shapes), (vae, shapes), "test")
