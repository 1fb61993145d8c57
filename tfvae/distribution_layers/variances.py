"""Maps from the real numbers, which a network ends with, to variances.

    exp        v = exp(a)               any real number is a log-variance: stable, needs no floor
    softplus   v = log(1 + exp(a))      grows like a; a very negative a comes to the floor
    square     v = a**2                 the gradient 2 a is zero at a = 0, and a and -a are the same
    relu       v = max(a, 0)            zero for every a < 0, where no gradient leads out again

All but the first reach zero, where the density has no bound: v = max(v, floor). At the floor the
gradient is zero, so training may not leave it; `share_at_floor` tells how much has got there, and
training reports it.
"""

import math

import tensorflow as tf

_VARIANCES = {
    "exp": tf.exp,
    "softplus": tf.math.softplus,
    "square": tf.square,
    "relu": tf.nn.relu,
}

#: The names of the maps.
MAPS = tuple(_VARIANCES)

#: The number that each map makes a variance of 1 of: where a learned variance begins.
ONE = {"exp": 0.0, "softplus": math.log(math.expm1(1)), "square": 1.0, "relu": 1.0}


def check(name, floor):
    """Refuses a map that isn't there, and a floor that is none.

    Raises:
        ValueError: If it is so.
    """
    if name not in MAPS:
        raise ValueError(f"`variance` is one of {', '.join(map(repr, MAPS))}. Received {name!r}.")
    if type(floor) not in (int, float) or not 0 < floor < math.inf:
        raise ValueError(
            f"`floor` is the least variance, a positive number such as 1e-6. Received {floor!r}."
        )


def log_scale(raw, name, floor):
    """Returns the logarithm of the standard deviation.

    Args:
        raw: Float tensor.
        name: One of `MAPS`.
        floor: The least variance, of all maps but "exp".

    Examples:
        >>> log_scale(tf.constant([2.0, -2.0]), "relu", floor=1.0).numpy().round(4)
        array([0.3466, 0.    ], dtype=float32)
    """
    if name == "exp":
        return 0.5 * raw
    return 0.5 * tf.math.log(tf.maximum(_VARIANCES[name](raw), floor))


def share_at_floor(raw, name, floor):
    """Returns which share of the variances lies at the floor, a scalar tensor; 0 for "exp"."""
    if name == "exp":
        return tf.zeros([])
    return tf.reduce_mean(tf.cast(_VARIANCES[name](raw) <= floor, tf.float32))
