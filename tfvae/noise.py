"""Counter-based noise: the same draw for the same seed, on every device and in every mode.

    words = threefry2x32(seed, counter)         # Salmon et al. 2011, 20 rounds
    u = (words >> 8) / 2**24                    # uniform on [0, 1)
    eps = sqrt(2) * erfinv(2 u' - 1)            # standard normal, u' at the middle of a step

TensorFlow's own stateless generators take one seed for a whole tensor, give other numbers
with XLA than without, and their default (Philox) is slow under XLA on CPU. Here every row has
a seed of its own, so a draw depends on that row's seed alone: not on the batch it travels in,
not on how a batch is split into chunks, not on whether XLA compiles it (uniforms to the bit;
normals to the last digit, where libraries round erfinv apart). That one property carries exact
resume, estimates that don't change with the batch size, and exports whose `generate` is
reproducible row by row. Under XLA it is as fast as XLA's own Threefry.

References:
    [1] Salmon, Moraes, Dror and Shaw. Parallel random numbers: as easy as 1, 2, 3. SC 2011.
        https://doi.org/10.1145/2063384.2063405
"""

import enum
import functools
import itertools
import math

import numpy as np
import tensorflow as tf

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_FEW = 2**16  # keys whose rounds NumPy carries out in less time than a graph's call takes


class Stream(enum.IntEnum):
    """What noise is for: what one stream draws tells nothing of another."""

    TRAIN = 0
    TEST = 1
    SAMPLE = 2
    ELBO = 3
    LIKELIHOOD = 4
    DATA = 5
    AGGREGATE = 6
    ANNEALING = 7


def seed_of(*numbers):
    """Folds integers into one seed.

    Args:
        *numbers: Python ints or scalar integer tensors; the order counts.

    Returns:
        seed: int32 `[2]`.
    """
    # Plain numbers, which stand first, are folded here and not in the program, where each
    # would cost seconds of compilation.
    plain = list(itertools.takewhile(lambda number: isinstance(number, int), numbers))
    folded = np.zeros(2, np.int32)
    for number in plain:
        folded = _fold_in_plain(folded, np.array(number, np.int32))
    seed = tf.constant(folded)
    for number in numbers[len(plain) :]:
        seed = fold_in(seed, number)
    return seed


def fold_in(seed, data):
    """Derives independent seeds from a seed and numbers.

    Args:
        seed: int32 `[..., 2]`.
        data: Integer, or int32 tensor whose shape broadcasts against `seed.shape[:-1]`.

    Returns:
        seed: int32 `[..., 2]`, the shapes broadcast together.
    """
    data, seed = tf.cast(data, tf.int32), tf.convert_to_tensor(seed, tf.int32)
    shape = tf.broadcast_static_shape(seed.shape[:-1], data.shape)
    if _is_at_hand(shape.num_elements()):
        return tf.constant(_fold_in_plain(seed.numpy(), data.numpy()))
    data, key = tf.bitcast(data, tf.uint32), tf.bitcast(seed, tf.uint32)
    words = _threefry(key[..., 0], key[..., 1], tf.zeros_like(data), data)
    return tf.bitcast(tf.stack(words, axis=-1), tf.int32)


def _fold_in_plain(seed, data):
    """Does what `fold_in` does, in NumPy."""
    key, data = seed.view(np.uint32), data.view(np.uint32)
    words = _rounds_plain(key[..., 0], key[..., 1], np.zeros_like(data), data)
    return np.stack(words, axis=-1).view(np.int32)


def row_seeds(seed, num, start=0):
    """Gives each row of a batch its own seed.

    Args:
        seed: int32 `[2]`.
        num: Number of rows, int or scalar tensor.
        start: Index of the first row: a replica passes where its share of the batch begins.

    Returns:
        seeds: int32 `[num, 2]`.
    """
    return fold_in(seed, tf.range(num) + start)


def uniform(seed, shape):
    """Draws uniforms on [0, 1), in steps of 2**-24.

    Args:
        seed: int32 `[..., 2]`.
        shape: Static shape of one draw, a tuple of ints.

    Returns:
        u: float32 `[..., *shape]`.
    """
    words = tf.bitwise.right_shift(_bits(seed, shape), np.uint32(8))
    # The detour by int32 is exact, and every runtime has it; uint32 to float32 is not so common.
    return tf.cast(tf.bitcast(words, tf.int32), tf.float32) * np.float32(2**-24)


def open_uniform(seed, shape):
    """Draws uniforms on (0, 1), at the middle of steps of 2**-23: for logarithms and quantiles.

    Args:
        seed: int32 `[..., 2]`.
        shape: Static shape of one draw, a tuple of ints.

    Returns:
        u: float32 `[..., *shape]`, from 2**-24 to 1 - 2**-24.
    """
    words = tf.bitwise.right_shift(_bits(seed, shape), np.uint32(9))
    steps = tf.cast(tf.bitcast(words, tf.int32), tf.float32)
    return (steps + np.float32(0.5)) * np.float32(2**-23)


