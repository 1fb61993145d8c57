"""Whether contestants did the same: nobody wins by doing less."""

import statistics

# Relative distance from the median ELBO that different noise explains: ten seeds of one trainer
# lie within it. The ELBO still falls fast after few steps, and differs more.
_TOLERANCE = 0.01
_EARLY_TOLERANCE = 0.03
_EARLY = 2000


def complaints(trainers, steps):
    """Returns what is wrong with the results, a list of sentences.

    Args:
        trainers: Dicts by name, with `elbo` in nats and `steps` of the optimizer.
        steps: The steps that were asked for.

    Examples:
        >>> complaints({"a": {"elbo": -100.0, "steps": 9}}, 10)
        ['a took 9 steps of the optimizer, not 10.']
    """
    found = []
    tolerance = _TOLERANCE if steps >= _EARLY else _EARLY_TOLERANCE
    elbos = [result["elbo"] for result in trainers.values()]
    middle = statistics.median(elbos) if elbos else 0.0
    for name, result in trainers.items():
        if result["steps"] != steps:
            found.append(f"{name} took {result['steps']} steps of the optimizer, not {steps}.")
        # Written so that NaN is a complaint too.
        if not abs(result["elbo"] - middle) <= tolerance * abs(middle):
            found.append(
                f"{name} ends at an ELBO of {result['elbo']:.2f} nats, the median is "
                f"{middle:.2f}: further away than {tolerance:.0%}, so it trained something else."
            )
    return found


def failures(reasons):
    """Returns a sentence for each contestant that is installed and failed all the same."""
    return [f"{name} failed: {reason}." for name, reason in reasons.items()]


def disagreements(results):
    """Returns what is wrong with the outputs of the runtimes, a list of sentences.

    Args:
        results: For each name, the same nested list of numbers: `Runtime.results` by call.
    """
    if not results:
        return []
    first, *others = results.items()
    return [
        f"{name} computes something else than {first[0]}."
        for name, numbers in others
        if not _close(numbers, first[1])
    ]


def _close(numbers, others):
    if isinstance(numbers, list):
        pairs = zip(numbers, others, strict=False)
        return len(numbers) == len(others) and all(_close(a, b) for a, b in pairs)
    return abs(numbers - others) <= 1e-4 * max(1.0, abs(others))
