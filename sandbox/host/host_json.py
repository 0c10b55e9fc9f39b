"""host.json read and checked: what Azure would silently ignore is refused here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox.host.errors import HostFileError

_TOP_LEVEL = frozenset(
    {
        "$schema",
        "version",
        "functionTimeout",
        "logging",
        "extensions",
        "extensionBundle",
        "concurrency",
        "telemetryMode",
        "healthMonitor",
        "singleton",
        "aggregator",
        "managedDependency",
        "watchDirectories",
        "watchFiles",
        "applicationInsights",
        "retry",
    }
)
_HTTP = frozenset(
    {
        "routePrefix",
        "maxOutstandingRequests",
        "maxConcurrentRequests",
        "dynamicThrottlesEnabled",
        "hsts",
        "customHeaders",
    }
)
_SERVICE_BUS = frozenset(
    {
        "prefetchCount",
        "transportType",
        "webProxy",
        "autoCompleteMessages",
        "maxAutoLockRenewalDuration",
        "maxConcurrentCalls",
        "maxConcurrentSessions",
        "maxConcurrentCallsPerSession",
        "maxMessageBatchSize",
        "minMessageBatchSize",
        "maxBatchWaitTime",
        "sessionIdleTimeout",
        "clientRetryOptions",
        "enableCrossEntityTransactions",
    }
)
_RENAMED = {
    "messageHandlerOptions": "its keys stand directly under serviceBus",
    "sessionHandlerOptions": "its keys stand directly under serviceBus (maxConcurrentSessions, sessionIdleTimeout …)",
    "batchOptions": "maxMessageBatchSize",
    "autoComplete": "autoCompleteMessages",
    "maxAutoRenewDuration": "maxAutoLockRenewalDuration",
    "messageWaitTimeout": "sessionIdleTimeout",
    "maxMessageCount": "maxMessageBatchSize",
    "operationTimeout": "clientRetryOptions.tryTimeout",
}
_RETRY_KEYS = {
    "mode": "retry_mode",
    "tryTimeout": "try_timeout",
    "delay": "retry_backoff_factor",
    "maxDelay": "retry_backoff_max",
    "maxRetries": "retry_total",
}
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")


@dataclass(frozen=True)
class ServiceBusOptions:
    """The part of extensions.serviceBus that single-message triggers use; the defaults are extension 5.x's.

    `client_retry` holds keyword arguments of the SDK's client (seconds, counts).
    """

    max_concurrent_calls: int
    prefetch_count: int = 0
    max_auto_lock_renewal: timedelta = timedelta(minutes=5)
    over_web_sockets: bool = False
    client_retry: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class HostOptions:
    """`function_timeout` None means no limit, which host.json spells "-1"."""

    service_bus: ServiceBusOptions
    function_timeout: timedelta | None = timedelta(minutes=30)
    route_prefix: str = "api"


def read_host_json(app_dir: Path) -> HostOptions:
    """Read `app_dir`/host.json.

    Raises HostFileError for a missing or malformed file, an unknown key, a name of extension 4.x, or a choice that
    this host does not offer.
    """
    path = app_dir / "host.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HostFileError(f'{path} is missing; the least it can hold is {{"version": "2.0"}}') from None
    except json.JSONDecodeError as error:
        raise HostFileError(f"{path} is not JSON: {error}") from None
    return parse_host_json(document)


def parse_host_json(document: object) -> HostOptions:
    """Turn the parsed document into options; raises HostFileError like `read_host_json`."""
    if not isinstance(document, dict) or document.get("version") != "2.0":
        raise HostFileError('host.json must be an object with "version": "2.0"')
    _refuse_unknown(document, _TOP_LEVEL, "host.json")
    extensions = _section(document, "extensions", "host.json")
    http = _section(extensions, "http", "extensions")
    _refuse_unknown(http, _HTTP, "extensions.http")
    return HostOptions(
        service_bus=_service_bus(_section(extensions, "serviceBus", "extensions")),
        function_timeout=_function_timeout(document.get("functionTimeout", "00:30:00")),
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
    )


def time_span(text: object, name: str) -> timedelta:
    """Read .NET's `[days.]hh:mm:ss[.fraction]`; raises HostFileError that names the key."""
    match = _TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise HostFileError(f'{name} must be a time span like "00:05:00", not {text!r}')
    days, hours, minutes, seconds = match.groups()
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _service_bus(section: Mapping[str, Any]) -> ServiceBusOptions:
    where = "extensions.serviceBus"
    for old, new in _RENAMED.items():
        if old in section:
            raise HostFileError(f"{where}.{old} is a name of extension 4.x and has no effect since 5.x: {new}")
    _refuse_unknown(section, _SERVICE_BUS, where)
    if section.get("autoCompleteMessages", True) is not True:
        raise HostFileError(
            f"{where}.autoCompleteMessages: false is not offered: Python 3.11 has no explicit settlement"
        )
    return ServiceBusOptions(
        # Azure multiplies its default by the number of cores.
        max_concurrent_calls=_count(section, "maxConcurrentCalls", 16 * (os.cpu_count() or 1), least=1),
        prefetch_count=_count(section, "prefetchCount", 0, least=0),
        max_auto_lock_renewal=time_span(
            section.get("maxAutoLockRenewalDuration", "00:05:00"), f"{where}.maxAutoLockRenewalDuration"
        ),
        over_web_sockets=_over_web_sockets(section.get("transportType", "amqpTcp")),
        client_retry=_client_retry(_section(section, "clientRetryOptions", where)),
    )


def _client_retry(section: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    where = "extensions.serviceBus.clientRetryOptions"
    _refuse_unknown(section, frozenset(_RETRY_KEYS), where)
    return tuple((_RETRY_KEYS[key], _retry_value(key, value, where)) for key, value in section.items())


def _retry_value(key: str, value: object, where: str) -> object:
    if key == "mode":
        if str(value).lower() not in {"fixed", "exponential"}:
            raise HostFileError(f'{where}.mode must be "fixed" or "exponential", not {value!r}')
        return str(value).lower()
    if key == "maxRetries":
        return _whole_number(value, f"{where}.maxRetries", least=0)
    return time_span(value, f"{where}.{key}").total_seconds()


def _function_timeout(value: object) -> timedelta | None:
    return None if value == "-1" else time_span(value, "functionTimeout")


def _over_web_sockets(value: object) -> bool:
    known = {"amqptcp": False, "amqpwebsockets": True}
    if str(value).lower() not in known:
        raise HostFileError(f'extensions.serviceBus.transportType must be "amqpTcp" or "amqpWebSockets", not {value!r}')
    return known[str(value).lower()]


def _count(section: Mapping[str, Any], key: str, default: int, *, least: int) -> int:
    return _whole_number(section.get(key, default), f"extensions.serviceBus.{key}", least=least)


def _whole_number(value: object, name: str, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise HostFileError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return value


def _section(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise HostFileError(f"{where}.{key} must be an object, not {value!r}")
    return value


def _refuse_unknown(section: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(set(section) - known)
    if unknown:
        raise HostFileError(f"unknown key in {where}, which Azure would ignore: {', '.join(unknown)}")
