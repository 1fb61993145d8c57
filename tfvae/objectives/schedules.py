"""Schedules: numbers that change while a model learns, as pure functions of the step."""

import tensorflow as tf


def ramp(step, num_steps, period=0):
    """Rises from 0 to 1 over `num_steps` steps, and stays there.

        ramp(t) = min(1, t / num_steps),  t = step, or step mod period

    Args:
        step: Scalar integer tensor or int: steps of the optimizer so far.
        num_steps: Length of the rise; 0 for none.
        period: Steps after which it begins anew; 0 for never.

    Returns:
        Scalar float32 tensor in [0, 1].

    Examples:
        >>> [float(ramp(step, 4)) for step in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]
        >>> [float(ramp(step, 4, period=10)) for step in (9, 10, 12)]
        [1.0, 0.0, 0.5]

    References:
        [1] Bowman et al. Generating sentences from a continuous space, section 3.1.
            https://arxiv.org/abs/1511.06349
        [2] Fu et al. Cyclical annealing schedule, eq. 6. https://arxiv.org/abs/1903.10145
    """
    if not num_steps:
        return tf.constant(1.0)
    step = tf.convert_to_tensor(step)
    if period:
        step = tf.math.floormod(step, tf.cast(period, step.dtype))
    return tf.minimum(1.0, tf.cast(step, tf.float32) / num_steps)
