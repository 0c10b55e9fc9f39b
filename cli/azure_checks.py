"""What `bridge doctor --azure` looks at besides: the deployment; what only Azure can answer, with how to ask it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli.diagnosis import Check, NotHereError, Title, UnhealthyError
from shared.app import ROOT, App
from shared.clients.calls import NotSentError, Request, UnansweredError
from shared.clients.http import Http

TIMEOUT_S = 15.0
UNAUTHORIZED = 401
SUCCESS = 200
SECURE = ("https://", "sftp://", "s3://")
ADMIN_IS_CLOSED = (401, 403, 404)


@dataclass(frozen=True)
class Role:
    """What the app's identity needs at a scope. The template gives these and no others; a test compares them."""

    name: str
    scope: str
    why: str


ROLES = (
    Role(
        "Azure Service Bus Data Owner", "each queue but parked", "take and send messages; scale by the queue's length"
    ),
    Role("Azure Service Bus Data Sender", "the queue parked", "put messages aside"),
    Role("Storage Blob Data Owner", "the host's storage account", "the timers' leases, the app's package"),
    Role("Storage Blob Data Contributor", "the data's storage account", "the mapping's versions, the opt-out journal"),
    Role("Storage Table Data Contributor", "the data's storage account", "ledger and positions"),
    Role("Key Vault Secrets User", "the vault", "the secrets"),
    Role("Monitoring Metrics Publisher", "Application Insights", "logs, traces and metrics"),
)


def azure_checks(url: str | None) -> tuple[Check, ...]:
    """`url`: where the function app answers, e.g. https://NAME.azurewebsites.net; without it two checks only say so."""
    return (
        _check("azure-identity", "no connection string with a key", "Deploy the template's settings.", by_identity),
        _check("azure-encrypted", "every address is encrypted", "Say https:// in the settings named.", encrypted),
        _check("azure-webhook", "answers, and refuses who has no key", "Is the app running?", partial(webhook, url)),
        _check(
            "azure-functions",
            "all are indexed",
            "Read the host's log: one bad function hides all.",
            partial(indexed, url),
        ),
        *(_role(number, role) for number, role in enumerate(ROLES, 1)),
        *(_queue(queue) for queue in _queues()),
        _asked(
            "azure-secrets",
            "every secret is read from the vault",
            "az functionapp config appsettings list",
            "the template",
        ),
        _asked(
            "azure-network",
            "with a network: names lead to private addresses",
            "nslookup from the app's console",
            "docs/deploy.md",
        ),
        _asked("azure-alarms", "the action group has receivers", "az monitor action-group list", "alarmEmails"),
    )


async def by_identity(app: App) -> str:
    """Raises NotHereError: on a developer's machine and in the sandbox connection strings are right."""
    given = [
        name for name, text in (("ServiceBus", app.settings.service_bus), ("Storage", app.settings.storage)) if text
    ]
    if given:
        raise NotHereError(f"{', '.join(given)} given by connection string: so it is on a developer's machine only")
    return "Service Bus and storage by name, with the identity"


async def encrypted(app: App) -> str:
    """Raises UnhealthyError, and NotHereError where the settings are a developer's."""
    named = {
        "DYNAMICS_URL": app.settings.dynamics_url,
        "DYNAMICS_AUTHORITY": app.settings.dynamics_authority,
        "CAMPAIGN_URL": app.settings.campaign_url,
        "CAMPAIGN_TOKEN_URL": app.settings.campaign_token_url,
        "CAMPAIGN_EVENTS_URL": app.settings.campaign_events_url,
        "EVENT_FILES_URL": app.settings.event_files_url,
        "OPTOUT_FILES_URL": app.settings.optout_files_url,
        "WEBHOOK_URL": app.settings.webhook_url,
    }
    addresses = {name: address for name, address in named.items() if address}
    plain = [name for name, address in addresses.items() if not address.startswith(SECURE)]
    if plain and app.settings.service_bus:
        raise NotHereError(f"{', '.join(plain)} without TLS: so it is in the sandbox only")
    if plain:
        raise UnhealthyError(f"without TLS: {', '.join(plain)}")
    return f"{len(addresses)} addresses, none without TLS or SSH"


async def webhook(url: str | None, _app: App) -> str:
    """A call without a key changes nothing and must be refused. Raises NotHereError, UnhealthyError."""
    status, _ = await _answer("POST", f"{_given(url)}/api/dataverse")
    if status != UNAUTHORIZED:
        raise UnhealthyError(f"status {status} to a caller without a key, not {UNAUTHORIZED}")
    return "refuses a caller without a key"


async def indexed(url: str | None, _app: App) -> str:
    """The host's own list. Azure shows it only to who has a key of the host's. Raises NotHereError, UnhealthyError."""
    status, document = await _answer("GET", f"{_given(url)}/admin/functions")
    if status in ADMIN_IS_CLOSED:
        raise NotHereError("closed to us; in Azure: az functionapp function list")
    if status != SUCCESS:
        raise UnhealthyError(f"status {status}")
    missing = wanted_functions() - {str(entry.get("name")) for entry in document}
    if missing:
        raise UnhealthyError(f"not indexed: {', '.join(sorted(missing))}")
    return f"{len(document)} functions"


def wanted_functions() -> set[str]:
    """One file a trigger, named after its function."""
    files = (ROOT / "functions").glob("*.py")
    return {path.stem for path in files if "func.Blueprint()" in path.read_text(encoding="utf-8")}


def _queues() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads((ROOT / "shared" / "queues.json").read_text(encoding="utf-8"))["queues"]
    return found


def _given(url: str | None) -> str:
    if url is None:
        raise NotHereError("say where the app answers: --url https://NAME.azurewebsites.net")
    return url.rstrip("/")


async def _answer(method: str, url: str) -> tuple[int, Any]:
    http = Http()
    try:
        response = await http.send(Request("app", "doctor", method, url), TIMEOUT_S)
    except (NotSentError, UnansweredError) as error:
        raise UnhealthyError(f"no answer: {error}") from None
    finally:
        await http.close()
    return response.status, response.json()


def _check(name: str, about: str, remedy: str, probe: Callable[[App], Awaitable[str]]) -> Check:
    return Check(Title(name, about, remedy), probe)


def _role(number: int, role: Role) -> Check:
    about = f"{role.name} on {role.scope}: {role.why}"
    return _asked(f"azure-role-{number}", about, "az role assignment list --all --assignee IDENTITY", role.name)


def _queue(queue: Mapping[str, Any]) -> Check:
    wanted = ", ".join(f"{key} {json.dumps(value)}" for key, value in queue.items() if key != "name")
    command = f"az servicebus queue show --name {queue['name']}"
    return _asked(f"azure-queue-{queue['name']}", "has the settings of shared/queues.json", command, wanted)


def _asked(name: str, about: str, command: str, wanted: str) -> Check:
    """A check that a person makes: this command has no right to read the deployment, and asks for none."""

    async def tell(_app: App) -> str:
        raise NotHereError(f"{about}; in Azure: {command} → {wanted}")

    return _check(name, about, command, tell)
