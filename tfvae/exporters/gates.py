"""Gates: what a model must reach before it is published.

    Requirement.read("elbo >= -104")     the newest evaluation says so
    MaxRegression(0.5)                   not more than 0.5 nats below the version published last

Each looks at evaluations as `pipelines.evaluate` writes them, and says yes or no with the numbers.
"""

import abc
import dataclasses
import math
import operator
import re

from tfvae.exporters.base import ExportError

_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_RULE = re.compile(r"\s*([a-z_]+)\s*(>=|<=|>|<)\s*(\S+)\s*")

#: What an evaluation measures, in nats.
METRICS = ("elbo", "reconstruction", "kl", "log_likelihood")

# Numbers compare only within one protocol: these entries of it must be the same.
_PROTOCOL = ("fingerprint", "binarization", "measure", "split", "num_examples")


class GateError(ExportError):
    """A model that was refused. Its text gives the reasons."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a gate says.

    Attributes:
        gate: The gate, in words.
        passed: Whether it lets the model pass.
        reason: Why, with the numbers.
    """

    gate: str
    passed: bool
    reason: str


class Gate(abc.ABC):
    """A condition of publication."""

    @abc.abstractmethod
    def judge(self, evaluations, last):
        """Returns a `Verdict`.

        Args:
            evaluations: List of evaluations of the model, the newest last.
            last: The manifest of the version that was published last, or None.
        """


@dataclasses.dataclass(frozen=True)
class Requirement(Gate):
    """A bound on a metric of the newest evaluation.

    Args:
        metric: One of `METRICS`.
        comparison: ">=", "<=", ">" or "<".
        bound: Nats.
    """

    metric: str
    comparison: str
    bound: float

    @classmethod
    def read(cls, text):
        """Reads a requirement.

        Args:
            text: Such as "elbo >= -104".

        Raises:
            ValueError: If it is none.

        Examples:
            >>> Requirement.read("elbo >= -104")
            Requirement(metric='elbo', comparison='>=', bound=-104.0)
        """
        match = _RULE.fullmatch(text)
        try:
            metric, comparison, bound = match.groups() if match else ("", "", "")
            if metric in METRICS and math.isfinite(float(bound)):
                return cls(metric, comparison, float(bound))
        except ValueError:
            pass
        raise ValueError(
            f"A requirement is one of {', '.join(METRICS)}, a comparison and a number of nats, as "
            f"in 'elbo >= -104'. Received {text!r}."
        )

    def judge(self, evaluations, last):
        """Returns a `Verdict`; the version published last makes no difference."""
        del last
        words = f"{self.metric} {self.comparison} {self.bound:g}"
        evaluation = _newest(evaluations, self.metric)
        if evaluation is None:
            return Verdict(words, False, f"The {self.metric} has not been evaluated.")
        value = evaluation[self.metric]
        passed = bool(_COMPARE[self.comparison](value, self.bound))
        on = f"on {evaluation['protocol']['split']}"
        return Verdict(words, passed, f"The {self.metric} is {value:.4f} nats {on}.")


@dataclasses.dataclass(frozen=True)
class MaxRegression(Gate):
    """A bound on what a new version may lose against the one published last.

    Args:
        nats: How much lower the ELBO may be; 0 for none.
    """

    nats: float

    def judge(self, evaluations, last):
        """Returns a `Verdict`; the first version passes."""
        words = f"elbo not worse than the last published by more than {self.nats:g} nats"
        if last is None:
            return Verdict(words, True, "No version has been published before.")
        evaluation = _newest(evaluations, "elbo")
        before = _newest(last.get("evaluations") or [], "elbo")
        if evaluation is None or before is None:
            whose = "this model" if evaluation is None else f"version {last['version']}"
            return Verdict(words, False, f"The ELBO of {whose} has not been evaluated.")
        other = [key for key in _PROTOCOL if _of(evaluation, key) != _of(before, key)]
        if other:
            values = ", ".join(f"{k} {_of(before, k)} and {_of(evaluation, k)}" for k in other)
            whose = f"The ELBO of version {last['version']}"
            return Verdict(words, False, f"{whose} was measured by another protocol: {values}.")
        new, old = evaluation["elbo"], before["elbo"]
        reason = (
            f"The ELBO is {new:.4f} nats, {abs(new - old):.4f} "
            f"{'below' if new < old else 'above'} the {old:.4f} of version {last['version']}."
        )
        return Verdict(words, old - new <= self.nats, reason)


def judge(gates, evaluations, last):
    """Asks every gate.

    Returns:
        List of `Verdict`.
    """
    return [gate.judge(evaluations, last) for gate in gates]


def refusal(verdicts):
    """Returns a `GateError` with the reasons of the gates that don't let pass, or None."""
    reasons = [f"{v.reason} Required: {v.gate}." for v in verdicts if not v.passed]
    return GateError(" ".join(reasons)) if reasons else None


def _newest(evaluations, metric):
    return next((e for e in reversed(evaluations) if metric in e), None)


def _of(evaluation, key):
    return evaluation.get("protocol", {}).get(key)
