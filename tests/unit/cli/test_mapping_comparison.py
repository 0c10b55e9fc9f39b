"""Two mappings tried on the same contacts, and told apart in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.mapping_comparison import EXAMPLES, Example, compare
from cli.mapping_difference import Named, difference, filter_words, words
from cli.screen import emit
from shared.domain.contact import OLDEST, Contact, Value
from shared.domain.conversion import Target, TargetType, Types
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate, Lookup, Picklist, TooLong
from shared.domain.filters import All, Any, Condition, Not, Operator
from shared.domain.mapping import DeleteMode, Mapping, Mappings, OptOutPair, Privacy
from shared.domain.optout import Configuration, OptOutRules, Policy

ACTIVE = Condition("statecode", Operator.EQUALS, 0)
OLD = Mapping("old", "contact", (FieldRow("lastName", FromColumn("lastname")), FieldRow("fax", FromColumn("fax"))))
NEW = replace(
    OLD,
    version="new",
    field_rows=(
        FieldRow("lastName", FromColumn("nickname")),
        FieldRow("location.city", FromColumn("address1_city"), apply_updates=False),
    ),
    filters=ACTIVE,
)


def contact(number: int, **columns: Value) -> Contact:
    return Contact(str(number), "", OLDEST, {"statecode": 0, "lastname": "Canaria", **columns})


def test_each_field_is_counted_by_what_would_happen_to_it():
    rows = [
        contact(1, nickname="Nick", address1_city="Canarytown"),
        contact(2, nickname="", address1_city=None),
        contact(3, nickname="Canaria"),
        contact(4, lastname=None, nickname="Nick"),
    ]
    impact = compare(OLD, NEW, rows, show_values=False)
    name, city, fax = impact.fields
    assert (name.target, name.kind, name.filled, name.changed, name.emptied) == ("lastName", "kept", 1, 1, 1)
    assert (city.kind, city.filled, city.differing, city.by_resync_only) == ("added", 1, 1, True)
    assert (fax.target, fax.kind, fax.differing) == ("fax", "removed", 0)


def test_who_starts_and_stops_taking_part():
    rows = [contact(1), contact(2, statecode=1), contact(3, statecode=1)]
    narrower = compare(OLD, NEW, rows, show_values=False)
    assert (narrower.sampled, narrower.passing, narrower.starting, narrower.stopping) == (3, 1, 0, 2)
    wider = compare(NEW, OLD, rows, show_values=False)
    assert (wider.passing, wider.starting, wider.stopping) == (3, 2, 0)


def test_values_that_do_not_fit_are_counted_before_and_after():
    short = Types(targets={"lastName": Target(TargetType.STRING, 3)})
    rows = [contact(1, nickname="Nick"), contact(2, nickname="Al")]
    parking = compare(OLD, replace(NEW, types=short), rows, show_values=False)
    assert (parking.parked_before, parking.parked_after, parking.cut) == (0, 1, 0)
    cutting = (FieldRow("lastName", FromColumn("nickname"), too_long=TooLong.TRUNCATE),)
    impact = compare(replace(OLD, types=short), replace(NEW, field_rows=cutting, types=short), rows, show_values=False)
    assert (impact.parked_before, impact.parked_after, impact.cut) == (2, 0, 1)


def test_values_are_there_only_where_asked_for(capsys: pytest.CaptureFixture[str]):
    rows = [contact(number, nickname=f"Canary{number}") for number in range(EXAMPLES + 2)]
    emit(compare(OLD, NEW, rows, show_values=False))
    assert "Canar" not in capsys.readouterr().out
    shown = compare(OLD, NEW, rows, show_values=True).fields[0].examples
    assert len(shown) == EXAMPLES
    assert shown[0] == Example("0", "Canaria", "Canary0")


def test_the_same_mapping_changes_nothing():
    impact = compare(OLD, OLD, [contact(1)], show_values=True)
    assert not any(field.differing for field in impact.fields)
    assert (impact.starting, impact.stopping) == (0, 0)


def test_what_the_bridge_would_do_in_another_way_is_said_in_words():
    after = replace(NEW, delete_mode=DeleteMode.IGNORE, opt_outs=(OptOutPair("vip", "optOut"),))
    after = replace(after, privacy=Privacy("gdpr", "ns"))
    assert list(words(OLD, after)) == [
        "field location.city is new: address1_city (not with updates)",
        "field fax is no longer written: fax",
        "field lastName: lastname → nickname",
        "opt-out optOut is new: vip",
        "filters: everybody → statecode equals 0",
        "delete_mode: privacy_request → ignore",
        "privacy: none → gdpr ns",
    ]


def test_a_change_of_the_opt_out_rules_is_said_in_words():
    pair = OptOutPair("followemail", "blackListEmail", inverse=True, regulation="ccpa")
    rules = OptOutRules(Configuration.CAMPAIGN_TO_DYNAMICS, Policy.LEAST_PERMISSIVE, {"ccpa": 15})
    before = replace(OLD, opt_outs=(), opt_out_rules=OptOutRules(regulations={"ccpa": 10}))
    assert list(words(before, replace(OLD, opt_outs=(pair,), opt_out_rules=rules))) == [
        "opt-out blackListEmail is new: followemail (inverse; under ccpa)",
        "opt-out configuration: bidirectional → campaign_to_dynamics",
        "opt-out policy: adobe → least_permissive",
        "regulation ccpa: 10 days → 15 days",
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (FieldRow("x", Constant("Web")), "field x is new: = Web"),
        (FieldRow("x", FromTemplate("{a} {b}")), "field x is new: {a} {b}"),
        (FieldRow("x", FromColumn("a", Picklist.LABEL)), "field x is new: a (picklist label)"),
        (FieldRow("x", FromColumn("a", lookup=Lookup.NAME)), "field x is new: a (lookup name)"),
        (
            FieldRow("x", FromColumn("a"), replacements={"1": "m", "2": None}, default="u", too_long=TooLong.TRUNCATE),
            "field x is new: a (replacements 1 → m, 2 → nothing; default u; too long: truncate)",
        ),
    ],
)
def test_a_row_is_described_with_all_that_is_unusual(row: FieldRow, expected: str):
    assert list(words(Mapping("", "contact", ()), Mapping("", "contact", (row,)))) == [expected]


def test_a_filter_is_one_line():
    tree = All((ACTIVE, Any((Not(ACTIVE), Condition("a", Operator.IN, (1, "b")))), Condition("c", Operator.IS_EMPTY)))
    assert filter_words(tree) == "(statecode equals 0 and (not (statecode equals 0) or a in 1, b) and c is_empty)"


def test_lines_and_words_belong_to_their_names():
    found = difference(Named("version 1", "a\nb\n", Mappings(OLD)), Named("new.yaml", "a\nc\n", Mappings(NEW)))
    assert found.lines == ("--- version 1", "+++ new.yaml", "@@ -1,2 +1,2 @@", " a", "-b", "+c")
    assert found.summary
    same = difference(Named("version 1", "a", Mappings(OLD)), Named("new.yaml", "a", Mappings(OLD)))
    assert (same.lines, same.summary) == ((), ())


def test_a_text_that_does_not_parse_is_compared_line_by_line_only():
    found = difference(Named("version 1", "a", Mappings(OLD)), Named("new.yaml", "b", None))
    assert found.lines
    assert found.summary == ()