def words16(seed, shape):
    """Draws whole numbers of 16 bits, two from each word: the cheapest noise there is.

    Args:
        seed: int32 `[..., 2]`.
        shape: Static shape of one draw, a tuple of ints.

    Returns:
        int32 `[..., *shape]`, from 0 to 2**16 - 1.
    """
    num = math.prod(shape)
    words = _bits(seed, ((num + 1) // 2,))
    # Not side by side within a word but half after half: shifts only, no change of layout.
    low = tf.bitwise.bitwise_and(words, np.uint32(0xFFFF))
    high = tf.bitwise.right_shift(words, np.uint32(16))
    stream = tf.bitcast(tf.concat([low, high], axis=-1)[..., :num], tf.int32)
    return tf.reshape(stream, tf.concat([tf.shape(words)[:-1], tf.constant(shape, tf.int32)], 0))


def normal(seed, shape):
    """Draws standard normals.

    Args:
        seed: int32 `[..., 2]`.
        shape: Static shape of one draw, a tuple of ints.

    Returns:
        eps: float32 `[..., *shape]`.
    """
    # 2 u - 1 at the middle of each step of 2**-23, so that neither -1 nor 1 occurs.
    words = tf.bitwise.right_shift(_bits(seed, shape), np.uint32(9))
    steps = tf.cast(tf.bitcast(words, tf.int32), tf.float32)
    centred = (steps - np.float32(2**22) + np.float32(0.5)) * np.float32(2**-22)
    return np.float32(math.sqrt(2)) * tf.math.erfinv(centred)


def _bits(seed, shape):
    """Returns uint32 `[..., *shape]`: words of the stream that each seed opens."""
    num = math.prod(shape)
    seed, counter = tf.convert_to_tensor(seed, tf.int32), np.arange((num + 1) // 2, dtype=np.uint32)
    if _is_at_hand((seed.shape[:-1].num_elements() or 0) * len(counter)):
        key = seed.numpy().view(np.uint32)[..., np.newaxis, :]
        words = _rounds_plain(key[..., 0], key[..., 1], np.ones_like(counter), counter)
        stream = np.concatenate(words, axis=-1)[..., :num]
        return tf.constant(stream.reshape([*seed.shape[:-1], *shape]))
    key = tf.bitcast(seed, tf.uint32)[..., tf.newaxis, :]
    counter = tf.constant(counter)
    words = _threefry(key[..., 0], key[..., 1], tf.ones_like(counter), counter)
    # The halves lie side by side rather than interleaved: no transpose.
    stream = tf.concat(words, axis=-1)[..., :num]
    return tf.reshape(stream, tf.concat([tf.shape(key)[:-2], tf.constant(shape, tf.int32)], 0))


def _is_at_hand(num_words):
    """Whether values are there already, and so few that NumPy is done before TensorFlow begins.

    An operation of TensorFlow takes as long as 50 of NumPy, and a draw has 200.
    """
    return tf.executing_eagerly() and (num_words or 0) <= _FEW


def _threefry(key0, key1, counter0, counter1):
    """Threefry-2x32 with 20 rounds [1, section 3.3]; uint32 tensors that broadcast."""
    words = (key0, key1, counter0, counter1)
    shape = functools.reduce(tf.broadcast_static_shape, [word.shape for word in words])
    words = _traced_rounds()(*words)
    for word in words:
        word.set_shape(shape)
    return words


def _rounds_plain(*words):
    """Does what `_threefry` does, in NumPy."""
    with np.errstate(over="ignore"):  # scalars warn where they wrap around
        return _rounds(*words)


def _rounds(key0, key1, counter0, counter1):
    """Does what `_threefry` does, for tensors of unknown shape and for arrays."""
    keys = (key0, key1, key0 ^ key1 ^ _PARITY)
    x0, x1 = counter0 + keys[0], counter1 + keys[1]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ _rotate_left(x1, distance)
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


@functools.cache
def _traced_rounds():
    """Returns `_rounds` as a graph, for any shape; traced once in a process.

    The rounds are 200 operations, and a step of training asks for them a dozen times. Whatever
    compiles a graph that calls them puts them in its place.
    """
    signature = [tf.TensorSpec(None, tf.uint32)] * 4
    with tf.init_scope():  # whatever graph is being made when somebody asks first
        traced = tf.function(_rounds, autograph=False, input_signature=signature)
        return traced.get_concrete_function()


def _rotate_left(word, distance):
    if isinstance(word, tf.Tensor):
        left = tf.bitwise.left_shift(word, np.uint32(distance))
        return left | tf.bitwise.right_shift(word, np.uint32(32 - distance))
    return (word << np.uint32(distance)) | (word >> np.uint32(32 - distance))
