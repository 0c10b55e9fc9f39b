"""`bridge provision` and `bridge timeline`, typed: what they say where they cannot work, and what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.workbench import Workbench
from shared.clients.calls import Request, Response, Sender, UnansweredError
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.provisioning import Desk
from shared.clients.dynamics.wire_timeline import read_timeline
from shared.settings import Settings
from tests.component.cli.typed import WIDE, Run
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID

NEW, OLD = "a-new-secret-of-this-test", "an-old-secret-of-this-test"
FOUND: dict[str, Any] = {
    "serviceendpointid": "e-1",
    "name": "Dynamics-Campaign bridge",
    "url": "https://app.example.net/api/dataverse",
    "contract": 8,
    "authtype": 5,
}


@dataclass
class Scripted(Sender):
    """Both the webhook and Dataverse; `webhook` answers by the secret."""

    admitted: tuple[str, ...] = (NEW, OLD)
    endpoints: list[dict[str, Any]] = field(default_factory=lambda: [FOUND])
    sent: list[Request] = field(default_factory=list)
    silent: bool = False
    refuses: bool = False

    async def send(self, request: Request, timeout_s: float) -> Response:
        self.sent.append(request)
        if request.system == "webhook":
            if self.silent:
                raise UnansweredError("TimeoutError")
            return Response(202 if request.headers["x-bridge-key"] in self.admitted else 401)
        if self.refuses:
            return Response(403)
        if request.method == "GET":
            return Response(200, {}, json.dumps({"value": self.endpoints}).encode())
        return Response(204)

    async def token(self) -> str:
        return "token"

    async def renew(self, refused: str) -> str:
        return refused


@pytest.fixture
def fake() -> FakeApp:
    whole = FakeApp()
    whole.values |= {"WEBHOOK_URL": FOUND["url"], "WEBHOOK_SECRETS": f"{NEW},{OLD}"}
    return whole


@pytest.fixture
def environment() -> Scripted:
    return Scripted()


@pytest.fixture
def bridge(fake: FakeApp, environment: Scripted) -> Run:
    def workbench(config: Settings, client_id: str | None, client_secret: str | None) -> Workbench:
        at = DynamicsConfig(config.dynamics_url, config.dynamics_authority, "admin", "secret")
        return Workbench(Desk(at, environment, environment, lambda: datetime.now(UTC)), environment, fake._close)

    def run(*words: str, **options: Any) -> Result:
        wiring = replace(fake.wiring(), workbench=workbench)
        return CliRunner().invoke(app, list(words), obj=wiring, env=WIDE, catch_exceptions=False, **options)

    return run


def writes(environment: Scripted) -> list[Request]:
    return [request for request in environment.sent if request.system != "webhook" and request.method != "GET"]


def test_the_first_secret_goes_to_dynamics_once_both_are_admitted(bridge: Run, environment: Scripted) -> None:
    result = bridge("provision", "rotate-webhook-secret")
    assert result.exit_code == 0
    (written,) = writes(environment)
    assert written.method == "PATCH"
    assert NEW.encode() in (written.body or b"")
    assert NEW not in result.output
    assert OLD not in result.output


def test_a_rehearsed_rotation_asks_and_writes_nothing(bridge: Run, environment: Scripted) -> None:
    result = bridge("provision", "rotate-webhook-secret", "--dry-run")
    assert (result.exit_code, writes(environment)) == (0, [])
    assert "Both secrets are admitted" in result.stdout
    assert [request.system for request in environment.sent] == ["webhook", "webhook", "dynamics"]


def one_secret(fake: FakeApp, environment: Scripted) -> None:
    fake.values["WEBHOOK_SECRETS"] = OLD


def old_app(fake: FakeApp, environment: Scripted) -> None:
    environment.admitted = (OLD,)


def silent(fake: FakeApp, environment: Scripted) -> None:
    environment.silent = True


def not_provisioned(fake: FakeApp, environment: Scripted) -> None:
    environment.endpoints = []


def no_url(fake: FakeApp, environment: Scripted) -> None:
    del fake.values["WEBHOOK_URL"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (one_secret, "WEBHOOK_SECRETS holds 1, not 2"),
        (old_app, "answers 401 to secret 1 of 2"),
        (silent, "WEBHOOK_URL does not answer"),
        (not_provisioned, "run `bridge provision dynamics` first"),
        (no_url, "WEBHOOK_URL is not set"),
    ],
)
def test_a_rotation_that_would_lose_announcements_changes_nothing(
    fake: FakeApp, environment: Scripted, bridge: Run, spoil: Callable[[FakeApp, Scripted], None], told: str
) -> None:
    spoil(fake, environment)
    result = bridge("provision", "rotate-webhook-secret")
    assert result.exit_code == 1
    assert told in result.stderr
    assert writes(environment) == []
    assert not [secret for secret in (NEW, OLD) if secret in result.output + result.stderr]


def test_deleting_activities_goes_with_a_removal_only(bridge: Run, environment: Scripted) -> None:
    result = bridge("provision", "dynamics", "--delete-activities")
    assert (result.exit_code, environment.sent) == (2, [])


def test_without_the_rights_the_remedy_names_the_administrators_settings(bridge: Run, environment: Scripted) -> None:
    environment.refuses = True
    for words in (["--dry-run"], [], ["--remove", "--yes"]):
        result = bridge("provision", "dynamics", *words)
        assert result.exit_code == 1
        assert "BRIDGE_ADMIN_CLIENT_ID" in result.stderr
    assert writes(environment) == []


def test_a_removal_asks_first(bridge: Run, environment: Scripted) -> None:
    result = bridge("provision", "dynamics", "--remove", input="n\n")
    assert (result.exit_code, environment.sent) == (1, [])
    assert "no longer announced" in result.stderr


def test_a_timeline_without_anything_says_so(bridge: Run, fake: FakeApp) -> None:
    fake.dynamics.entries = []
    assert bridge("timeline", CONTACT_ID).stdout == f"Nothing regards the contact {CONTACT_ID}.\n"
    assert json.loads(bridge("timeline", CONTACT_ID, "--json").stdout) == []


def test_a_timeline_is_shown_and_given_as_json(bridge: Run, fake: FakeApp) -> None:
    click = {"activityid": "1", "activitytypecode": "acme_click", "subject": "S", "statecode": 1}
    task = {"activityid": "2", "activitytypecode": "task", "subject": "[x]", "statecode": 0}
    rows = [click | {"actualend": "2026-03-01T10:00:00Z"}, task | {"scheduledend": "2026-03-02T10:00:00Z"}]
    fake.dynamics.entries = read_timeline(Response(200, {}, json.dumps({"value": rows}).encode()))
    shown = bridge("timeline", CONTACT_ID)
    assert [line.split()[:4] for line in shown.stdout.splitlines()[-3:-1]] == [
        ["due", "2026-03-02", "task", "open"],
        ["2026-03-01", "10:00:00Z", "acme_click", "completed"],
    ]
    assert "[x]" in shown.stdout
    first, second = json.loads(bridge("timeline", CONTACT_ID, "--json").stdout)
    assert (first["kind"], first["due"], second["state"]) == ("task", "2026-03-02T10:00:00+00:00", "completed")


def test_an_id_that_is_none_is_a_usage_error(bridge: Run) -> None:
    assert bridge("timeline", "Ada").exit_code == 2
