"""Which conditions keep a contact out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.participation import participation, words
from shared.domain.filters import All, Any, Condition, Filter, Not, Operator
from tests.unit.cli.samples import CANARIES, MAPPING, a_contact

ACTIVE = Condition("statecode", Operator.EQUALS, 0)
NAMED = Condition("lastname", Operator.IS_NOT_EMPTY)
REGION = Condition("address1_city", Operator.IN, ("Bern", "Basel"))


@pytest.mark.parametrize(
    ("tree", "kept_out_by"),
    [
        (NAMED, ()),
        (ACTIVE, ("statecode equals 0",)),
        (All((NAMED, ACTIVE, REGION)), ("statecode equals 0", "address1_city in Bern, Basel")),
        (Any((ACTIVE, NAMED)), ()),
        (Any((ACTIVE, REGION)), ("any of (statecode equals 0, address1_city in Bern, Basel)",)),
        (Any((All((NAMED, ACTIVE)),)), ("statecode equals 0",)),
        (Not(NAMED), ("not (lastname is not empty)",)),
        (Not(ACTIVE), ()),
    ],
)
def test_the_conditions_that_do_not_hold_are_named(tree: Filter, kept_out_by: tuple[str, ...]):
    found = participation(replace(MAPPING, filters=tree), a_contact())
    assert found.kept_out_by == kept_out_by
    assert (found.filtered, found.passes) == (True, not kept_out_by)
    assert not any(canary in str(found) for canary in CANARIES)


def test_without_filters_everybody_takes_part_and_without_a_row_nobody_is_asked():
    assert participation(MAPPING, a_contact()).passes is True
    nobody = participation(replace(MAPPING, filters=ACTIVE), None)
    assert (nobody.passes, nobody.kept_out_by) == (None, ())


def test_a_tree_in_words():
    assert words(All((NAMED, Not(ACTIVE)))) == "all of (lastname is not empty, not (statecode equals 0))"
