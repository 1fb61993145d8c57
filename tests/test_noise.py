"""Noise: the published test vectors, the distributions, and independence of how it is run."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae import noise

# Random123's known answers for threefry2x32 with 20 rounds: key, counter, words.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]

# A million draws: the standard error of a correlation is 1e-3. The seeds are fixed, so a test
# that passes once passes always, and the p-value below is that of one fixed draw.
NUM = 1_000_000
CORRELATION = 5e-3
P_VALUE = 1e-3


def uint32(value):
    return tf.constant(value, tf.uint32)


def signed(word):
    """Returns the int32 with the bits of a uint32."""
    return int(np.uint32(word).view(np.int32))


def words_of(monkeypatch, word):
    """Makes every word of every stream `word`."""

    def bits(seed, shape):
        return tf.fill([*seed.shape[:-1], *shape], uint32(word))

    monkeypatch.setattr(noise, "_bits", bits)


@pytest.fixture(params=[True, False], ids=["numpy", "tensorflow"])
def either_way(request, monkeypatch):
    """Makes words that are at hand in NumPy, as they are when they are few, and by TensorFlow."""
    if not request.param:
        monkeypatch.setattr(noise, "_FEW", -1)


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers_of_random123(key, counter, words):
    found = noise._threefry(*map(uint32, key), *map(uint32, counter))
    assert tuple(int(word) for word in found) == words


def test_fold_in_is_threefry_of_the_counter_zero_and_the_number():
    key = (0x13198A2E, 0x03707344)
    folded = noise.fold_in(tf.constant([signed(word) for word in key]), 7)
    expected = noise._threefry(*map(uint32, key), uint32(0), uint32(7))
    assert folded.dtype == tf.int32
    assert folded.numpy().tolist() == [signed(word) for word in expected]


def test_a_stream_is_threefry_of_the_counters_from_one_and_zero_up():
    seed = tf.constant([signed(0x13198A2E), signed(0x03707344)])
    counters = [noise._threefry(*map(uint32, (0x13198A2E, 0x03707344, 1, n))) for n in range(3)]
    first, second = zip(*counters, strict=True)  # the two halves lie side by side
    words = [int(word) for word in (*first, *second)]
    assert noise._bits(seed, (6,)).numpy().tolist() == words
    assert noise._bits(seed, (5,)).numpy().tolist() == words[:5]
    assert noise._bits(seed, (2, 3)).numpy().ravel().tolist() == words
    np.testing.assert_array_equal(noise.uniform(seed, (6,)), np.array(words) // 2**8 / 2**24)


def test_streams_and_derived_seeds_never_share_a_counter():
    seed = noise.seed_of(3)
    derived = noise.fold_in(seed, tf.range(512)).numpy().view(np.uint32)
    drawn = noise._bits(seed, (1024,)).numpy()
    assert not set(derived.ravel()) & set(drawn)


@pytest.mark.parametrize("draw", [noise.uniform, noise.normal])
def test_draws_agree_in_eager_graph_and_xla(draw):
    seeds = noise.row_seeds(noise.seed_of(1, 2), 50)
    eager = draw(seeds, (7, 3)).numpy()
    graph = tf.function(lambda s: draw(s, (7, 3)), autograph=False)(seeds).numpy()
    compiled = tf.function(lambda s: draw(s, (7, 3)), jit_compile=True, autograph=False)(
        seeds
    ).numpy()
    assert eager.shape == (50, 7, 3)
    assert eager.dtype == np.float32
    if draw is noise.uniform:
        np.testing.assert_array_equal(graph, eager)
        np.testing.assert_array_equal(compiled, eager)
    else:
        # Two polynomials for erfinv: a few units in the last place.
        np.testing.assert_allclose(graph, eager, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-6)


def test_derived_seeds_agree_in_eager_graph_and_xla():
    def derive(number):
        return noise.row_seeds(noise.seed_of(5, number), 20, start=number)

    eager = derive(tf.constant(9)).numpy()
    np.testing.assert_array_equal(derive(9), eager)
    np.testing.assert_array_equal(tf.function(derive, autograph=False)(tf.constant(9)), eager)
    np.testing.assert_array_equal(
        tf.function(derive, jit_compile=True, autograph=False)(tf.constant(9)), eager
    )


@pytest.mark.parametrize("rows", [1, 1000, NUM])
def test_uniform_draws_are_uniform(rows):
    u = noise.uniform(noise.row_seeds(noise.seed_of(0), rows), (NUM // rows,)).numpy().ravel()
    assert u.min() >= 0
    assert u.max() < 1
    assert scipy.stats.kstest(u, "uniform").pvalue > P_VALUE
    # All low-order bits too: a Kolmogorov-Smirnov test sees the high ones only.
    steps = (u.astype(np.float64) * 2**24).astype(np.int64)
    assert scipy.stats.chisquare(np.bincount(steps % 256, minlength=256)).pvalue > P_VALUE


@pytest.mark.parametrize("rows", [1, 1000, NUM])
def test_normal_draws_are_standard_normal(rows):
    eps = noise.normal(noise.row_seeds(noise.seed_of(0), rows), (NUM // rows,)).numpy().ravel()
    assert scipy.stats.kstest(eps, "norm").pvalue > P_VALUE
    # Five standard errors of the mean, the variance and the fourth moment of a million draws.
    assert abs(eps.mean()) < 5 / NUM**0.5
    assert abs(eps.var() - 1) < 5 * (2 / NUM) ** 0.5
    assert abs((eps.astype(np.float64) ** 4).mean() - 3) < 5 * (96 / NUM) ** 0.5


def test_adjacent_rows_are_uncorrelated():
    eps = noise.normal(noise.row_seeds(noise.seed_of(1), 1001), (1000,)).numpy()
    assert abs(np.corrcoef(eps[:-1].ravel(), eps[1:].ravel())[0, 1]) < CORRELATION


def test_adjacent_elements_of_a_row_are_uncorrelated():
    eps = noise.normal(noise.seed_of(1), (NUM + 1,)).numpy()
    assert abs(np.corrcoef(eps[:-1], eps[1:])[0, 1]) < CORRELATION


def test_the_halves_of_a_stream_are_uncorrelated():
    first, second = noise.normal(noise.seed_of(1), (2, NUM)).numpy()
    assert abs(np.corrcoef(first, second)[0, 1]) < CORRELATION


def test_draws_of_adjacent_steps_are_uncorrelated():
    now, after = (noise.normal(noise.seed_of(0, 4, step), (NUM,)).numpy() for step in (10, 11))
    assert abs(np.corrcoef(now, after)[0, 1]) < CORRELATION


def test_one_bit_of_a_seed_turns_half_of_the_bits_of_a_draw():
    words = noise._bits(tf.constant([[0, 0], [1, 0], [0, 1], [2**30, 0], [0, 2**30]]), (10_000,))
    for row in words[1:]:
        flipped = tf.bitwise.bitwise_xor(words[0], row).numpy()
        turned = np.unpackbits(flipped.view(np.uint8)).sum()
        # 320,000 fair coins: five standard deviations of their share are 5 * 0.5 / 566.
        assert abs(turned / 320_000 - 0.5) < 5e-3


def test_uniform_never_reaches_one(monkeypatch):
    words_of(monkeypatch, 0xFFFFFFFF)
    assert noise.uniform(noise.seed_of(0), ()).numpy() == np.float32(1 - 2**-24) < 1
    words_of(monkeypatch, 0)
    assert noise.uniform(noise.seed_of(0), ()).numpy() == 0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_normal_is_finite_and_symmetric_at_the_extreme_words(monkeypatch, jit_compile):
    def draw():
        return noise.normal(noise.seed_of(0), (4,))

    words_of(monkeypatch, 0xFFFFFFFF)
    high = tf.function(draw, jit_compile=jit_compile, autograph=False)().numpy()
    words_of(monkeypatch, 0)
    low = tf.function(draw, jit_compile=jit_compile, autograph=False)().numpy()
    np.testing.assert_array_equal(low, -high)
    # The quantile of 1 - 2**-24, where float32 erfinv keeps about four digits.
    np.testing.assert_allclose(high, scipy.stats.norm.isf(2**-24), rtol=1e-3)


def test_normal_has_a_middle_step_on_each_side_of_zero(monkeypatch):
    words_of(monkeypatch, 0x80000000)
    above = noise.normal(noise.seed_of(0), ()).numpy()
    words_of(monkeypatch, 0x7FFFFFFF)
    assert above == -noise.normal(noise.seed_of(0), ()).numpy() > 0


@pytest.mark.parametrize(
    ("seed_shape", "data_shape", "shape"),
    [
        ((), (), ()),
        ((), (5,), (5,)),
        ((4,), (), (4,)),
        ((4,), (4,), (4,)),
        ((4,), (3, 1), (3, 4)),
        ((1, 4), (3, 1), (3, 4)),
        ((3, 1), (4,), (3, 4)),
    ],
)
@pytest.mark.usefixtures("either_way")
def test_fold_in_broadcasts_numbers_against_seeds(seed_shape, data_shape, shape):
    seeds = np.random.default_rng(0).integers(-(2**31), 2**31, (*seed_shape, 2), np.int32)
    data = np.arange(np.prod(data_shape, dtype=int), dtype=np.int32).reshape(data_shape)
    folded = noise.fold_in(seeds, data).numpy()
    assert folded.shape == (*shape, 2)
    wide_seeds = np.broadcast_to(seeds, (*shape, 2))
    wide_data = np.broadcast_to(data, shape)
    for index in np.ndindex(shape):
        one = noise.fold_in(wide_seeds[index], int(wide_data[index]))
        np.testing.assert_array_equal(folded[index], one)


def test_seed_of_folds_numbers_in_one_by_one_and_order_counts():
    one = noise.fold_in(tf.zeros([2], tf.int32), 1)
    np.testing.assert_array_equal(noise.seed_of(1), one)
    np.testing.assert_array_equal(noise.seed_of(1, 2), noise.fold_in(one, 2))
    seeds = {tuple(noise.seed_of(*n).numpy()) for n in [(), (1,), (1, 2), (2, 1), (0, 1), (1, 0)]}
    assert len(seeds) == 6


@pytest.mark.usefixtures("either_way")
def test_row_seeds_from_a_start_are_a_slice_of_all_of_them():
    seed = noise.seed_of(8)
    every = noise.row_seeds(seed, 10).numpy()
    assert every.shape == (10, 2)
    assert len({tuple(row) for row in every}) == 10
    for start, num in [(0, 10), (3, 4), (9, 1), (10, 0)]:
        np.testing.assert_array_equal(noise.row_seeds(seed, num, start), every[start : start + num])
        tensors = noise.row_seeds(seed, tf.constant(num), tf.constant(start))
        np.testing.assert_array_equal(tensors, every[start : start + num])


@pytest.mark.parametrize("draw", [noise.uniform, noise.normal])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,)])
@pytest.mark.usefixtures("either_way")
def test_a_row_draws_the_same_alone_and_in_a_batch(draw, shape):
    seeds = noise.row_seeds(noise.seed_of(2), 6)
    together = draw(tf.reshape(seeds, [2, 3, 2]), shape).numpy()
    assert together.shape == (2, 3, *shape)
    alone = np.stack([draw(row, shape) for row in seeds]).reshape(together.shape)
    if draw is noise.uniform:
        np.testing.assert_array_equal(together, alone)
    else:
        # erfinv takes another path, off by a last digit, for the elements at the end of a tensor
        # that fill no vector register.
        np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize("number", [-1, -(2**31), 2**31 - 1, 10**9])
def test_negative_and_large_numbers_open_streams_of_their_own(number):
    folded = noise.seed_of(number)
    np.testing.assert_array_equal(folded, noise.seed_of(tf.constant(number)))
    neighbour = noise.seed_of(number - 1 if number > 0 else number + 1)
    assert folded.numpy().tolist() != neighbour.numpy().tolist()
    u = noise.uniform(folded, (1000,)).numpy()
    assert scipy.stats.kstest(u, "uniform").pvalue > P_VALUE


def test_a_step_counted_in_int64_folds_in_as_in_int32():
    # Keras counts an optimizer's iterations in int64 in some versions.
    np.testing.assert_array_equal(
        noise.seed_of(tf.constant(70_000, tf.int64)), noise.seed_of(70_000)
    )
