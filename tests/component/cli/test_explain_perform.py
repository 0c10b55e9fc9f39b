"""`bridge explain contact ID --perform` as typed."""

from __future__ import annotations

import pytest

from shared.domain.contact import Flag
from shared.errors import Reason, Retry
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, KEY, NOW, a_profile

PERFORM = ("explain", "contact", CONTACT_ID, "--perform")


@pytest.fixture
def open_world(fake: FakeApp) -> FakeApp:
    fake.let_write()
    fake.campaign.row = a_profile(lastName="Other", opted_out={"blackListEmail": Flag(True, NOW)})
    return fake


def test_it_shows_the_decision_asks_and_then_tells_how_it_ended(bridge: Run, open_world: FakeApp):
    result = bridge(*PERFORM, input="y\n")
    assert result.exit_code == 0
    assert result.stdout.index("If a hint came now") < result.stdout.index("Performed")
    assert "Perform verify and optout now, on both real systems?" in result.stderr
    assert "verify → settled (written)" in result.stdout
    assert "optout → settled (written)" in result.stdout
    assert open_world.campaign.calls == ["profile", "profile", "update", "profile"]
    assert open_world.dynamics.written == [{"donotbulkemail": True}]


def test_a_no_is_a_no(bridge: Run, fake: FakeApp):
    result = bridge(*PERFORM, input="n\n")
    assert (result.exit_code, fake.campaign.calls, fake.closed) == (1, ["profile"], 1)
    assert KEY not in fake.ledger.rows


def test_the_outcomes_are_there_for_machines(bridge: Run, open_world: FakeApp):
    result = bridge(*PERFORM, "--yes", "--json", "--no-look")
    assert result.exit_code == 0
    assert [(one["why"], one["reason"], one["calls"]) for one in data(result)["performed"]] == [
        ("verify", "written", 2),
        ("optout", "written", 1),
    ]


def test_what_is_not_settled_fails_with_its_remedy(bridge: Run, open_world: FakeApp):
    open_world.campaign.failure = Retry(Reason.CAMPAIGN_BUSY, "status 429", after_s=12)
    result = bridge(*PERFORM, "--yes", "--no-look")
    assert result.exit_code == 1
    for words in ("later (campaign_busy)", "status 429", "What to do:", "in 12 s", "engine calls made: 1"):
        assert words in result.stdout


def test_yes_alone_is_a_matter_of_usage(bridge: Run, fake: FakeApp):
    assert (bridge("explain", "contact", CONTACT_ID, "--yes").exit_code, fake.built) == (2, 0)


def test_without_perform_nothing_is_performed(bridge: Run, fake: FakeApp):
    assert data(bridge("explain", "contact", CONTACT_ID, "--json"))["performed"] is None
