"""Every command's help; doctor, reasons and config as typed."""

from __future__ import annotations

import pytest

from shared.errors import Halt, Reason, Retry
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import VALUES


@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["drift"],
        ["explain"],
        ["explain", "contact"],
        ["plan"],
        ["deadletters", "list"],
        ["deadletters", "show"],
        ["deadletters", "replay"],
        ["deadletters", "discard"],
        ["privacy", "list"],
        ["adopt"],
        ["reasons"],
        ["config"],
        ["sandbox"],
    ],
)
def test_every_commands_help_teaches_with_an_example(bridge: Run, command: list[str]):
    result = bridge(*command, "--help")
    assert result.exit_code == 0
    assert f"bridge {' '.join(command)}" in result.stdout
    assert "Example" in result.stdout


def test_doctor_is_content(bridge: Run):
    result = bridge("doctor", "--json")
    assert result.exit_code == 0
    assert {finding["status"] for finding in data(result)} == {"ok"}


def test_doctor_fails_with_the_remedy(bridge: Run, fake: FakeApp):
    fake.campaign.failure = Halt(Reason.CAMPAIGN_CREDENTIALS, "status 403")
    result = bridge("doctor", "--json")
    failed = [finding for finding in data(result) if finding["status"] == "failed"]
    assert (result.exit_code, [finding["check"] for finding in failed]) == (1, ["campaign"])
    assert Reason.CAMPAIGN_CREDENTIALS.action in bridge("doctor").stdout


def test_doctor_reports_a_mapping_that_is_not_known_and_looks_at_the_rest(bridge: Run, fake: FakeApp):
    fake.mapping_unknown = Retry(Reason.LEDGER_UNREACHABLE, "the mapping in force is not known")
    findings = {finding["check"]: finding["status"] for finding in data(bridge("doctor", "--json"))}
    assert (findings["mapping"], findings["dynamics"]) == ("failed", "ok")


def test_doctor_reports_settings_as_a_check(bridge: Run, fake: FakeApp):
    fake.values.clear()
    result = bridge("doctor", "--json")
    assert result.exit_code == 1
    assert data(result)[0]["status"] == "failed"


def test_reasons_are_listed_and_looked_up(bridge: Run):
    everything = data(bridge("reasons", "--json"))
    assert {reason.slug for reason in Reason} < {entry["slug"] for entry in everything}
    assert [entry["slug"] for entry in data(bridge("reasons", "gave_up", "--json"))] == ["gave_up"]
    assert Reason.GAVE_UP.meaning in bridge("reasons", "gave_up").stdout
    assert bridge("reasons", "nonsense").exit_code == 2


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_config_shows_what_is_set_and_no_value(bridge: Run, fake: FakeApp, form: list[str]):
    fake.values = dict.fromkeys(VALUES, "canary")
    result = bridge("config", *form)
    assert result.exit_code == 0
    assert "DYNAMICS_CLIENT_SECRET" in result.stdout
    assert "canary" not in result.output


def test_config_names_what_is_missing(bridge: Run, fake: FakeApp):
    del fake.values["Storage"], fake.values["DYNAMICS_URL"]
    result = bridge("config", "--json")
    assert result.exit_code == 2
    assert {setting["name"] for setting in data(result) if setting["missing"]} == {
        "DYNAMICS_URL",
        "Storage",
        "Storage__tableServiceUri",
        "Storage__blobServiceUri",
    }
    assert "DYNAMICS_URL, Storage or Storage__tableServiceUri" in result.stderr
