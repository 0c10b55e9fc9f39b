"""`bridge explain`, and how expected errors are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.contact import Flag
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, LedgerRow, Present, PrivacyRequest
from shared.domain.mapping import ColumnType, DeleteMode, Target, TargetType, Types
from shared.errors import Halt, Reason, Retry
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CANARIES, CONTACT_ID, KEY, MAPPING, NOW, a_profile


def test_explain_gives_both_sides_and_the_decisions(bridge: Run, fake: FakeApp):
    fake.remember(LedgerRow(KEY, Present("old")))
    result = bridge("explain", "contact", CONTACT_ID.upper(), "--json")
    assert result.exit_code == 0
    assert "one engine call" in result.stderr
    answer = data(result)
    assert answer["explanation"]["contact"] == CONTACT_ID
    assert {field["target"]: field["verdict"] for field in answer["explanation"]["fields"]}["lastName"] == "differs"
    assert answer["explanation"]["ledger"]["up_to_date"] is False
    assert [(hint["why"], hint["reason"]) for hint in answer["hints"]] == [
        ("upsert", "written"),
        ("delete", "still_there"),
        ("optout", "unchanged"),
        ("verify", "written"),
    ]
    assert (fake.campaign.calls, fake.closed) == (["profile"], 1)


def test_explain_without_a_look_calls_nobody_and_says_so(bridge: Run, fake: FakeApp):
    result = bridge("explain", "contact", CONTACT_ID, "--no-look", "--json")
    assert (result.exit_code, result.stderr, fake.campaign.calls) == (0, "", [])
    assert data(result)["explanation"]["in_campaign"] is None


def test_explain_shows_it_to_people(bridge: Run, fake: FakeApp):
    fake.campaign.row = a_profile(opted_out={"blackListEmail": Flag(True, NOW)})
    result = bridge("explain", "contact", CONTACT_ID)
    assert result.exit_code == 0
    for words in (
        "blackListEmail",
        "should be opted out",
        "2026-03-04 10:00:00Z",
        "Campaign's word holds",
        "never seen",
        "optout →",
    ):
        assert words in result.stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("look", ["--look", "--no-look"])
def test_no_personal_value_shows_unasked(bridge: Run, form: list[str], look: str):
    result = bridge("explain", "contact", CONTACT_ID, look, *form)
    assert not any(canary in result.output for canary in (*CANARIES, "Other"))


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_personal_values_show_when_asked_for(bridge: Run, form: list[str]):
    result = bridge("explain", "contact", CONTACT_ID, "--show-values", *form)
    assert all(canary in result.stdout for canary in (*CANARIES, "Other"))


@pytest.mark.parametrize("contact_id", ["42", "0f8fad5b", "x' or 1 eq 1", CONTACT_ID.replace("-", "")])
def test_an_id_that_is_none_is_a_matter_of_usage(bridge: Run, fake: FakeApp, contact_id: str):
    result = bridge("explain", "contact", contact_id)
    assert (result.exit_code, result.stdout, fake.built) == (2, "", 0)
    assert "0f8fad5b-d9cb" in result.stderr


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (Halt(Reason.DYNAMICS_CREDENTIALS, "status 401"), "dynamics_credentials"),
        (Retry(Reason.DYNAMICS_UNREACHABLE, "not sent: TimeoutError"), "dynamics_unreachable"),
    ],
)
def test_a_system_that_fails_is_told_with_its_remedy(bridge: Run, fake: FakeApp, failure: Exception, says: str):
    fake.dynamics.failure = failure
    result = bridge("explain", "contact", CONTACT_ID, "--json")
    assert (result.exit_code, result.stdout, fake.closed) == (1, "", 1)
    assert says in result.stderr
    assert "What to do:" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_settings_are_told_together(bridge: Run, fake: FakeApp):
    del fake.values["DYNAMICS_URL"], fake.values["CAMPAIGN_URL"]
    result = bridge("deadletters", "list")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "DYNAMICS_URL: missing" in result.stderr
    assert "CAMPAIGN_URL: missing" in result.stderr
    assert "bridge config" in result.stderr


def test_a_contact_that_is_kept_out_says_by_what(bridge: Run, fake: FakeApp):
    tree = Condition("lastname", Operator.EQUALS, "Nobody")
    fake.mapping = replace(MAPPING, filters=tree, delete_mode=DeleteMode.IGNORE)
    result = bridge("explain", "contact", CONTACT_ID)
    for words in ("Kept out by the mapping's filters", "does not hold: lastname equals Nobody", "left as it is"):
        assert words in result.stdout
    assert "filtered_out" in result.stdout
    assert data(bridge("explain", "contact", CONTACT_ID, "--json"))["explanation"]["part"]["passes"] is False


def test_a_field_that_is_too_long_or_follows_no_update_says_so(bridge: Run, fake: FakeApp):
    first, *others = MAPPING.field_rows
    types = Types({"lastname": ColumnType.STRING}, {"lastName": Target(TargetType.STRING, 3)})
    fake.mapping = replace(MAPPING, field_rows=(replace(first, apply_updates=False), *others), types=types)
    shown = bridge("explain", "contact", CONTACT_ID).stdout
    assert "too long: not sent, the message is parked, at creation and by a resync only" in shown


def test_a_pending_privacy_request_is_shown(bridge: Run, fake: FakeApp):
    fake.dynamics.row = None
    fake.remember(LedgerRow(KEY, Absent(), witness=True, pending=PrivacyRequest("d365-del-x-0", NOW)))
    shown = bridge("explain", "contact", CONTACT_ID).stdout
    assert "privacy request that has not ended" in shown
    assert "d365-del-x-0" in shown
