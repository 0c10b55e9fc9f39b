"""What the code needs is in the template, and nothing that it does not need."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from cli.setting_list import Setting, listed
from shared.domain.change import Lane
from shared.settings import ALTERNATIVES, Settings
from tests.architecture.declared import ROOT, functions, triggers
from tests.architecture.sources import python
from tests.infra.bicep import Bicep, bicep

QUEUES: list[dict[str, Any]] = json.loads((ROOT / "shared" / "queues.json").read_text())["queues"]
OWN = {setting.name: setting for setting in listed({})}
APP, MAIN = bicep("modules/app.bicep"), bicep("main.bicep")
BRIDGE: dict[str, str] = MAIN.variables["bridgeSettings"]
DYNAMICS: dict[str, dict[str, str]] = MAIN.variables["dynamicsSettings"]
CONNECTIONS: dict[str, str] = APP.variables["connections"]
TELEMETRY: dict[str, str] = APP.variables["telemetry"]
SCHEDULES = {binding["schedule"].strip("%") for binding in triggers("timerTrigger").values()}
VAULT = re.compile(r"\$\{secrets\}/([a-z-]+)\)")

# What the Functions host or the worker reads, which the bridge's own settings do not name.
PLATFORM = {
    "AzureWebJobsStorage__blobServiceUri": "where the host keeps the timers' leases",
    "AzureWebJobsStorage__credential": "with the app's identity",
    "AzureWebJobsStorage__clientId": "this one",
    "ServiceBus__credential": "the triggers' connection, with the app's identity",
    "ServiceBus__clientId": "this one",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where telemetry goes",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "with the app's identity, as keys are off",
    "PYTHON_ENABLE_OPENTELEMETRY": "the worker exports by itself",
    "PYTHON_AZURE_MONITOR_LOGGER_NAME": "only the bridge's own lines",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "no span for each storage call",
    "OTEL_TRACES_SAMPLER": "not every trace",
    "OTEL_TRACES_SAMPLER_ARG": "how many",
}
# Flex Consumption refuses or ignores these: runtime and package are properties of the app there. A key is never given.
NEVER = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_(RUN_FROM_PACKAGE|CONTENT\w*)|SCM_DO_BUILD\w*"
    r"|APPINSIGHTS_INSTRUMENTATIONKEY|AzureWebJobs(Storage|Dashboard)|ServiceBus|Storage|ENABLE_ORYX_BUILD"
)


def deployed() -> dict[str, str]:
    """All settings; of the ways to prove oneself to Dynamics, every one."""
    found = CONNECTIONS | TELEMETRY | BRIDGE
    for way in DYNAMICS.values():
        found |= way
    return found


def test_the_queues_are_the_codes_own_list() -> None:
    file = bicep("modules/service_bus.bicep")
    assert file.variables["queues"] == "loadJsonContent('../../shared/queues.json').queues"
    lanes = file.resource("lanes")
    assert lanes.loop == "queues"
    assert lanes.body["name"] == "queue.name"


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: str(queue["name"]))
def test_every_property_of_a_queue_is_deployed_as_the_sandbox_has_it(queue: dict[str, Any]) -> None:
    """And no other one, but a size."""
    properties: dict[str, str] = bicep("modules/service_bus.bicep").resource("lanes").body["properties"]
    assert properties == {key: f"queue.{key}" for key in queue if key != "name"} | {"maxSizeInMegabytes": 5120}


@pytest.mark.parametrize("name", [name for name, setting in OWN.items() if setting.needed])
def test_a_setting_that_is_needed_is_deployed(name: str) -> None:
    assert {name, *OWN[name].instead} & deployed().keys()


@pytest.mark.parametrize("way", DYNAMICS)
def test_each_way_to_prove_oneself_to_dynamics_is_whole(way: str) -> None:
    given = {field for field in Settings.model_fields if field.upper() in DYNAMICS[way]}
    assert len(given & set(ALTERNATIVES[0])) == 1
    assert "dynamics_client_id" in given


def test_no_setting_is_deployed_that_nobody_reads() -> None:
    assert deployed().keys() <= OWN.keys() | SCHEDULES | PLATFORM.keys()
    assert PLATFORM.keys() <= deployed().keys()


def test_every_schedule_is_deployed() -> None:
    assert BRIDGE.keys() >= SCHEDULES
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    assert {name: BRIDGE[name] for name in SCHEDULES} == {name: example[name] for name in SCHEDULES}


def test_no_key_and_no_old_name_is_deployed() -> None:
    assert not [name for name in deployed() if NEVER.fullmatch(name)]


def secret(setting: Setting) -> bool:
    return setting.secret and setting.name in deployed()


@pytest.mark.parametrize("name", [name for name, setting in OWN.items() if secret(setting)])
def test_a_secret_is_a_reference_to_the_vault(name: str) -> None:
    assert VAULT.fullmatch(deployed()[name])


def test_nothing_else_is_taken_from_the_vault() -> None:
    assert all(OWN[name].secret for name, text in deployed().items() if "${secrets}" in text)


def test_the_app_runs_the_python_that_the_project_is_for() -> None:
    config = APP.resource("app").body["properties"]["functionAppConfig"]
    assert config["runtime"] == {"name": "python", "version": "3.11"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"].startswith(">=3.11")


def test_what_is_always_ready_exists() -> None:
    text = MAIN.text.partition("param alwaysReady array = ")[2].partition("]")[0]
    groups = re.findall(r"name: '([^']+)'", text)
    assert "http" in groups  # the webhook must not sleep
    assert all(group == "http" or group.removeprefix("function:") in functions() for group in groups)


def test_the_deployed_address_of_the_webhook_is_its_route() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    (binding,) = triggers("httpTrigger").values()
    route = f"{host['extensions']['http']['routePrefix']}/{binding['route']}"
    assert f"output WEBHOOK_URL string = 'https://${{app.outputs.host}}/{route}'" in MAIN.text


def test_every_container_that_the_code_names_is_deployed() -> None:
    containers = {
        resource.body["name"]
        for resource in bicep("modules/data_storage.bicep").resources
        if resource.type.endswith("/containers")
    }
    named = {
        match[1]
        for source in python("shared")
        for match in re.finditer(r'^\w*CONTAINER\w* = "([a-z0-9-]+)"$', source.text, re.MULTILINE)
    }
    assert named
    assert named <= containers


def test_whatever_the_app_logs_is_exported() -> None:
    """The worker exports one logger and those below it."""
    exported = TELEMETRY["PYTHON_AZURE_MONITOR_LOGGER_NAME"]
    allowed = {f'"{exported}"', f'f"{exported}.{{__name__}}"'}
    loggers = {
        (source.name, match[1])
        for source in python("shared", "functions")
        for match in re.finditer(r"getLogger\(([^)]*)\)", source.text)
    }
    assert {name for name, logger in loggers if logger not in allowed} == set()
    direct = re.compile(r"\blogging\.(debug|info|warning|error|exception|critical)\(")
    assert not [source.name for source in python("shared", "functions") if direct.search(source.text)]


ROLES = {
    # Who, where, and which; each is what the code calls, and the host for it.
    ("modules/monitor.bicep", "publish", "insights"): {"monitoringMetricsPublisher"},
    ("modules/monitor.bicep", "operatorsRead", "workspace"): {"logAnalyticsReader"},
    ("modules/service_bus.bicep", "work", "lanes[number]"): {"serviceBusDataOwner", "serviceBusDataSender"},
    ("modules/service_bus.bicep", "operate", "namespace"): {"serviceBusDataReceiver", "serviceBusDataSender"},
    ("modules/host_storage.bicep", "lease", "account"): {"storageBlobDataOwner"},
    ("modules/data_storage.bicep", "work", "account"): {"storageBlobDataContributor", "storageTableDataContributor"},
    ("modules/data_storage.bicep", "operate", "account"): {"storageBlobDataContributor", "storageTableDataContributor"},
    ("modules/key_vault.bicep", "read", "vault"): {"keyVaultSecretsUser"},
    ("modules/key_vault.bicep", "operate", "vault"): {"keyVaultSecretsOfficer"},
}
ROLE_IDS = {
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "storageBlobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "serviceBusDataOwner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "serviceBusDataReceiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "serviceBusDataSender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "logAnalyticsReader": "73c42c96-874c-492b-b04d-ab87d138a893",
}


def assigned(file: Bicep) -> dict[tuple[str, str, str], set[str]]:
    """By file, symbol and scope: the roles, followed through the variables that name them."""
    found = dict[tuple[str, str, str], set[str]]()
    for resource in file.resources:
        if resource.type == "Microsoft.Authorization/roleAssignments":
            text = f"{resource.body['properties']['roleDefinitionId']} {resource.loop}"
            for _ in range(3):
                text += "".join(
                    f" {file.variables[word]}" for word in set(re.findall(r"\w+", text)) & file.variables.keys()
                )
            found[file.name, resource.symbol, resource.body["scope"]] = set(re.findall(r"\w+", text)) & ROLE_IDS.keys()
    return found


def test_every_role_is_given_for_a_reason_and_at_that_scope() -> None:
    found = {place: roles for file in _files() for place, roles in assigned(file).items()}
    assert found == ROLES


def test_roles_are_the_ones_that_their_names_say() -> None:
    named = {name: text for file in _files() for name, text in file.variables.items() if name in ROLE_IDS}
    assert named == ROLE_IDS


def test_the_app_may_do_to_each_queue_what_it_does() -> None:
    """It takes from and sends to a lane; it only sends to the one that waits for a person."""
    role = bicep("modules/service_bus.bicep").resource("work").body["properties"]["roleDefinitionId"]
    assert role == "queue.name == 'parked' ? senderRole : ownerRole"
    assert str(Lane.PARKED) == "parked"
    assert "parked" not in {binding["queueName"] for binding in triggers("serviceBusTrigger").values()}


@pytest.mark.parametrize(
    ("name", "symbol", "key", "wanted"),
    [
        ("modules/host_storage.bicep", "account", "allowSharedKeyAccess", False),
        ("modules/data_storage.bicep", "account", "allowSharedKeyAccess", False),
        ("modules/host_storage.bicep", "account", "allowBlobPublicAccess", False),
        ("modules/data_storage.bicep", "account", "allowBlobPublicAccess", False),
        ("modules/key_vault.bicep", "vault", "enableRbacAuthorization", True),
        ("modules/key_vault.bicep", "vault", "enablePurgeProtection", True),
        ("modules/monitor.bicep", "insights", "DisableLocalAuth", True),
        ("modules/app.bicep", "app", "httpsOnly", True),
        ("modules/app.bicep", "noFtp", "allow", False),
        ("modules/app.bicep", "noPassword", "allow", False),
    ],
)
def test_no_key_or_password_opens_anything(name: str, symbol: str, key: str, wanted: bool) -> None:
    assert bicep(name).resource(symbol).body["properties"][key] is wanted


def test_the_brokers_keys_are_for_dataverse_alone_and_off_unless_asked_for() -> None:
    file = bicep("modules/service_bus.bicep")
    assert file.resource("namespace").body["properties"]["disableLocalAuth"] == "!dataverseInbox"
    assert file.resource("inboxKey").body["properties"]["rights"] == ["Send"]
    assert re.search(r"^param dataverseInbox bool = false$", MAIN.text, re.MULTILINE)


def _files() -> list[Bicep]:
    return [bicep(name) for name in {place[0] for place in ROLES} | {"main.bicep", "modules/app.bicep"}]
