"""The triggers' bindings, the queues and host.json agree with each other and with the lanes."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.change import Lane
from shared.domain.ledger import Timings
from tests.architecture.declared import ROOT, functions, triggers

QUEUES: list[dict[str, Any]] = json.loads((ROOT / "shared" / "queues.json").read_text())["queues"]
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
EXAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
QUEUE_TRIGGERS = triggers("serviceBusTrigger")

# Why each key is there; the host ignores a key that it does not know, without a word.
HOST_KEYS = {
    "version": "the schema of this file",
    "telemetryMode": "the host's own lines and spans go the way of the worker's",
    "functionTimeout": "the protocol's bound on a stalled worker",
    "extensionBundle.id": "where the triggers' extensions come from",
    "extensionBundle.version": "Service Bus extension 5.x",
    "extensions.http.routePrefix": "part of the webhook's address",
    "extensions.serviceBus.prefetchCount": "a prefetched message's lock would run out while it waits",
    "extensions.serviceBus.maxConcurrentCalls": "per instance; how many of them are worked on, see docs/flows/rate.md",
    "extensions.serviceBus.autoCompleteMessages": "returning completes a message, raising abandons it",
    "extensions.serviceBus.maxAutoLockRenewalDuration": "longer than the function may run",
    "logging.logLevel.default": "one line a decision",
    "logging.logLevel.Azure.Messaging.ServiceBus": "the extension reports every receive",
}


def keys_of(section: dict[str, Any], place: str = "") -> set[str]:
    """Dotted names of the leaves."""
    found = set[str]()
    for key, value in section.items():
        found |= keys_of(value, f"{place}{key}.") if isinstance(value, dict) else {f"{place}{key}"}
    return found


def time_span(text: str) -> timedelta:
    """The .NET form, `00:05:00`."""
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_queues_are_the_lanes() -> None:
    assert [queue["name"] for queue in QUEUES] == [str(lane) for lane in Lane]


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: str(queue["name"]))
def test_every_queue_detects_duplicates_and_loses_nothing(queue: dict[str, Any]) -> None:
    """Protocol rule M3 needs the first; a message that outlives its queue must still be found."""
    assert queue["requiresDuplicateDetection"] is True
    assert queue["deadLetteringOnMessageExpiration"] is True


@pytest.mark.parametrize(
    "binding", triggers("serviceBusTrigger").values(), ids=lambda binding: str(binding["queueName"])
)
def test_service_bus_triggers_take_one_message_as_exact_bytes(binding: dict[str, Any]) -> None:
    """As text, a message's own JSON would overwrite its metadata; in batches metadata gets mixed up."""
    assert binding["dataType"] == "BINARY"
    assert binding.get("cardinality", "ONE") == "ONE"
    assert binding["connection"] == "ServiceBus"
    assert not binding.get("isSessionsEnabled", False)


def test_triggers_listen_to_lanes_and_no_two_to_the_same() -> None:
    names = [binding["queueName"] for binding in QUEUE_TRIGGERS.values()]
    assert set(names) <= {str(lane) for lane in Lane if lane is not Lane.PARKED}
    assert len(names) == len(set(names))


def test_every_trigger_is_of_a_kind_that_both_hosts_know() -> None:
    kinds = {binding["type"] for bindings in functions().values() for binding in bindings}
    assert kinds == {"httpTrigger", "http", "serviceBusTrigger", "timerTrigger"}


@pytest.mark.parametrize("name", sorted(triggers("timerTrigger")))
def test_a_timers_schedule_is_a_setting_and_a_deployment_starts_none(name: str) -> None:
    binding = triggers("timerTrigger")[name]
    assert re.fullmatch(r"%[A-Z_]+%", binding["schedule"])
    assert not binding.get("runOnStartup", False)


def test_the_example_settings_hold_every_name_that_a_binding_uses() -> None:
    text = json.dumps(functions())
    names = set(re.findall(r"%(\w+)%", text)) | {
        binding["connection"] for binding in triggers("serviceBusTrigger").values()
    }
    assert names <= EXAMPLE.keys()
    assert EXAMPLE["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert "AzureWebJobsStorage" in EXAMPLE  # the host keeps the timers' state there


def test_host_json_has_no_key_whose_reason_is_not_known() -> None:
    assert keys_of(HOST) == HOST_KEYS.keys()


def test_locks_are_renewed_for_as_long_as_a_function_may_run() -> None:
    renewal = time_span(HOST["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"])
    assert renewal >= time_span(HOST["functionTimeout"])
    assert renewal >= timedelta(minutes=5)


def test_the_protocols_function_timeout_is_the_hosts() -> None:
    assert time_span(HOST["functionTimeout"]).total_seconds() == Timings().function_timeout_s


def test_the_extension_bundle_is_one_that_knows_these_keys() -> None:
    assert HOST["extensionBundle"]["version"] == "[4.*, 5.0.0)"
