"""`bridge adopt` as typed."""

from __future__ import annotations

import pytest

from shared.errors import Halt, Reason
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CANARIES, CONTACT_ID, a_profile


@pytest.fixture
def three(fake: FakeApp) -> FakeApp:
    fake.campaign.count = 3
    fake.campaign.pages = [[("", a_profile()), (CONTACT_ID, a_profile(lastName="Other"))], [("crm-4711", a_profile())]]
    return fake


def test_without_report_it_explains_how_adoption_happens(bridge: Run, fake: FakeApp):
    result = bridge("adopt")
    assert (result.exit_code, result.stdout, fake.built) == (2, "", 0)
    for words in ("by itself", "--report", "--perform"):
        assert words in result.stderr


def test_the_report_counts_and_says_beforehand_what_it_will_cost(bridge: Run, three: FakeApp):
    result = bridge("adopt", "--report", "--page-size", "2", "--json")
    assert result.exit_code == 0
    assert "Campaign has 3 profiles; reading 3 costs about 2 engine calls." in result.stderr
    report = data(result)
    groups = {group["kind"]: group["profiles"] for group in report["groups"] if group["profiles"]}
    assert groups == {"own": 1, "to_adopt": 1, "no_guid": 1}
    assert (report["differing_fields"], report["engine_calls"]) == ({"lastName": 1}, 2)
    assert three.campaign.calls == ["profile_count", "profiles", "profiles"]


def test_the_report_is_shown_to_people_without_a_value_or_an_id(bridge: Run, three: FakeApp):
    result = bridge("adopt", "--report")
    assert result.exit_code == 0
    for words in (
        "Campaign's own",
        "lastName",
        "Of the 1 to adopt, 1 differ",
        "about 2 engine calls",
        "3 profiles read;",
    ):
        assert words in result.stdout
    assert not any(word in result.output for word in (*CANARIES, "Other", CONTACT_ID, "crm-4711"))


def test_a_limit_is_kept_and_told(bridge: Run, three: FakeApp):
    result = bridge("adopt", "--report", "--limit", "2")
    assert "reading 2 costs about 1 engine call." in result.stderr
    assert "2 profiles read, not all; 1 engine call made" in result.stdout


def test_without_a_count_the_price_of_a_page_is_told(bridge: Run, three: FakeApp):
    three.campaign.count = None
    assert "every 200 cost one engine call" in bridge("adopt", "--report").stderr


def test_a_report_that_is_not_whole_fails_but_shows_what_was_found(bridge: Run, three: FakeApp):
    three.dynamics.failure = Halt(Reason.DYNAMICS_CREDENTIALS, "status 401")
    result = bridge("adopt", "--report", "--json")
    assert result.exit_code == 1
    assert "dynamics_credentials" in data(result)["stopped"]
    assert "not whole" in result.stderr
