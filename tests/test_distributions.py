"""DiagonalNormal against scipy and TensorFlow Probability, and drawing with noise from outside."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distributions import DiagonalNormal, reparameterize

tfd = tfp.distributions

SHAPES = [((), (3,), 1), ((4,), (3,), 1), ((2, 4), (3,), 1), ((4,), (2, 3), 2), ((), (2, 1, 3), 3)]


def parameters(batch_shape, event_shape, seed=0):
    rng = np.random.default_rng(seed)
    loc, log_scale = rng.normal(size=(2, *batch_shape, *event_shape)).astype(np.float32)
    return loc, 0.7 * log_scale


def event_axes(event_ndims):
    return tuple(range(-event_ndims, 0))


@pytest.fixture(params=SHAPES, ids=str)
def example(request):
    """A distribution with its loc, scale and a value, as NumPy arrays, and its event axes."""
    batch_shape, event_shape, event_ndims = request.param
    loc, log_scale = parameters(batch_shape, event_shape)
    distribution = DiagonalNormal(loc, log_scale, event_ndims)
    x, _ = parameters(batch_shape, event_shape, seed=1)
    return distribution, loc, np.exp(log_scale), x, event_axes(event_ndims)


def test_shapes_are_those_of_loc(example):
    distribution, loc, _, _, axes = example
    split = len(loc.shape) - len(axes)
    assert distribution.batch_shape == loc.shape[:split]
    assert distribution.event_shape == loc.shape[split:]
    assert distribution.batch_shape_tensor().numpy().tolist() == list(loc.shape[:split])
    assert distribution.event_shape_tensor().numpy().tolist() == list(loc.shape[split:])
    assert distribution.dtype == tf.float32


def test_log_prob_is_that_of_scipy(example):
    distribution, loc, scale, x, axes = example
    expected = scipy.stats.norm.logpdf(x, loc, scale).sum(axes)
    # Up to six terms of a few nats in float32.
    np.testing.assert_allclose(distribution.log_prob(x), expected, rtol=1e-5, atol=1e-5)


def test_moments_are_those_of_the_parameters(example):
    distribution, loc, scale, _, axes = example
    np.testing.assert_array_equal(distribution.mean(), loc)
    np.testing.assert_array_equal(distribution.mode(), loc)
    # exp of a float32: a few units in the last place.
    np.testing.assert_allclose(distribution.stddev(), scale, rtol=1e-6)
    np.testing.assert_allclose(distribution.variance(), scale**2, rtol=1e-6)
    entropy = scipy.stats.norm.entropy(loc, scale).sum(axes)
    np.testing.assert_allclose(distribution.entropy(), entropy, rtol=1e-5, atol=1e-6)


def test_the_divergence_is_that_of_tensorflow_probability(example):
    q, loc, scale, x, axes = example
    p_loc, p_scale = x, scale[..., ::-1].copy()
    p = DiagonalNormal(p_loc, np.log(p_scale), len(axes))
    expected = tfd.kl_divergence(tfd.Normal(loc, scale), tfd.Normal(p_loc, p_scale))
    # Sums of up to six terms, each with a cancellation of a few nats.
    np.testing.assert_allclose(q.kl_divergence(p), np.sum(expected, axes), rtol=1e-5, atol=1e-5)


def test_the_divergence_from_a_standard_normal_is_that_of_appendix_b(example):
    q, loc, scale, _, axes = example
    p = DiagonalNormal(tf.zeros_like(loc), tf.zeros_like(loc), len(axes))
    expected = -0.5 * (1 + np.log(scale**2) - loc**2 - scale**2).sum(axes)
    np.testing.assert_allclose(q.kl_divergence(p), expected, rtol=1e-5, atol=1e-5)


def test_a_prior_without_a_batch_broadcasts_in_the_divergence():
    q = DiagonalNormal(*parameters((4,), (3,)))
    p_loc, p_log_scale = parameters((), (3,), seed=1)
    one = DiagonalNormal(p_loc, p_log_scale)
    many = DiagonalNormal(np.tile(p_loc, (4, 1)), np.tile(p_log_scale, (4, 1)))
    assert q.kl_divergence(one).shape == (4,)
    np.testing.assert_array_equal(q.kl_divergence(one), q.kl_divergence(many))


@pytest.mark.parametrize("offset", [1e-2, 1e-3, 1e-4, 0.0])
def test_the_divergence_keeps_its_digits_near_zero(offset):
    q = DiagonalNormal(np.zeros([1, 1], np.float32), np.full([1, 1], offset, np.float32))
    p = DiagonalNormal(np.zeros([1], np.float32), np.zeros([1], np.float32))
    # KL = d**2 + O(d**3) for a log-scale that is off by d, d**2 / 2 for each direction of expm1:
    # the plain form loses everything below 1e-7.
    twice = 2 * np.float64(np.float32(offset))
    expected = 0.5 * (np.expm1(twice) - twice)
    # float32 leaves 1e-7 / d of a difference of two numbers of size d.
    np.testing.assert_allclose(q.kl_divergence(p), [expected], rtol=3e-3, atol=0)
    assert q.kl_divergence(p).numpy() >= 0


def test_a_part_of_the_batch_and_a_copy_are_distributions_of_their_own():
    loc, log_scale = parameters((4,), (3,))
    distribution = DiagonalNormal(loc, log_scale)
    part = distribution[1:3]
    assert part.batch_shape == (2,)
    assert part.event_shape == (3,)
    np.testing.assert_array_equal(part.mean(), loc[1:3])
    np.testing.assert_allclose(part.log_prob(loc[1:3]), distribution.log_prob(loc)[1:3], rtol=1e-6)
    copy = distribution.copy(loc=loc + 1)
    np.testing.assert_array_equal(copy.mean(), loc + 1)
    np.testing.assert_array_equal(copy.log_scale, log_scale)


def test_a_distribution_can_stand_inside_others():
    loc, log_scale = parameters((4,), (3,))
    distribution = DiagonalNormal(loc, log_scale)
    components = np.array([distribution.log_prob(loc[0])])
    mixture = tfd.MixtureSameFamily(tfd.Categorical(tf.zeros([4])), distribution)
    expected = scipy.special.logsumexp(components) - np.log(4)
    np.testing.assert_allclose(mixture.log_prob(loc[0]), expected, rtol=1e-5)


def test_gradients_reach_both_parameters_through_density_and_divergence():
    loc, log_scale = map(tf.constant, parameters((4,), (3,)))
    prior = DiagonalNormal(tf.zeros([3]), tf.zeros([3]))
    with tf.GradientTape() as tape:
        tape.watch([loc, log_scale])
        q = DiagonalNormal(loc, log_scale)
        total = tf.reduce_sum(q.log_prob(tf.ones([3])) + 0.3 * q.kl_divergence(prior))
    for gradient in tape.gradient(total, [loc, log_scale]):
        assert np.isfinite(gradient).all()
        assert np.all(gradient)


def test_a_reparameterised_draw_is_loc_plus_scale_times_noise():
    loc, log_scale = parameters((4,), (3,))
    seeds = noise.row_seeds(noise.seed_of(1), 4)
    z = reparameterize(DiagonalNormal(loc, log_scale), seeds)
    expected = loc + np.exp(log_scale) * noise.normal(seeds, (3,)).numpy()
    np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-6)  # a fused or a plain product


def test_several_draws_of_a_row_fold_the_index_of_the_sample_into_its_seed():
    distribution = DiagonalNormal(*parameters((4,), (3,)))
    seeds = noise.row_seeds(noise.seed_of(1), 4)
    z = reparameterize(distribution, seeds, num_samples=5).numpy()
    assert z.shape == (5, 4, 3)
    assert len(np.unique(z)) == z.size
    for index, sample in enumerate(z):
        one = reparameterize(distribution, noise.fold_in(seeds, index))
        np.testing.assert_allclose(sample, one, rtol=1e-6, atol=1e-6)  # erfinv's last digit


def test_fewer_draws_are_the_first_of_more():
    distribution = DiagonalNormal(*parameters((4,), (3,)))
    seeds = noise.row_seeds(noise.seed_of(1), 4)
    few, many = (reparameterize(distribution, seeds, num).numpy() for num in (2, 6))
    np.testing.assert_allclose(few, many[:2], rtol=1e-6, atol=1e-6)  # erfinv's last digit


def test_a_draw_has_the_shape_of_an_event_of_any_rank():
    distribution = DiagonalNormal(*parameters((4,), (2, 3)), event_ndims=2)
    seeds = noise.row_seeds(noise.seed_of(1), 4)
    assert reparameterize(distribution, seeds).shape == (4, 2, 3)
    assert reparameterize(distribution, seeds, 5).shape == (5, 4, 2, 3)
