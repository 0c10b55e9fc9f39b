"""`bridge drift` and its check of doctor's as typed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow, Present
from shared.domain.sweep import Position
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, KEY, MAPPING, NOW

TODAY = NOW.date()


def loaded(fake: FakeApp) -> None:
    """The contact under test is in line."""
    row = fake.dynamics.row
    assert row is not None
    fake.sample.found = [row]
    fake.remember(LedgerRow(KEY, Present(MAPPING.desired(row).digest)))


def contact_of(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = data(result)[0]
    return found


@pytest.mark.parametrize("how", [[], ["--full"]])
def test_no_drift_is_content(bridge: Run, fake: FakeApp, how: list[str]):
    loaded(fake)
    result = bridge("drift", "--json", *how)
    found = contact_of(result)
    assert (result.exit_code, found["looked_at"], found["out_of_line"]) == (0, 1, 0)
    assert (found["phase"], found["token_age_s"], found["stale"]) == ("follow", 300, False)


@pytest.mark.parametrize("how", [[], ["--full"]])
def test_a_row_that_differs_is_named_with_what_it_needs(bridge: Run, fake: FakeApp, how: list[str]):
    loaded(fake)
    fake.remember(LedgerRow(KEY, Present("what was sent long ago")))
    result = bridge("drift", "--json", *how)
    found = contact_of(result)
    assert (result.exit_code, found["out_of_line"]) == (1, 1)
    assert found["shown"][0]["record"]["id"] == CONTACT_ID
    assert "upsert" in found["shown"][0]["why"]
    assert "1 row out of line" in bridge("drift", *how).stderr


def test_only_the_whole_ledger_shows_who_is_gone(bridge: Run, fake: FakeApp):
    loaded(fake)
    gone = RecordKey("contact", "00000000-0000-4000-8000-000000000007")
    fake.remember(LedgerRow(gone, Present("d")))
    assert bridge("drift").exit_code == 0
    found = contact_of(bridge("drift", "--json", "--full"))
    assert [(one["record"]["id"], one["why"]) for one in found["shown"]] == [(gone.id, ["delete"])]


def test_the_counts_are_of_the_last_thirty_days(bridge: Run, fake: FakeApp):
    loaded(fake)
    counts = fake.tallies.counts
    counts["repaired", "contact", TODAY] = 2
    counts["repaired", "contact", TODAY - timedelta(days=29)] = 3
    counts["repaired", "contact", TODAY - timedelta(days=31)] = 100
    counts["repaired", "vehicle", TODAY] = 7
    counts["failed_job", "contact", TODAY] = 4
    found = contact_of(bridge("drift", "--json"))
    assert (found["repaired"], found["failed_jobs"]) == (5, 4)
    assert found["since"] == (TODAY - timedelta(days=30)).isoformat()


def test_a_stale_token_shows_and_fails_doctor(bridge: Run, fake: FakeApp):
    loaded(fake)
    fake.positions.age = timedelta(days=3)
    assert contact_of(bridge("drift", "--json"))["stale"] is True
    assert "stale" in bridge("drift").stdout
    (finding,) = [one for one in data(bridge("doctor", "--json")) if one["check"] == "change-sweep"]
    assert (finding["status"], finding["found"]) == ("failed", "tokens that are too old: contact 72 h")


def test_doctor_warns_while_there_is_no_token(bridge: Run, fake: FakeApp):
    fake.positions.stored["contact"] = Position("contact")
    (finding,) = [one for one in data(bridge("doctor", "--json")) if one["check"] == "change-sweep"]
    assert finding["status"] == "warning"
