"""Several evaluations of one run: what an earlier one found stays where nothing has changed."""

import math

_TERMS = ("elbo", "reconstruction", "kl", "log_likelihood")


def joined(report, earlier):
    """Returns a report with what an earlier one of the same protocol and model has beside it.

    An evaluation with `--tightness`, say, and another one with `--against` are one record then.

    Args:
        report: The new report, a dict for JSON.
        earlier: List of reports.

    Returns:
        Another dict. Where both have an entry, it is the new one.
    """
    for old in earlier:
        if old["protocol"] == report["protocol"] and _is_of_one_model(old, report):
            return {**old, **report}
    return report


def _is_of_one_model(old, new):
    """Says whether the terms agree, but for the order of sums: a run may have been trained on."""
    return all(
        name in old and math.isclose(old[name], new[name], rel_tol=1e-6)
        for name in _TERMS
        if name in new
    )
