"""Which privacy requests wait, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.commands.privacy_view import age
from cli.privacy_list import WaitsFor, judge, pending
from shared.domain.change import RecordKey
from shared.domain.ledger import Absent, LedgerRow, PrivacyRequest, Timings
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import KEY, NOW

DAY = timedelta(days=1)
LATE = 3 * DAY


def waiting(contact_id: str = KEY.id, *, since: timedelta = DAY) -> LedgerRow:
    request = PrivacyRequest(f"d365-del-{contact_id}-0", NOW - since)
    return LedgerRow(RecordKey("contact", contact_id), Absent(), witness=True, pending=request, etag="v0")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("new", WaitsFor.WORKFLOWS),
        ("processing", WaitsFor.WORKFLOWS),
        ("Retry in progress", WaitsFor.WORKFLOWS),
        ("deletePending", WaitsFor.CONFIRMATION),
        ("Delete pending", WaitsFor.CONFIRMATION),
        ("deleteConfirmationPending", WaitsFor.CONFIRMATION),
        ("complete", WaitsFor.CHECKS),
        ("errorDataNotFound", WaitsFor.CHECKS),
        ("error", WaitsFor.FAILED),
        ("quarantined", WaitsFor.UNCLEAR),
        ("", WaitsFor.UNCLEAR),
        (None, WaitsFor.UNKNOWN),
    ],
)
def test_a_status_says_what_must_happen_next(status: str | None, state: WaitsFor):
    assert judge(waiting(), status, NOW, Timings()) is state


def test_a_request_that_may_still_land_is_not_called_unknown():
    seconds = Timings().reserve_s
    assert judge(waiting(since=timedelta(seconds=seconds)), None, NOW, Timings()) is WaitsFor.ARRIVAL
    assert judge(waiting(since=timedelta(seconds=seconds + 1)), None, NOW, Timings()) is WaitsFor.UNKNOWN


async def test_the_oldest_comes_first_and_campaigns_list_is_read_once():
    fake = FakeApp()
    for row in (waiting("b", since=DAY), waiting("c", since=4 * DAY), waiting("a", since=2 * DAY)):
        fake.remember(row)
    fake.remember(LedgerRow(RecordKey("contact", "settled"), Absent()))
    fake.campaign.statuses = {"d365-del-c-0": "deletePending", "d365-del-a-0": "new", "somebody else's": "new"}
    found = await pending(fake.build(_settings(fake)), LATE)
    assert [(one.contact, one.state, one.status) for one in found.requests] == [
        ("c", "confirmation", "deletePending"),
        ("a", "workflows", "new"),
        ("b", "unknown", None),
    ]
    assert (found.late, found.for_a_person, found.late_after_days) == (1, 1, 3)
    assert (found.engine_calls, fake.campaign.calls) == (1, ["privacy_statuses"])


async def test_what_has_waited_for_just_that_long_is_not_late():
    fake = FakeApp()
    fake.remember(waiting(since=LATE))
    assert (await pending(fake.build(_settings(fake)), LATE)).late == 0


async def test_where_nothing_waits_campaign_is_not_asked():
    fake = FakeApp()
    fake.remember(replace(waiting(), pending=None))
    found = await pending(fake.build(_settings(fake)), LATE)
    assert (found.requests, found.engine_calls, fake.campaign.calls) == ((), 0, [])


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(hours=4, minutes=12), "4 h 12 min"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
    ],
)
def test_an_age_in_words(span: timedelta, words: str):
    assert age(span) == words


def _settings(fake: FakeApp):
    return fake.wiring().settings(None)
