"""Missing values: the likelihood of what is there, and nothing that isn't finite."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from tfvae import components, masking
from tfvae.datasets.python import FromPython
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.distributions import DiagonalNormal, reparameterize
from tfvae.evaluation import measures, report
from tfvae.vae import VAE

tfd = tfp.distributions
NAN = float("nan")


def likelihoods():
    """Returns p(x|z) of several supports, of which 0 is not always a part, and data for each."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(4, 3)).astype(np.float32) for _ in range(2))
    positive = np.exp(b)
    return {
        "normal": (DiagonalNormal(a, b), rng.normal(size=(4, 3))),
        "bernoulli": (
            tfd.Independent(tfd.Bernoulli(a, dtype=tf.float32), 1),
            rng.integers(0, 2, (4, 3)),
        ),
        "gamma": (tfd.Independent(tfd.Gamma(positive, 1.0), 1), rng.gamma(1, size=(4, 3))),
        "beta": (tfd.Independent(tfd.Beta(positive, positive), 1), rng.beta(1, 1, size=(4, 3))),
    }


@pytest.mark.parametrize("name", likelihoods())
def test_with_nothing_missing_it_is_the_likelihood_to_the_last_bit(name):
    distribution, x = likelihoods()[name]
    x = tf.constant(x, tf.float32)

    def both(x):
        return masking.Observed(distribution).log_prob(x), distribution.log_prob(x)

    np.testing.assert_array_equal(*both(x))
    if name == "normal":  # one compilation; the others are made of the same operations
        np.testing.assert_array_equal(*tf.function(both, jit_compile=True, autograph=False)(x))


@pytest.mark.parametrize("name", likelihoods())
def test_with_some_missing_it_is_the_marginal_of_the_others(name):
    distribution, x = likelihoods()[name]
    x = x.astype(np.float32)
    if name == "normal":
        params = [distribution.loc, tf.exp(distribution.log_scale)]
        alone = tfd.Normal(*params).log_prob(x).numpy()
    else:
        alone = distribution.distribution.log_prob(x).numpy()
    missing = np.array([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    found = masking.Observed(distribution).log_prob(np.where(missing, NAN, x))
    # Three float32 in another order.
    np.testing.assert_allclose(found, np.where(missing, 0, alone).sum(axis=1), rtol=1e-5, atol=1e-5)
    assert found[3] == 0


def test_the_marginal_of_a_gaussian_is_that_of_scipy():
    loc, log_scale = np.array([[0.5, -1.0, 2.0]]), np.array([[0.1, -0.3, 0.4]])
    x = np.array([[0.2, NAN, 1.0]])
    found = masking.Observed(DiagonalNormal(tf.constant(loc), tf.constant(log_scale))).log_prob(x)
    covariance = np.diag(np.exp(log_scale[0, [0, 2]]) ** 2)
    expected = stats.multivariate_normal(loc[0, [0, 2]], covariance).logpdf(x[0, [0, 2]])
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


@pytest.mark.parametrize("name", likelihoods())
@pytest.mark.parametrize("all_missing", [False, True])
def test_no_gradient_comes_from_what_is_missing_and_all_are_finite(name, all_missing):
    distribution, x = likelihoods()[name]
    missing = np.zeros([4, 3], bool) | all_missing
    missing[:, 1] = True
    make, params = _rebuilt(name, distribution)
    with tf.GradientTape() as tape:
        tape.watch(params)
        value = masking.Observed(make(params)).log_prob(np.where(missing, NAN, x).astype("f4"))
    gradient = tape.gradient(value, params).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[missing] == 0).all()
    assert all_missing or (gradient[~missing] != 0).all()


def _rebuilt(name, distribution):
    """Returns a function of one tensor of parameters to the distribution, and the parameters."""
    if name == "normal":
        return lambda loc: DiagonalNormal(loc, distribution.log_scale), tf.constant(
            distribution.loc
        )
    inner = distribution.distribution
    key = {"bernoulli": "logits", "gamma": "concentration", "beta": "concentration1"}[name]
    make = lambda value: tfd.Independent(inner.copy(**{key: value}), 1)  # noqa: E731
    return make, tf.constant(inner.parameters[key])


def test_its_moments_are_those_of_all_elements():
    distribution, _ = likelihoods()["normal"]
    observed = masking.Observed(distribution)
    for moment in ("mean", "stddev", "variance", "mode"):
        np.testing.assert_array_equal(getattr(observed, moment)(), getattr(distribution, moment)())
    assert observed.batch_shape == (4,)
    assert observed.event_shape == (3,)


@pytest.mark.parametrize(
    "distribution",
    [
        tfd.MultivariateNormalTriL(tf.zeros([2, 3]), tf.eye(3)[tf.newaxis]),
        tfd.Independent(tfd.OneHotCategorical(tf.zeros([2, 4, 3])), 1),
    ],
)
def test_elements_that_depend_on_each_other_are_refused(distribution):
    with pytest.raises(ValueError, match=r"its elements are independent given z"):
        masking.Observed(distribution)


# Models.


def _pair(likelihood="normal", **kwargs):
    """Returns a model that masks and one that doesn't, of the same weights."""
    args = {"network": "mlp(hidden=(6,))", "likelihood": likelihood, "seed": 3, **kwargs}
    return VAE((5,), 2, mask_missing=True, **args), VAE((5,), 2, **args)


X = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)
HOLES = np.where(np.random.default_rng(2).uniform(size=X.shape) < 0.3, np.float32(NAN), X)


