"""Synthetic data follow the law that they say they follow."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from sources import build, everything, examples

NUM = 4000


def test_the_density_of_a_linear_gaussian_is_that_of_scipy():
    dataset = build(f"synthetic(kind='linear_gaussian', num={NUM}, size=3, latents=2, noise=0.4)")
    x, truth = everything(dataset), dataset._truth
    covariance = truth.weights @ truth.weights.T + 0.4**2 * np.eye(3)
    expected = scipy.stats.multivariate_normal(truth.offset, covariance)
    np.testing.assert_allclose(dataset.log_prob(x), expected.logpdf(x), rtol=1e-9, atol=1e-9)
    # The data are draws of it: the mean of -log p(x) is its entropy, to 5 standard errors.
    surprise = -dataset.log_prob(x)
    assert abs(surprise.mean() - expected.entropy()) < 5 * surprise.std() / NUM**0.5


def test_the_codes_of_a_linear_gaussian_explain_its_examples_but_for_the_noise():
    dataset = build(f"synthetic(kind='linear_gaussian', num={NUM}, size=3, latents=2, noise=0.4)")
    z, truth = dataset.factors("train"), dataset._truth
    residual = examples(dataset.split("train", 500)) - (z @ truth.weights.T + truth.offset)
    # The standard deviation of n draws is off by some stddev / sqrt(2 n).
    assert residual.std() == pytest.approx(0.4, abs=5 * 0.4 / (2 * residual.size) ** 0.5)
    assert z.std(axis=0) == pytest.approx([1, 1], abs=5 / (2 * len(z)) ** 0.5)


def test_the_density_of_a_mixture_is_that_of_scipy_and_holds_all_of_the_mass():
    dataset = build(f"synthetic(kind='mixture', num={NUM}, size=2, latents=3, noise=0.5)")
    x, means = everything(dataset), dataset._truth.means
    parts = [scipy.stats.multivariate_normal(mean, 0.25 * np.eye(2)).logpdf(x) for mean in means]
    expected = scipy.special.logsumexp(parts, axis=0) - np.log(3)
    np.testing.assert_allclose(dataset.log_prob(x), expected, rtol=1e-9, atol=1e-9)
    ticks = np.linspace(-10, 10, 401)  # twenty standard deviations; the means are drawn of N(0, 4)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    assert np.exp(dataset.log_prob(grid)).sum() * 0.05**2 == pytest.approx(1, abs=1e-6)


def test_an_example_of_a_mixture_lies_about_the_mean_that_its_label_names():
    dataset = build(f"synthetic(kind='mixture', num={NUM}, size=2, latents=3, noise=0.5)")
    labels = dataset.labels("train")
    residual = examples(dataset.split("train", 500)) - dataset._truth.means[labels]
    assert residual.std() == pytest.approx(0.5, abs=5 * 0.5 / (2 * residual.size) ** 0.5)
    np.testing.assert_array_equal(dataset.factors("train")[:, 0], labels)
    assert np.bincount(labels).min() > len(labels) / 4


def test_moons_are_half_circles_and_noise():
    dataset = build(f"synthetic(kind='moons', num={NUM}, noise=0.1)")
    moon, angle = dataset.factors("train").T
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    place = np.where(moon[:, None] == 0, circle, [1, 0.5] - circle)
    residual = examples(dataset.split("train", 500)) - place
    assert residual.std() == pytest.approx(0.1, abs=5 * 0.1 / (2 * residual.size) ** 0.5)
    assert 0 <= angle.min() < 0.01
    assert np.pi - 0.01 < angle.max() <= np.pi
    np.testing.assert_array_equal(moon, dataset.labels("train"))


def test_shapes_have_the_area_and_the_place_that_their_factors_name():
    dataset = build("synthetic(kind='shapes', num=200, size=48)")
    images = examples(dataset.split("train", 500))[..., 0]
    shape, scale, _, x, y = dataset.factors("train").T
    # Of the square with half a side of 1; a triangle's inner circle has half of the scale.
    areas = np.choose(shape.astype(int), [np.pi, 4, 3 * 3**0.5 / 4]) * scale**2
    found = images.sum(axis=(1, 2)) * (2 / 48) ** 2
    # Half a pixel of blur is cut off at the corners of a triangle.
    np.testing.assert_allclose(found, areas, rtol=0.05)
    ticks = (np.arange(48) + 0.5) * 2 / 48 - 1
    weights = images / images.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose((weights * ticks).sum(axis=(1, 2)), x, atol=0.01)
    np.testing.assert_allclose((weights * ticks[:, None]).sum(axis=(1, 2)), y, atol=0.01)


def test_a_density_without_a_closed_form_is_refused():
    with pytest.raises(ValueError, match="`linear_gaussian` and `mixture` have one"):
        build("synthetic(kind='moons')").log_prob(np.zeros([1, 2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("kind='sun'", "`kind` is one of 'linear_gaussian', 'mixture', 'moons', 'shapes'"),
        ("kind=['moons']", r"Received \['moons'\]"),
        ("num=0", "`num` is a positive int. Received 0."),
        ("noise=0", "`noise` is a positive number. Received 0."),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(f"synthetic({options})")
