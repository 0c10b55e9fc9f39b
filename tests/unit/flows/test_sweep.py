"""What the sweep hints of a row: nothing where a worker would find nothing to do, and opt-outs by what was agreed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.change import Why
from shared.domain.ledger import Absent, LedgerRow, Present, State, Unknown
from shared.domain.mapping import Mapping
from shared.domain.optout import Configuration, OptOutRules
from shared.flows.sweep import deletion_hints, opt_out_digest, row_hints
from tests.unit.examples import KEY, MAPPING, NOW, contact

IN_LINE = Present(MAPPING.desired(contact()).digest)
OPTED_OUT = contact(no_mail=True)
AGREED = opt_out_digest(MAPPING, contact())


def ledger(state: State = IN_LINE) -> LedgerRow:
    return LedgerRow(KEY, state, etag="v1")


def needs(mapping: Mapping, row=None, state: State = IN_LINE, noted: str | None = None, *, following: bool = True):
    hints = row_hints(mapping, row or contact(), ledger(state), noted, NOW, following=following)
    return [hint.why for hint in hints]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [(IN_LINE, []), (Present("other"), [Why.UPSERT]), (Absent(), [Why.UPSERT]), (Unknown(), [Why.UPSERT])],
)
def test_a_row_is_hinted_unless_it_is_as_was_sent(state: State, wanted: list[Why]) -> None:
    assert needs(MAPPING, state=state, noted=AGREED) == wanted


def test_a_record_that_nobody_has_worked_on_is_hinted() -> None:
    (hint,) = row_hints(MAPPING, contact(), LedgerRow(KEY), None, NOW, following=False)
    assert (hint.why, hint.created) == (Why.UPSERT, False)


@pytest.mark.parametrize(
    ("row", "noted", "wanted"),
    [
        (contact(), AGREED, []),
        (contact(), None, []),
        (OPTED_OUT, AGREED, [Why.OPTOUT]),
        (OPTED_OUT, None, [Why.OPTOUT]),
        (OPTED_OUT, opt_out_digest(MAPPING, OPTED_OUT), []),
        (contact(), opt_out_digest(MAPPING, OPTED_OUT), [Why.OPTOUT]),
    ],
)
def test_opt_outs_are_held_against_what_both_sides_last_agreed_on(row, noted: str | None, wanted: list[Why]) -> None:
    assert needs(MAPPING, row, noted=noted) == wanted


@pytest.mark.parametrize("state", [Absent(), Unknown()])
def test_opt_outs_of_a_record_that_is_made_or_looked_at_need_no_hint_of_their_own(state: State) -> None:
    assert needs(MAPPING, OPTED_OUT, state) == [Why.UPSERT]


@pytest.mark.parametrize(("following", "wanted"), [(True, [Why.OPTOUT]), (False, [])])
def test_a_false_that_may_travel_is_looked_at_where_it_changed_and_nothing_was_noted(
    following: bool, wanted: list[Why]
) -> None:
    writes_false = replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN))
    assert needs(writes_false, following=following) == wanted
    assert needs(writes_false, noted=AGREED, following=following) == []


@pytest.mark.parametrize(
    "mapping",
    [
        replace(MAPPING, opt_outs=()),
        replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DISABLED)),
        replace(MAPPING, table="vehicle"),
    ],
)
def test_where_opt_outs_do_not_travel_none_is_hinted(mapping: Mapping) -> None:
    assert needs(mapping, OPTED_OUT) == []


@pytest.mark.parametrize(("state", "wanted"), [(IN_LINE, 1), (Unknown(), 1), (Absent(), 0)])
def test_a_deletion_is_hinted_until_the_ledger_knows_it(state: State, wanted: int) -> None:
    assert len(deletion_hints(MAPPING, ledger(state), "pass", NOW)) == wanted


def test_a_page_that_is_read_twice_names_its_hints_alike_and_another_version_does_not() -> None:
    def name(version: str) -> str:
        row = replace(contact(first="Grace"), version=version)
        (hint,) = row_hints(MAPPING, row, ledger(), AGREED, NOW, following=True)
        return hint.message_id

    assert name("1") == name("1") != name("2")
    assert deletion_hints(MAPPING, ledger(), "a", NOW)[0].id != deletion_hints(MAPPING, ledger(), "b", NOW)[0].id