def test_a_model_with_nothing_missing_is_the_model_without_a_mask():
    masked, plain = _pair()
    for ask in (
        lambda vae: vae.elbo(X, seed=4),
        lambda vae: vae.log_likelihood(X, num_samples=7),
        lambda vae: vae.posterior(X).mean(),
        lambda vae: vae(X),
    ):
        np.testing.assert_array_equal(ask(masked), ask(plain))


def test_the_reconstruction_is_that_of_a_model_of_the_observed_elements():
    masked, _ = _pair()
    seeds = np.arange(16, dtype=np.int32).reshape(8, 2)
    terms = masked.terms(HOLES, seeds).metrics
    z = reparameterize(masked.posterior(HOLES), tf.constant(seeds))  # of the same noise
    likelihood = masked.likelihood_layer(masked.decoder(z))
    each = stats.norm.logpdf(X, likelihood.mean(), likelihood.stddev())
    expected = np.where(np.isnan(HOLES), 0, each).sum(axis=1)
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(terms["elbo"], expected - terms["kl"], rtol=1e-4, atol=1e-4)
    assert np.isfinite(masked.log_likelihood(HOLES, num_samples=5)).all()


def test_the_encoder_sees_zero_for_what_is_missing():
    masked, plain = _pair()
    expected = plain.posterior(np.nan_to_num(HOLES)).mean()
    np.testing.assert_array_equal(masked.posterior(HOLES).mean(), expected)
    assert np.isnan(plain.posterior(HOLES).mean()).any()


def test_training_with_holes_moves_every_weight_and_keeps_it_finite(tmp_path):
    masked, _ = _pair()
    masked.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    before = [w.copy() for w in masked.get_weights()]
    masked.fit(HOLES, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for old, new in zip(before, masked.get_weights(), strict=True):
        assert np.isfinite(new).all()
        assert (old != new).any()
    masked.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.mask_missing
    np.testing.assert_array_equal(again.elbo(HOLES), masked.elbo(HOLES))


def test_bits_a_dimension_are_those_of_what_is_there(monkeypatch):
    monkeypatch.setattr(measures, "_measure", measures._measure.python_function)  # no compilation
    levels = np.random.default_rng(3).integers(0, 5, (40, 4)).astype(np.float32) / 4
    levels[::3, 1:3] = NAN
    dataset = FromPython(levels, missing="mask")
    likelihood = "discretized_logistic(levels=5)"
    vae = VAE((4,), 2, network="mlp(hidden=())", likelihood=likelihood, mask_missing=True)
    found = report.evaluate(vae, dataset, "train")
    (x,) = dataset.split("train", 100)
    there = np.count_nonzero(~np.isnan(x))
    assert there < x.numpy().size
    bits = -found["elbo"] * len(x) / np.log(2) / there
    assert found["bits_per_dimension"] == pytest.approx(bits)
    # Of a ratio of two means, against examples drawn again.
    sums = measures.measure(vae, dataset, "train").terms["elbo"] / np.log(2)
    counts = np.count_nonzero(~np.isnan(x), axis=1)
    rows = np.random.default_rng(4).integers(len(x), size=(4000, len(x)))
    again = sums[rows].sum(axis=1) / counts[rows].sum(axis=1)
    # The spread of 4,000 draws is off by 1 in 90, and of a ratio of 40 it is known to its order.
    assert found["bits_per_dimension_standard_error"] == pytest.approx(again.std(), rel=0.1)
    assert found["protocol"]["missing"] == x.numpy().size - there


# Categories.


def test_a_category_is_missing_as_a_whole():
    layer = components.build(DistributionLayer, "mixed(columns=('normal', 3))", (4,))
    layer.check_missing()
    layer.check_missing(np.array([[NAN, 0, 1, 0], [0.5, NAN, NAN, NAN]]))
    with pytest.raises(ValueError, match="Of the elements 1 to 3 some are NaN and others are not"):
        layer.check_missing(np.array([[0.5, 0, 1, 0], [0.5, NAN, 1, 0]]))


def test_what_fills_a_part_of_a_category_counts_for_nothing():
    layer = components.build(DistributionLayer, "mixed(columns=('normal', 3))", (4,))
    params = np.array([[0.3, -0.2, 0.5, 1.0, -1.0]], np.float32)
    observed = masking.Observed(layer(params))
    term = tf.nn.log_softmax(params[:, 2:])[0, 1]
    for x in ([NAN, NAN, 1, 0], [NAN, 0, 1, NAN], [NAN, 0, 1, 0]):
        assert float(observed.log_prob([x])[0]) == pytest.approx(float(term), rel=1e-6)
