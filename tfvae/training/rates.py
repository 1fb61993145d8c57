"""The learning rate over a run: a function of the step, so that a resumed run goes on with it.

`constant` is the rate that is given; the others begin there and end lower, at the last step.
"""

from tfvae import components
from tfvae.options import check_count

#: Names of the schedules, each with its options and their defaults.
SCHEDULES: dict = {"constant": {}, "cosine": {"cycles": 1}, "stages": {}}

_NUM_STAGES = 8  # of Burda et al., appendix C: 3**i epochs each, 1 + 3 + ... + 3**7 = 3280


def make(schedule, learning_rate, steps):
    """Returns what a Keras optimizer takes as its learning rate.

        cosine:  rate(t) = learning_rate (1 + cos(pi (t mod T) / T)) / 2,  T = steps / cycles
        stages:  rate(t) = learning_rate 10**(-i / 7) in stage i of 0 ... 7,
                 which takes 3**i / 3280 of the run

    Args:
        schedule: Spec of one of `SCHEDULES`, such as "cosine" or "cosine(cycles=2)".
        learning_rate: Positive float, at the first step.
        steps: Steps of the whole run.

    Returns:
        A float, or a `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: If the schedule or an option is unknown or out of range.

    Examples:
        >>> rate = make("stages", 1e-3, 3280)
        >>> [round(float(rate(step)), 6) for step in (0, 1, 3279)]
        [0.001, 0.00072, 0.0001]

    References:
        [1] Loshchilov and Hutter, eq. 5. https://arxiv.org/abs/1608.03983
        [2] Burda et al., section 5. https://arxiv.org/abs/1509.00519
    """
    import keras  # not above: the names are listed by `--help`

    spec = parse(schedule)
    if spec.name == "constant":
        return learning_rate
    if spec.name == "stages":
        boundaries, values = stages(learning_rate, steps)
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    cycles = spec.options.get("cycles", 1)
    if cycles == 1:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    if cycles > steps:
        raise ValueError(
            f"A cycle is a step at least. Received {schedule!r} for {steps} steps. Take fewer "
            f"cycles, or more epochs."
        )
    # Longer by a hair, which float32 can tell: at the end of a cycle, and of the run, the rate is
    # the last one of that cycle and not the first of another.
    period = steps / cycles * (1 + 1e-6)
    return keras.optimizers.schedules.CosineDecayRestarts(learning_rate, period, t_mul=1.0)


def parse(schedule):
    """Reads the spec of a schedule and checks it.

    Args:
        schedule: Text, as `make` takes it.

    Returns:
        A `components.Spec`.

    Raises:
        ValueError: If the schedule or an option is unknown or out of range.

    Examples:
        >>> str(parse("cosine(cycles = 2)")), str(parse("cosine(cycles=1)"))
        ('cosine(cycles=2)', 'cosine')
    """
    spec = components.read(schedule)
    known = SCHEDULES.get(spec.name)
    if known is None:
        raise ValueError(f"The schedule is one of {', '.join(SCHEDULES)}. Received {schedule!r}.")
    for name, value in spec.options.items():
        if name not in known:
            have = f"the option {', '.join(known)}" if known else "no options"
            raise ValueError(f"The schedule `{spec.name}` has {have}. Received {schedule!r}.")
        check_count(name, value)
    differing = {name: value for name, value in spec.options.items() if value != known[name]}
    return components.Spec(spec.name, differing)


def describe(schedule, learning_rate, steps):
    """Returns how a learning rate is made, on which a resumed run must agree.

    Examples:
        >>> describe("constant", 1e-3, 60), describe("cosine", 1e-3, 60)
        ('0.001', '0.001, cosine over 60 steps')
    """
    spec = str(parse(schedule))
    return str(learning_rate) + ("" if spec == "constant" else f", {spec} over {steps} steps")


def stages(learning_rate, steps):
    """Returns the last step of each stage but the last, and the rate of each.

    Args:
        learning_rate: Positive float, at the first step.
        steps: Steps of the whole run.
    """
    lengths = [3**i for i in range(_NUM_STAGES)]
    ends = [sum(lengths[: i + 1]) for i in range(_NUM_STAGES - 1)]
    last = [max(0, round(steps * end / sum(lengths)) - 1) for end in ends]
    return last, [learning_rate * 10 ** (-i / (_NUM_STAGES - 1)) for i in range(_NUM_STAGES)]
