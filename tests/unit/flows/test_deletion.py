"""A contact that is gone: look, ask once, remember the opt-outs, and know when the request has ended."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.effects import DeleteProfile, LookUpProfile, RequestPrivacyDelete
from shared.domain.ledger import Absent, LedgerRow, PrivacyRequest, Progress, Timings, Unknown
from shared.domain.mapping import DeleteMode
from shared.flows.contact import Sight
from shared.flows.deletion import announced, decide, ended, opted_out, request_name, sent_later
from tests.unit.examples import ID, KEY, NOW, after, profile

TIMINGS = Timings()
PENDING = PrivacyRequest("d365-del-x-0", NOW)


REQUEST = DeleteMode.PRIVACY_REQUEST


def row(**more: Any) -> LedgerRow:
    return LedgerRow(KEY, etag="1", **more)


def test_rule_d3_the_profile_is_looked_at_before_it_goes() -> None:
    assert decide(row(), Sight.UNSEEN, REQUEST) == [LookUpProfile(ID)]


@pytest.mark.parametrize("sight", [Sight.MISSING, Sight.IN_LINE])
def test_what_is_gone_or_asked_to_go_needs_nothing(sight: Sight) -> None:
    assert decide(row(), sight, REQUEST) == []


def test_rule_d3_true_flags_go_into_the_order() -> None:
    order = decide(row(generation=3), profile(blackListEmail=True), REQUEST)
    assert order == [RequestPrivacyDelete(ID, f"d365-del-{ID}-3", frozenset({"blackListEmail"}))]
    assert opted_out(profile()) == frozenset()


def test_a_plain_delete_goes_by_the_profiles_own_key() -> None:
    """A profile that was created anew has another, so a late delete cannot meet it."""
    order = decide(row(), profile(blackListEmail=True), DeleteMode.PROFILE_DELETE)
    assert order == [DeleteProfile(ID, profile().handle, frozenset({"blackListEmail"}))]
    assert isinstance(order[0], DeleteProfile)
    assert announced(row(), order[0], NOW) == row(flags=frozenset({"blackListEmail"}))


def test_rule_d1_the_name_is_fixed_for_an_incarnation_and_new_for_the_next() -> None:
    assert request_name(row(generation=1)) == request_name(row(generation=1, flags=frozenset({"x"}), state=Absent()))
    assert request_name(row(generation=1)) != request_name(row(generation=2))


def test_a_request_may_land_as_late_as_its_last_call_allows() -> None:
    waiting = row(pending=PENDING)
    assert sent_later(waiting, after(60)).pending == PrivacyRequest(PENDING.name, after(60))
    assert sent_later(waiting, after(-60)) == waiting
    assert sent_later(row(), after(60)) == row()


def test_what_must_be_known_before_the_request_is_sent() -> None:
    order = RequestPrivacyDelete(ID, "name", frozenset({"blackListEmail"}))
    after_that = announced(row(flags=frozenset({"blackListFax"})), order, NOW)
    assert after_that.flags == {"blackListEmail", "blackListFax"}
    assert after_that.pending == PrivacyRequest("name", NOW)


@pytest.mark.parametrize(
    ("progress", "seconds", "is_over"),
    [
        pytest.param(Progress.RUNNING, 0, False, id="running"),
        pytest.param(Progress.RUNNING, 10**7, False, id="running for months: a person must confirm it"),
        pytest.param(Progress.ENDED, 0, True, id="ended"),
        pytest.param(Progress.NOT_FOUND, 0, False, id="not known yet"),
        pytest.param(Progress.NOT_FOUND, 90, False, id="could still land"),
        pytest.param(Progress.NOT_FOUND, 90.001, True, id="cannot land any more"),
    ],
)
def test_rule_d2_when_a_request_is_over(progress: Progress, seconds: float, is_over: bool) -> None:
    after_that = ended(row(pending=PENDING, state=Absent()), progress, after(seconds), TIMINGS)
    assert (after_that is not None) is is_over
    if after_that is not None:
        assert (after_that.pending, after_that.state) == (None, Unknown())


def test_rule_d2_a_request_that_ran_uses_its_name_up() -> None:
    ran = ended(row(pending=PENDING, generation=2), Progress.ENDED, NOW, TIMINGS)
    never_came = ended(row(pending=PENDING, generation=2), Progress.NOT_FOUND, after(1000), TIMINGS)
    assert ran is not None
    assert never_came is not None
    assert (ran.generation, never_came.generation) == (3, 2)


def test_a_row_without_a_request_has_none_that_ends() -> None:
    assert ended(row(), Progress.ENDED, NOW, TIMINGS) is None


def test_strict_bounds_wait_for_a_stalled_worker_too() -> None:
    strict = Timings(strict=True, claim_s=390)
    assert ended(row(pending=PENDING), Progress.NOT_FOUND, after(330), strict) is None
    assert ended(row(pending=PENDING), Progress.NOT_FOUND, after(331), strict) is not None
