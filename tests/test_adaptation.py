"""What a model knows of its training data before the first step."""

import numpy as np
import pytest
import scipy.special

import tfvae
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.training import adaptation


@pytest.fixture(scope="module")
def digits():
    return components.build(Dataset, "mnist(limit=100, binarize='threshold')")


def make(**parts):
    return tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))", **parts)


def test_a_model_of_binary_data_begins_at_their_mean(digits):
    vae = make()
    x = np.concatenate(list(digits.training(50, 7).take(2)))
    before = np.mean(vae.elbo(x))
    adaptation.adapt(vae, digits, 0)
    mean = scipy.special.expit(vae.decoder.weights[-1].numpy()).reshape(28, 28, 1)
    # All 100 images count, so their order doesn't; no pixel begins at never or always.
    np.testing.assert_allclose(mean, np.clip(x.mean(axis=0), 0.001, 0.999), rtol=1e-4)
    # A coin for each pixel costs 784 log 2 = 543 nats, the mean about 200.
    assert before < -500
    assert np.mean(vae.elbo(x)) > -300


def test_a_likelihood_without_parameters_at_a_mean_begins_as_it_was_made(digits):
    vae = make(likelihood="continuous_bernoulli")
    before = vae.get_weights()
    adaptation.adapt(vae, digits, 0)
    for weight, same in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_missing_elements_have_no_part_in_the_mean():
    x = np.array([[1.0, np.nan, 0.5], [0.0, np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(adaptation._mean(x), [0.5, 0.0, 0.5])
