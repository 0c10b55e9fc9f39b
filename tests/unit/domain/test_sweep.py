"""From page to page, from pass to pass, and what a refusal leads to."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.sweep import ChangePage, Phase, Position
from tests.unit.examples import NOW, after

START = Position("contact")
FOLLOWING = Position("contact", Phase.FOLLOW, token="t1", token_at=NOW)


def page(following: str, *, last: bool) -> ChangePage:
    return ChangePage(("id",), (), following, last)


def test_a_token_is_of_the_moment_at_which_its_pass_began() -> None:
    first = START.passed(page("p2", last=False), NOW)
    assert (first.phase, first.asks_for, first.at_rest) == (Phase.BEGIN, "p2", False)
    done = first.passed(page("t1", last=True), after(600))
    assert (done.phase, done.asks_for, done.token_at, done.at_rest) == (Phase.FOLLOW, "t1", NOW, True)
    more = done.passed(page("p3", last=False), after(900))
    assert (more.asks_for, more.token, more.token_at) == ("p3", "t1", NOW)
    again = more.passed(page("t2", last=True), after(1200))
    assert (again.token, again.token_at) == ("t2", after(900))


def test_a_page_that_is_refused_begins_its_pass_anew() -> None:
    for position in (FOLLOWING, replace(START, phase=Phase.ROWS), START):
        assert replace(position, page="p").refused() == position


def test_a_token_that_is_refused_leads_through_rows_and_ledger_to_the_next() -> None:
    rows = FOLLOWING.refused()
    assert (rows.phase, rows.asks_for, rows.token, rows.age_s(NOW)) == (Phase.ROWS, None, None, None)
    half = rows.passed(page("p2", last=False), after(100))
    assert half.age_s(after(160)) == 60
    ledger = half.passed(page("t2", last=True), after(200))
    assert (ledger.phase, ledger.asks_for, ledger.token, ledger.token_at) == (Phase.LEDGER, None, "t2", after(100))
    more = ledger.passed_ledger("cursor")
    assert (more.phase, more.asks_for, more.at_rest) == (Phase.LEDGER, "cursor", False)
    done = more.passed_ledger(None)
    assert (done.phase, done.asks_for, done.at_rest) == (Phase.FOLLOW, "t2", True)


def test_a_first_reading_has_no_age() -> None:
    assert START.age_s(NOW) is None
    assert START.passed(page("p2", last=False), NOW).age_s(after(60)) is None
