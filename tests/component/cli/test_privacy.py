"""`bridge privacy list` as typed."""

from __future__ import annotations

from datetime import timedelta

from shared.domain.ledger import Absent, LedgerRow, PrivacyRequest
from shared.errors import Reason, Retry
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, KEY, NOW

NAME = f"d365-del-{CONTACT_ID}-0"


def wait_since(fake: FakeApp, days: float, status: str) -> None:
    request = PrivacyRequest(NAME, NOW - timedelta(days=days))
    fake.remember(LedgerRow(KEY, Absent(), witness=True, pending=request))
    fake.campaign.statuses = {NAME: status}


def test_a_request_that_waits_for_a_person_is_shown(bridge: Run, fake: FakeApp):
    wait_since(fake, 2, "deletePending")
    result = bridge("privacy", "list")
    assert result.exit_code == 0
    for words in (CONTACT_ID, NAME, "2026-03-02 10:00:00Z", "2 d 0 h ago", "says deletePending", "must confirm"):
        assert words in result.stdout
    assert "1 privacy request waiting (confirmation: 1), 1 of them for a person. 1 engine call made." in result.stdout
    assert (fake.campaign.calls, fake.closed) == (["privacy_statuses"], 1)


def test_one_that_waits_for_too_long_fails_and_says_what_to_do(bridge: Run, fake: FakeApp):
    wait_since(fake, 3.1, "processing")
    result = bridge("privacy", "list", "--json")
    assert result.exit_code == 1
    (request,) = data(result)["requests"]
    assert (request["state"], request["for_a_person"]) == ("workflows", False)
    assert "What to do:" in result.stderr
    assert bridge("privacy", "list", "--late", "4").exit_code == 0
    assert bridge("privacy", "list", "--late", "0.5").exit_code == 1


def test_nothing_waits(bridge: Run, fake: FakeApp):
    result = bridge("privacy", "list")
    assert (result.exit_code, result.stdout) == (0, "No privacy request waits. 0 engine calls made.\n")
    assert data(bridge("privacy", "list", "--json"))["requests"] == []


def test_a_system_that_fails_is_told_with_its_remedy(bridge: Run, fake: FakeApp):
    wait_since(fake, 1, "new")
    fake.campaign.failure = Retry(Reason.CAMPAIGN_UNREACHABLE, "status 502")
    result = bridge("privacy", "list", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "campaign_unreachable" in result.stderr
    assert "What to do:" in result.stderr


def test_an_age_that_cannot_be_is_a_matter_of_usage(bridge: Run, fake: FakeApp):
    assert (bridge("privacy", "list", "--late", "-1").exit_code, fake.built) == (2, 0)
