"""Every member of every family comes under the laws, none by accident not."""

import cases
import pytest

from tfvae import components

ELSEWHERE = {"exporters", "figures"}  # their laws stand with their own tests


def test_every_family_has_laws():
    assert set(cases.FAMILIES) | ELSEWHERE == set(components.FAMILIES)


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_every_member_has_a_spec_that_builds_it(family):
    tested = {cases.name_of(spec) for spec in cases.specs(family)}
    assert tested == set(components.members(family)), (
        f"add a spec with its required options to EXAMPLES[{family!r}] of conformance/cases.py"
    )


@pytest.mark.parametrize(
    ("family", "table"),
    [
        ("datasets", cases.DATASETS),
        ("disentanglement", cases.DISENTANGLEMENT),
        ("distribution_layers", {**cases.LAYERS, **cases.POSTERIORS}),
        ("networks", cases.NETWORKS),
        ("objectives", cases.OBJECTIVES),
        ("priors", cases.PRIORS),
    ],
)
def test_every_member_has_an_entry_in_the_table_of_its_family(family, table):
    assert set(table) == set(components.members(family))


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_no_example_is_of_a_member_that_is_gone(family):
    assert set(cases.EXAMPLES[family]) <= set(components.members(family))


def test_there_is_a_posterior():
    assert "normal" in cases.posteriors()


@pytest.mark.parametrize("name", components.members("distribution_layers"))
def test_a_layer_comes_under_the_laws_of_what_it_can_be(name):
    specs = cases.specs("distribution_layers")
    layer = cases.build("distribution_layers", next(s for s in specs if cases.name_of(s) == name))
    assert layer.is_likelihood == (name in cases.LAYERS)
