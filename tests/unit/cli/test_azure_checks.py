"""The deployment's checks: what they ask, what they make of the answers, and what they leave to a person."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from cli.azure_checks import ROLES, azure_checks, wanted_functions
from cli.diagnosis import Finding, Status, diagnose
from tests.architecture.declared import ROOT, functions
from tests.component.clients.scripted_server import ScriptedServer, reply
from tests.infra.bicep import bicep
from tests.unit.cli.fakes import FakeApp

QUEUES = [queue["name"] for queue in json.loads((ROOT / "shared" / "queues.json").read_text())["queues"]]


async def examined(fake: FakeApp, url: str | None) -> dict[str, Finding]:
    found = await diagnose(fake.wiring(), None, azure_checks(url), timeout_s=5)
    return {finding.check: finding for finding in found}


def by_name() -> FakeApp:
    """Settings as the template gives them."""
    fake = FakeApp()
    del fake.values["ServiceBus"], fake.values["Storage"]
    fake.values |= {
        "ServiceBus__fullyQualifiedNamespace": "acme.servicebus.windows.net",
        "Storage__tableServiceUri": "https://acme.table.core.windows.net",
        "Storage__blobServiceUri": "https://acme.blob.core.windows.net",
    }
    return fake


async def test_a_sound_deployment():
    indexed, refused = reply(200, [{"name": name} for name in functions()]), reply(401)

    async def app(request: web.Request) -> web.StreamResponse:
        return await (indexed if request.path == "/admin/functions" else refused)(request)

    async with ScriptedServer(always=app) as server:
        found = await examined(by_name(), server.url)
    sound = {name for name, finding in found.items() if finding.status is Status.OK}
    assert sound == {"settings", "mapping", "azure-identity", "azure-encrypted", "azure-webhook", "azure-functions"}
    assert not [finding for finding in found.values() if finding.status is Status.FAILED]


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        (reply(401), Status.OK, "refuses"),
        (reply(202, {"hints": 0}), Status.FAILED, "status 202 to a caller without a key"),
        (reply(503), Status.FAILED, "status 503"),
    ],
)
async def test_the_webhook_must_refuse_who_has_no_key(answer, status, word):
    async with ScriptedServer(always=answer) as server:
        found = await examined(by_name(), f"{server.url}/")
        asked = [one for one in server.asked if one.method == "POST"]
    assert found["azure-webhook"].status is status
    assert word in found["azure-webhook"].found
    assert [one.path for one in asked] == ["/api/dataverse"]


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        (reply(200, [{"name": name} for name in functions()]), Status.OK, f"{len(functions())} functions"),
        (reply(200, [{"name": "contact_upsert"}]), Status.FAILED, "not indexed: bulk_page"),
        (reply(401), Status.SKIPPED, "az functionapp function list"),
        (reply(500), Status.FAILED, "status 500"),
    ],
)
async def test_every_function_must_be_indexed(answer, status, word):
    async with ScriptedServer(always=answer) as server:
        found = await examined(by_name(), server.url)
    assert found["azure-functions"].status is status
    assert word in found["azure-functions"].found


async def test_nobody_answers():
    found = await examined(by_name(), "http://127.0.0.1:9")
    assert found["azure-webhook"].status is Status.FAILED
    assert "no answer" in found["azure-webhook"].found


@pytest.mark.parametrize("name", ["CAMPAIGN_URL", "OPTOUT_FILES_URL", "EVENT_FILES_URL", "WEBHOOK_URL"])
async def test_an_address_without_tls_is_refused_but_in_the_sandbox(name):
    fake = by_name()
    if name == "EVENT_FILES_URL":
        fake.values["CAMPAIGN_EVENTS_URL"] = ""
    fake.values[name] = "http://mc.adobe.io/acme/campaign"
    found = (await examined(fake, None))["azure-encrypted"]
    assert (found.status, found.found) == (Status.FAILED, f"without TLS: {name}")
    sandbox = FakeApp()
    sandbox.values["CAMPAIGN_URL"] = "http://localhost:8085/acme/campaign"
    assert (await examined(sandbox, None))["azure-encrypted"].status is Status.SKIPPED


async def test_without_an_address_and_in_the_sandbox_it_says_what_it_lacks():
    found = await examined(FakeApp(), None)
    assert not [finding for finding in found.values() if finding.status is Status.FAILED]
    assert "--url" in found["azure-webhook"].found
    assert "ServiceBus, Storage given by connection string" in found["azure-identity"].found


async def test_what_only_azure_can_say_is_listed_with_how_to_ask():
    found = await examined(by_name(), None)
    asked = {name: finding.found for name, finding in found.items() if finding.status is Status.SKIPPED}
    assert all("az " in text or "--url" in text or "nslookup" in text for text in asked.values())
    assert all(finding.remedy is None for finding in found.values())
    assert {f"azure-queue-{name}" for name in QUEUES} <= asked.keys()
    assert sum(name.startswith("azure-role-") for name in asked) == len(ROLES)


def test_the_functions_are_those_of_the_app():
    assert wanted_functions() == set(functions())


def test_the_roles_are_those_of_the_template():
    """Each word of a role's name is in the variable that the template calls it by; operators' roles are left out."""
    variables = {
        name
        for file in ("monitor", "service_bus", "host_storage", "data_storage", "key_vault")
        for name, text in bicep(f"modules/{file}.bicep").variables.items()
        if isinstance(text, str) and len(text) == 36 and text.count("-") == 4
    }
    named = {role.name.removeprefix("Azure ").replace(" ", "").lower() for role in ROLES}
    assert {name.lower() for name in variables} - named == {
        "loganalyticsreader",
        "keyvaultsecretsofficer",
        "servicebusdatareceiver",
    }
    assert named <= {name.lower() for name in variables}
