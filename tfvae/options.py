"""Checks of the options that members of several families have."""

import math


def check_count(option, count):
    """Returns an option that counts something: a positive int.

    Examples:
        >>> check_count("num_samples", 0)
        Traceback (most recent call last):
        ValueError: `num_samples` is a positive int. Received 0.
    """
    if type(count) is not int or count < 1:
        raise ValueError(f"`{option}` is a positive int. Received {count!r}.")
    return count


def check_steps(option, steps):
    """Returns an option that counts steps of the optimizer: an int from 0 on."""
    if type(steps) is not int or steps < 0:
        raise ValueError(
            f"`{option}` counts steps of the optimizer: an int from 0 on. Received {steps!r}."
        )
    return steps


def check_weight(option, weight, *, most=math.inf):
    """Returns an option that is a number from 0 to `most`.

    Examples:
        >>> check_weight("beta", -1.0)
        Traceback (most recent call last):
        ValueError: `beta` is a number from 0 on. Received -1.0.
    """
    good = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not good or not 0 <= weight <= most or weight == math.inf:
        bounds = "from 0 on" if most == math.inf else f"from 0 to {most}"
        raise ValueError(f"`{option}` is a number {bounds}. Received {weight!r}.")
    return float(weight)
