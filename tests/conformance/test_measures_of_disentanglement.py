"""Laws of all measures of disentanglement, on codes of which the answer is known."""

import cases
import numpy as np
import pytest

SIZES = (3, 5, 4)  # values of the factors

#: Every combination of the factors, equally often: what is independent is so exactly.
FACTORS = np.tile(np.stack(np.unravel_index(np.arange(60), SIZES), axis=1), (10, 1))

NUM = len(FACTORS)


@pytest.fixture(scope="module", params=cases.specs("disentanglement"))
def metric(request):
    return cases.build("disentanglement", request.param)


@pytest.fixture(scope="module")
def promises(metric):
    return cases.DISENTANGLEMENT[metric.member_name]


@pytest.fixture(scope="module")
def of_blurred(metric):
    """The scores of codes that know each factor to some degree."""
    return scores(metric, blurred())


def scores(metric, codes, factors=FACTORS, seed=0):
    """Returns the values of all scores by name; factors are numbers on a scale."""
    found = metric.measure(codes, factors, class_factors=(), seed=seed)
    return {name: score.value for name, score in found.items()}


def noise(num_latents, seed=0):
    return np.random.default_rng(seed).normal(size=(NUM, num_latents))


def blurred(amount=0.3):
    """Returns codes that know each factor to some degree, and a latent of noise."""
    return np.concatenate([FACTORS + amount * noise(3), noise(1, seed=1)], axis=1)


def test_a_measure_gives_the_scores_that_it_promises(metric, promises):
    found = metric.measure(blurred(), FACTORS)
    assert set(found) == set(promises)
    for score in found.values():
        assert 0 <= score.value <= 1
        if score.by_factor is not None:
            assert score.by_factor.shape == (3,)
            assert score.value == pytest.approx(score.by_factor.mean(), abs=0.05)


def test_a_latent_for_each_factor_scores_one(metric):
    codes = FACTORS * [1.0, -3.0, 0.5] + 2
    assert scores(metric, codes) == pytest.approx(dict.fromkeys(scores(metric, codes), 1), abs=1e-9)


def test_a_latent_for_each_factor_beside_collapsed_ones_scores_one(metric):
    codes = np.concatenate([np.zeros((NUM, 1)), FACTORS, np.full((NUM, 2), 0.3)], axis=1)
    assert scores(metric, codes) == pytest.approx(dict.fromkeys(scores(metric, codes), 1), abs=1e-9)


def test_noise_scores_what_chance_gives(metric, promises):
    found = scores(metric, noise(5))
    for name, promise in promises.items():
        # Of some hundred examples chance makes a few hundredths.
        assert found[name] == pytest.approx(promise.by_chance(SIZES), abs=0.08)


def test_a_rotation_by_45_degrees_is_seen(metric, promises):
    pair = np.stack(np.unravel_index(np.arange(25), (5, 5)), axis=1)
    factors = np.tile(pair, (40, 1))
    turned = factors @ np.array([[1, 1], [-1, 1]]) / 2**0.5
    found = scores(metric, turned, factors)
    for name, promise in promises.items():
        if promise.sees_rotations:
            assert found[name] < 0.6  # straight, it is 1


def test_the_order_of_the_latents_does_not_matter(metric, promises, of_blurred):
    other = scores(metric, blurred()[:, [2, 3, 0, 1]])
    for name, promise in promises.items():
        assert other[name] == pytest.approx(of_blurred[name], abs=promise.luck)


def test_the_scale_of_a_latent_does_not_matter(metric, promises, of_blurred):
    other = scores(metric, blurred() * [2.0, 0.5, 4.0, 8.0] + 1)
    for name, promise in promises.items():
        assert other[name] == pytest.approx(of_blurred[name], abs=promise.luck)


def test_the_names_of_the_values_do_not_matter_to_classes(metric):
    renamed = np.array([7, 3, 11, 5, 0])[FACTORS]
    codes = blurred()
    found, other = metric.measure(codes, FACTORS), metric.measure(codes, renamed)
    for name, score in found.items():
        assert other[name].value == pytest.approx(score.value, abs=0.02)


def test_a_score_follows_from_the_seed(metric, of_blurred):
    assert scores(metric, blurred()) == of_blurred


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros((4, 2)), np.zeros((3, 1)), r"of the same examples. .* \(4, 2\) and \(3, 1\)"),
        (np.zeros(4), np.zeros((4, 1)), r"shapes \(4,\) and \(4, 1\)"),
        (np.full((2, 1), np.nan), np.array([[0], [1]]), "finite numbers"),
        (np.zeros((2, 1)), np.array([[0, 5], [1, 5]]), r"Factors \[1\] of 2 don't"),
    ],
)
def test_what_can_not_be_measured_is_refused(metric, codes, factors, message):
    with pytest.raises(ValueError, match=message):
        metric.measure(codes, factors)
