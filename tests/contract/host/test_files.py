"""host.json and the settings file: what is read, and what is refused with the remedy."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.host import HostFileError
from sandbox.host.host_json import parse_host_json, read_host_json
from sandbox.host.settings import read_settings_file


def bus(**section: Any) -> dict[str, Any]:
    return {"version": "2.0", "extensions": {"serviceBus": section}}


def test_values() -> None:
    options = parse_host_json(
        bus(
            maxConcurrentCalls=4,
            prefetchCount=10,
            maxAutoLockRenewalDuration="01:02:03",
            transportType="amqpWebSockets",
            clientRetryOptions={"mode": "Fixed", "tryTimeout": "00:00:10", "delay": "00:00:00.5", "maxRetries": 2},
        )
        | {"functionTimeout": "1.00:00:00", "extensionBundle": {"id": "x"}}
    )
    assert options.service_bus.max_concurrent_calls == 4
    assert options.service_bus.prefetch_count == 10
    assert options.service_bus.max_auto_lock_renewal == timedelta(hours=1, minutes=2, seconds=3)
    assert options.service_bus.over_web_sockets
    assert dict(options.service_bus.client_retry) == {
        "retry_mode": "fixed",
        "try_timeout": 10.0,
        "retry_backoff_factor": 0.5,
        "retry_total": 2,
    }
    assert options.function_timeout == timedelta(days=1)


def test_defaults_are_azures() -> None:
    options = parse_host_json({"version": "2.0"})
    assert options.service_bus.max_concurrent_calls % 16 == 0
    assert options.service_bus.prefetch_count == 0
    assert options.service_bus.max_auto_lock_renewal == timedelta(minutes=5)
    assert options.function_timeout == timedelta(minutes=30)
    assert options.route_prefix == "api"
    assert parse_host_json({"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, 'with "version": "2.0"'),
        ({"version": "2.0", "extension": {}}, "unknown key in host.json, which Azure would ignore: extension"),
        (bus(maxConcurentCalls=1), "unknown key in extensions.serviceBus, which Azure would ignore: maxConcurentCalls"),
        (bus(messageHandlerOptions={}), "name of extension 4.x and has no effect since 5.x: its keys stand directly"),
        (bus(sessionHandlerOptions={}), "maxConcurrentSessions"),
        (bus(batchOptions={}), "maxMessageBatchSize"),
        (bus(autoComplete=True), "autoCompleteMessages"),
        (bus(maxAutoRenewDuration="00:01:00"), "maxAutoLockRenewalDuration"),
        (bus(autoCompleteMessages=False), "not offered"),
        (bus(maxConcurrentCalls=0), "at least 1, not 0"),
        (bus(prefetchCount="5"), "whole number"),
        (bus(maxAutoLockRenewalDuration=300), 'time span like "00:05:00", not 300'),
        (bus(transportType="tcp"), "amqpWebSockets"),
        (bus(clientRetryOptions={"tries": 1}), "clientRetryOptions, which Azure would ignore: tries"),
        ({"version": "2.0", "functionTimeout": "5m"}, "functionTimeout must be a time span"),
        ({"version": "2.0", "extensions": {"http": {"prefix": ""}}}, "unknown key in extensions.http"),
        ({"version": "2.0", "extensions": []}, "must be an object"),
    ],
)
def test_refused(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(HostFileError) as caught:
        parse_host_json(document)
    assert reason in str(caught.value)


def test_host_json_missing_or_malformed(tmp_path: Path) -> None:
    with pytest.raises(HostFileError, match="is missing"):
        read_host_json(tmp_path)
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(HostFileError, match="is not JSON"):
        read_host_json(tmp_path)


def test_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": {"A": "1", "B": ""}, "Host": {}}))
    assert read_settings_file(path) == {"A": "1", "B": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "must look like"),
        ("{", "is not JSON"),
        ('{"Values": {"A": 1, "B": true, "C": "x"}}', "must be text, in quotes: A, B"),
        ('{"IsEncrypted": true, "Values": {}}', "is encrypted"),
    ],
)
def test_settings_file_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(text)
    with pytest.raises(HostFileError, match=reason):
        read_settings_file(path)


def test_settings_file_missing(tmp_path: Path) -> None:
    with pytest.raises(HostFileError, match="does not exist"):
        read_settings_file(tmp_path / "none.json")
