"""The autoencoder as a special case: a VAE whose posterior's variance goes to zero."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines import cli, evaluate
from tfvae import noise
from tfvae.vae import VAE

SHAPE = (3, 2, 1)
SIZE = 2


def make(posterior, **options):
    return VAE(SHAPE, SIZE, network="mlp(hidden=(5,), activation='tanh')", posterior=posterior)


def with_stddev(delta, log_variance):
    """Returns the VAE with the weights of an autoencoder and a posterior that is so wide."""
    vae = make("normal")
    vae.decoder.set_weights(delta.decoder.get_weights())
    *hidden, kernel, bias = delta.encoder.get_weights()
    kernel = np.concatenate([kernel, np.zeros_like(kernel)], axis=1)
    bias = np.concatenate([bias, np.full_like(bias, log_variance)])
    vae.encoder.set_weights([*hidden, kernel, bias])
    return vae


@pytest.fixture(scope="module")
def delta():
    """An autoencoder whose code varies with the example."""
    delta = make("delta")
    rng = np.random.default_rng(0)
    delta.set_weights([rng.normal(size=w.shape) for w in delta.get_weights()])
    return delta


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).integers(0, 2, (10, *SHAPE)).astype(np.float32)


def test_the_loss_is_the_reconstruction_at_the_code_without_prior_terms(delta, x):
    terms = delta.terms(x, noise.row_seeds(noise.seed_of(0), len(x)))
    code = delta.encoder(x)
    expected = delta.likelihood(code).log_prob(x)
    for value in (terms.bound, terms.metrics["elbo"], terms.metrics["reconstruction"]):
        np.testing.assert_allclose(value, expected, rtol=1e-6)  # the same operations
    np.testing.assert_array_equal(terms.metrics["kl"], 0)
    np.testing.assert_array_equal(delta.posterior(x).stddev(), 0)


def test_a_vae_whose_posterior_variance_goes_to_zero_agrees_with_it(delta, x):
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    expected = delta.terms(x, seeds).metrics["reconstruction"]
    distances = []
    for log_variance in (-4.0, -8.0, -12.0, -40.0):
        vae = with_stddev(delta, log_variance)
        np.testing.assert_allclose(vae(x), delta(x), rtol=1e-5)
        distance = vae.terms(x, seeds).metrics["reconstruction"] - expected
        distances.append(np.abs(distance).max())
    # The draw is off by the standard deviation, a factor of e**2 from one to the next, and the
    # term with it to first order; by nothing but rounding at e**-20.
    assert np.all(np.array(distances[1:3]) < np.array(distances[:2]) / 4)
    assert distances[-1] < 1e-5


def test_the_gradients_of_that_vae_agree_too(delta, x):
    seeds = noise.row_seeds(noise.seed_of(0), len(x))
    found = []
    for vae in (delta, with_stddev(delta, -40.0)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae.terms(x, seeds).metrics["reconstruction"])
        found.append(tape.gradient(loss, vae.decoder.trainable_variables))
    for gradient, expected in zip(*found, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)  # sums in float32


def test_a_draw_is_the_code_whatever_the_noise(delta, x):
    code = delta.encoder(x)
    seeds = noise.row_seeds(noise.seed_of(3), len(x))
    np.testing.assert_array_equal(delta.posterior_layer.sample(code, seeds), code)
    eps = noise.normal(seeds, (SIZE,))
    np.testing.assert_array_equal(delta.reparameterize(x, eps), code)
    assert delta.posterior_layer.noise_shapes == {}


def test_it_learns_and_loads(delta, x, tmp_path):
    vae = make("delta")
    vae.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    x = np.repeat(x[:2], 200, axis=0)
    before = vae.elbo(x).numpy().mean()
    vae.fit(x, batch_size=20, epochs=3, verbose=0)
    after = vae.elbo(x).numpy().mean()
    # Two examples and a code of two numbers: nothing limits it but the steps that it takes.
    assert before < -3 < -1 < after
    vae.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x[:2]), vae(x[:2]))


def test_a_log_likelihood_is_refused(delta, x):
    with pytest.raises(ValueError, match="A point mass has no density"):
        delta.log_likelihood(x, num_samples=3)


def test_the_program_refuses_it_as_usage(delta):
    with pytest.raises(cli.UsageError, match="Leave `--num-samples` out"):
        evaluate.check_num_samples(delta, 10)
    evaluate.check_num_samples(delta, 0)
    evaluate.check_num_samples(make("normal"), 10)


def test_a_prior_that_could_not_learn_is_refused():
    with pytest.raises(ValueError, match="no term from which the prior `mixture"):
        VAE(SHAPE, SIZE, posterior="delta", prior="mixture")


@pytest.mark.parametrize("objective", ["dreg(num_samples=2)", "capacity(steps=5)"])
def test_an_objective_that_is_about_the_density_is_refused(objective):
    with pytest.raises(ValueError, match=r"is about log q.* posterior `delta.*` has no density"):
        VAE(SHAPE, SIZE, posterior="delta", objective=objective)


def test_a_posterior_is_no_likelihood():
    with pytest.raises(ValueError, match="`delta` is a posterior, a distribution over codes"):
        VAE((4,), SIZE, likelihood="delta")
