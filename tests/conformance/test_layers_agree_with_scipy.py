"""log_prob of a distribution layer, and of a prior, is the sum over the event of scipy's."""

import cases
import numpy as np
import pytest

from tfvae.distribution_layers.base import DistributionLayer


@pytest.mark.parametrize(("spec", "event_shape"), cases.layers_with_events())
def test_log_prob_agrees_with_scipy(spec, event_shape):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.layer(spec, event_shape)
    params = cases.params_of(layer, 6)
    x = case.data(layer, 6)
    log_prob = layer(params).log_prob(x)
    expected = [np.sum(case.log_prob(layer, *row)) for row in zip(params, x, strict=True)]
    assert log_prob.shape == (6,)
    # Sums of up to six terms of a few nats, in float32.
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("spec", "event_shape"), cases.layers_with_events())
def test_a_layer_has_the_batch_and_event_shapes_that_it_promises(spec, event_shape):
    layer = cases.layer(spec, event_shape)
    distribution = layer(cases.params_of(layer, 6))
    assert distribution.batch_shape == (6,)
    assert distribution.event_shape == event_shape
    assert layer.event_shape == event_shape
    assert distribution.mean().shape == distribution.stddev().shape == (6, *event_shape)


@pytest.mark.parametrize(("spec", "event_shape"), cases.layers_with_events())
def test_more_axes_may_stand_before_the_batch(spec, event_shape):
    case = cases.LAYERS[cases.name_of(spec)]
    layer = cases.layer(spec, event_shape)
    params = cases.params_of(layer, 6)
    x = case.data(layer, 3)
    wide = layer(params.reshape(2, 3, *layer.params_shape))
    assert wide.batch_shape == (2, 3)
    flat = layer(params).log_prob(np.concatenate([x, x]))
    # The same operations on the same numbers; only the layout differs.
    np.testing.assert_allclose(wide.log_prob(x), np.reshape(flat, (2, 3)), rtol=1e-6)


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_the_moments_that_are_exported_are_moments_of_the_distribution(spec):
    layer = cases.layer(spec)
    distribution = layer(cases.params_of(layer, 6))
    assert layer.moments[0] == "mean"
    for moment in layer.moments:
        assert getattr(distribution, moment)().shape == (6, *layer.event_shape), moment


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_moments_that_tell_a_distribution_give_it_back(spec):
    layer = cases.layer(spec, (2, 3))
    if type(layer)._of_moments is DistributionLayer._of_moments:
        pytest.skip("its moments don't tell it")
    distribution = layer(cases.params_of(layer, 6))
    again = layer.of_moments({name: getattr(distribution, name)() for name in layer.moments})
    x = cases.LAYERS[cases.name_of(spec)].data(layer, 6)
    # A logarithm and its exponential, times distances of some deviations.
    np.testing.assert_allclose(again.log_prob(x), distribution.log_prob(x), rtol=1e-4, atol=1e-4)
    edge = {name: np.zeros((6, *layer.event_shape), np.float32) for name in layer.moments}
    assert not np.isnan(layer.of_moments(edge).log_prob(x)).any()


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_the_terms_of_the_elements_add_up_to_log_prob(spec):
    layer = cases.layer(spec, (2, 3))
    distribution = layer(cases.params_of(layer, 6))
    x = cases.LAYERS[cases.name_of(spec)].data(layer, 6)
    if cases.name_of(spec) == "full_normal":
        with pytest.raises(ValueError, match="elements of a `full_normal` depend on each other"):
            layer.element_log_prob(distribution, x)
        return
    terms = layer.element_log_prob(distribution, x)
    assert terms.shape == x.shape
    # A sum of six terms of a few nats in another order.
    total = np.sum(terms, axis=tuple(range(1, x.ndim)))
    np.testing.assert_allclose(total, distribution.log_prob(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "spec", [s for s in cases.specs("priors") if cases.PRIORS[cases.name_of(s)]]
)
def test_the_density_of_a_prior_agrees_with_scipy(spec):
    prior = cases.BoundPrior(spec, 3)
    z = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    expected = cases.PRIORS[cases.name_of(spec)](prior.prior, z)
    # Terms of a few nats in float32.
    log_prob = prior.distribution().log_prob(z)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)
    # With an axis of samples in front, as bounds take it.
    wide = prior.distribution().log_prob(z.reshape(2, 3, 3))
    np.testing.assert_allclose(wide, expected.reshape(2, 3), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "spec", [s for s in cases.posteriors() if cases.POSTERIORS.get(cases.name_of(s))]
)
def test_the_density_of_a_posterior_agrees_with_scipy(spec):
    layer = cases.layer(spec)
    params = cases.params_of(layer, 6)
    z = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    density = cases.POSTERIORS[cases.name_of(spec)]
    expected = [density(layer, *row) for row in zip(params, z, strict=True)]
    # Quadratic forms of a few terms, with variances of up to a few units, in float32.
    np.testing.assert_allclose(layer(params).log_prob(z), expected, rtol=1e-4, atol=1e-4)
