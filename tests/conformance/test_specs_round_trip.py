"""build(spec).spec, as text, builds the same part again."""

import ast

import cases
import pytest

from tfvae import components

ALL = [(family, spec) for family in cases.FAMILIES for spec in cases.specs(family)]


@pytest.mark.parametrize(("family", "spec"), ALL)
def test_the_spec_of_a_part_builds_it_again(family, spec):
    part = cases.build(family, spec)
    text = str(part.spec)
    again = cases.build(family, text)
    assert type(again) is type(part)
    assert again.spec == part.spec
    assert str(again.spec) == text
    assert components.parse(family, text) == part.spec


@pytest.mark.parametrize(("family", "spec"), ALL)
def test_a_part_keeps_the_options_given_and_fills_in_the_others(family, spec):
    given = components.read(spec)
    options = cases.build(family, spec).spec.options
    member = components.members(family)[given.name]
    assert list(options) == list(member.options)
    for option, default in member.options.items():
        assert options[option] == given.options.get(option, default and ast.literal_eval(default))
