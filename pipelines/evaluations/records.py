"""Several evaluations of one run: what an earlier one found stays where nothing has changed."""

import math
import pathlib

from pipelines.runs import Run

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
            return {**_current(old), **report}
    return report


def as_json(report):
    """Returns a report, or a part of one, as JSON can hold it: null where it isn't finite.

    Examples:
        >>> as_json({"elbo": float("-inf"), "kl": [1.5, 2]})
        {'elbo': None, 'kl': [1.5, 2]}
    """
    if isinstance(report, dict):
        return {key: as_json(part) for key, part in report.items()}
    if isinstance(report, list | tuple):
        return [as_json(part) for part in report]
    return None if isinstance(report, float) and not math.isfinite(report) else report


def _current(old):
    """Leaves out a comparison with a run that has been trained on since."""
    against = old.get("against")
    try:
        if against and Run(pathlib.Path(against["run"]), {}).digest() != against.get("model"):
            return {name: value for name, value in old.items() if name != "against"}
    except OSError:  # it isn't there, and nothing says that it has changed
        pass
    return old


def _is_of_one_model(old, new):
    """Says whether the terms agree, but for the order of sums: a run may have been trained on."""
    return all(
        isinstance(old.get(name), float) and math.isclose(old[name], new[name], rel_tol=1e-6)
        for name in _TERMS
        if name in new
    )
