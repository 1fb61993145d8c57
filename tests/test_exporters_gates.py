"""A gate lets pass what reaches it, and says why with the numbers."""

import json

import pytest

from tfvae.exporters import gates, manifest
from tfvae.exporters.gates import GateError, MaxRegression, Requirement


def evaluation(elbo, **protocol):
    return {
        "elbo": elbo,
        "kl": 25.0,
        "protocol": {"split": "test", "fingerprint": "f", "num_examples": 10, **protocol},
    }


def passed(gate, evaluations, last=None):
    return gate.judge(evaluations, last).passed


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ("elbo >= -104", True),
        ("elbo > -104", False),
        ("elbo >= -103.9", False),
        ("elbo<=-104", True),
        ("kl < 25.5", True),
        ("kl < 25", False),
        ("log_likelihood >= -1000", False),  # never measured
    ],
)
def test_a_requirement_compares_the_newest_value(rule, passes):
    gate = Requirement.read(rule)
    assert passed(gate, [evaluation(-1.0), evaluation(-104.0)]) is passes
    assert not passed(gate, [])


@pytest.mark.parametrize(
    "text", ["", "elbo", "elbo == 3", "elbo >= much", "elbo >= nan", "loss <= 3", "elbo => -3"]
)
def test_what_is_no_requirement_is_refused(text):
    with pytest.raises(ValueError, match=r"A requirement is one of elbo, .* as in 'elbo >= -104'"):
        Requirement.read(text)


def test_a_model_may_be_worse_by_so_much_and_no_more():
    last = {"version": 3, "evaluations": [evaluation(-100.0)]}
    for elbo, passes in ((-99.0, True), (-100.5, True), (-100.51, False)):
        verdict = MaxRegression(0.5).judge([evaluation(elbo)], last)
        assert verdict.passed is passes
        assert f"The ELBO is {elbo:.4f} nats" in verdict.reason
        assert "the -100.0000 of version 3" in verdict.reason
    assert passed(MaxRegression(0.0), [evaluation(-500.0)])  # the first


def test_numbers_of_different_protocols_are_not_compared():
    last = {"version": 3, "evaluations": [evaluation(-100.0, fingerprint="other")]}
    verdict = MaxRegression(50.0).judge([evaluation(-90.0)], last)
    assert not verdict.passed
    assert "by another protocol: fingerprint other and f" in verdict.reason
    for key, old, new in (("binarization", "none", "dynamic"), ("measure", "density", "mass")):
        last = {"version": 3, "evaluations": [evaluation(-100.0, **{key: old})]}
        verdict = MaxRegression(50.0).judge([evaluation(-90.0, **{key: new})], last)
        assert not verdict.passed
        assert f"by another protocol: {key} {old} and {new}" in verdict.reason
    assert not passed(MaxRegression(50.0), [], last)
    assert not passed(MaxRegression(50.0), [evaluation(-90.0)], {"version": 3, "evaluations": []})


def test_a_refusal_gives_every_reason():
    conditions = [Requirement.read("elbo >= 0"), Requirement.read("kl <= 3"), MaxRegression(0.0)]
    error = gates.refusal(gates.judge(conditions, [evaluation(-104.0)], None))
    assert isinstance(error, GateError)
    assert str(error) == (
        "The elbo is -104.0000 nats on test. Required: elbo >= 0. "
        "The kl is 25.0000 nats on test. Required: kl <= 3."
    )
    assert gates.refusal(gates.judge([], [], None)) is None


def test_the_last_manifest_is_that_of_the_highest_version(tmp_path):
    assert manifest.last(tmp_path) is None
    for name, text in (("2", '{"version": 2}'), ("10", '{"version": 10}'), ("11", "{damaged")):
        (tmp_path / "releases" / name).mkdir(parents=True)
        (tmp_path / "releases" / name / "manifest.json").write_text(text)
    (tmp_path / "releases" / "refused").mkdir()
    assert manifest.last(tmp_path) == {"version": 10}
    path = tmp_path / "releases" / "10" / "manifest.json"
    path.write_text(json.dumps({"no": "manifest"}))
    assert manifest.last(tmp_path) == {"version": 2}
