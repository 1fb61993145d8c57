"""Baselines: simpler models on the same examples, in the nats of the VAE."""

import numpy as np
import pytest

import tfvae
from pipelines import evaluate
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.evaluation import baselines, mixtures, ppca

NETWORK = "mlp(hidden=())"


@pytest.fixture(scope="module")
def digits():
    return components.build(Dataset, "mnist(limit=200, binarize='threshold')")


@pytest.fixture(scope="module")
def moons():
    return components.build(Dataset, "synthetic(kind='moons', num=300)")


def everything(dataset, split):
    return np.concatenate(list(dataset.split(split, 100).as_numpy_iterator()))


def test_binary_data_get_a_mixture_of_bernoullis(digits):
    vae = tfvae.VAE(digits.event_shape, 2, network=NETWORK)
    found = baselines.evaluate(vae, digits, "test")
    assert set(found) == {"mixture of 50 Bernoullis, by EM"}
    (values,) = found.values()
    model, _ = mixtures.fit(everything(digits, "train"), 50, binary=True)
    log_prob = model.log_prob(everything(digits, "test"))
    assert values["log_likelihood"] == pytest.approx(log_prob.mean())
    assert values["log_likelihood_standard_error"] == pytest.approx(
        log_prob.std(ddof=1) / len(log_prob) ** 0.5
    )
    # Better than a coin for each pixel.
    assert values["log_likelihood"] > -784 * np.log(2)


def test_densities_get_gaussians_and_principal_components_of_as_many_latents(moons):
    vae = tfvae.VAE(moons.event_shape, 1, network=NETWORK, likelihood="normal")
    found = baselines.evaluate(vae, moons, "validation")
    assert set(found) == {"mixture of 50 Gaussians, by EM", "probabilistic PCA, 1 latents"}
    x = everything(moons, "validation")
    expected = ppca.fit([everything(moons, "train")], 1).log_prob(x).mean()
    assert found["probabilistic PCA, 1 latents"]["log_likelihood"] == pytest.approx(expected)


def test_a_likelihood_of_other_units_gets_none(moons, monkeypatch):
    vae = tfvae.VAE(moons.event_shape, 1, network=NETWORK, likelihood="normal")
    monkeypatch.setattr(type(vae.likelihood_layer), "discrete", True)
    assert baselines.evaluate(vae, moons, "validation") == {}


def test_columns_get_the_baselines_of_densities_where_all_of_them_are(moons):
    columns = "mixed(columns=('normal', 'poisson', 3))"
    vae = tfvae.VAE((5,), 1, network=NETWORK, likelihood=columns)
    assert baselines.evaluate(vae, None, "test") == {}  # masses beside a density
    vae = tfvae.VAE((2,), 1, network=NETWORK, likelihood="mixed(columns=('normal', 'laplace'))")
    assert len(baselines.evaluate(vae, moons, "validation")) == 2


def test_the_program_prints_and_keeps_them(moons, tmp_path, capsys):
    vae = tfvae.VAE(moons.event_shape, 1, network=NETWORK, likelihood="normal")
    evaluate.report_on(vae, moons, tmp_path, split="validation", with_baselines=True)
    (report,) = evaluate.read_reports(tmp_path / evaluate.REPORT)
    assert set(report["baselines"]) == set(baselines.evaluate(vae, moons, "validation"))
    shown = capsys.readouterr().out
    for name, values in report["baselines"].items():
        assert name in shown
        assert f"{values['log_likelihood']:.2f}" in shown
