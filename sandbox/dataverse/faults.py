"""Faults on demand: what goes wrong with the next webhooks and the next API calls."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from sandbox.dataverse.errors import ApiError, invalid_value
from sandbox.dataverse.values import Json

WEBHOOK_EFFECTS = {
    "lose": "the event is never sent and no job is kept",
    "repeat": "the same body is sent twice",
    "reorder": "held back until a later event was sent, at most `seconds` (default 2)",
    "delay": "sent `seconds` (default 1) later",
    "oversize": "sent as if it were larger than 256 KB",
}
API_EFFECTS = {
    "throttle": "429 with Retry-After `retry_after` (default 1) and the code of `reason`: requests, time, concurrency",
    "unavailable": "503 with Retry-After when `retry_after` is given",
    "slow": "answered `seconds` (default 1) later",
    "drop": "the connection breaks without an answer",
}
THROTTLE_CODES = {
    "requests": ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    "time": (
        "0x80072321",
        "Combined execution time of incoming requests exceeded limit of 1200000 milliseconds over time window of 300 "
        "seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
    ),
    "concurrency": ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
}
_EFFECTS = {"webhook": WEBHOOK_EFFECTS, "api": API_EFFECTS}


@dataclass
class Fault:
    """One order. It fires for calls that match, with `probability`, `count` times (None: until cleared).

    `method`, `path` (a part of it) narrow API faults, `table`, `message` webhook faults. `stage` "after" lets an API
    call do its work before it fails. `seed` makes the probability repeatable.
    """

    target: str
    effect: str
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float | None = None
    retry_after: int | None = None
    reason: str = "requests"
    stage: str = "before"
    method: str | None = None
    path: str = "/api/data/"
    table: str | None = None
    message: str | None = None
    fired: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ApiError 400 for an unknown target, effect, reason or stage."""
        if self.effect not in _EFFECTS.get(self.target, {}):
            raise invalid_value(f"Unknown fault '{self.target}/{self.effect}'.")
        if self.reason not in THROTTLE_CODES or self.stage not in ("before", "after"):
            raise invalid_value(f"Unknown reason '{self.reason}' or stage '{self.stage}'.")
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable chance, not a secret

    def strikes(self) -> bool:
        """Draw: whether it fires for this matching call, and count it."""
        if self.count is not None and self.fired >= self.count:
            return False
        if self._random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def wait_s(self, default: float) -> float:
        return default if self.seconds is None else self.seconds

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def parse_fault(order: dict[str, Json]) -> Fault:
    """Read an order given as JSON. Raises ApiError 400."""
    allowed = {name for name in Fault.__dataclass_fields__ if name not in ("fired", "_random")}
    unknown = order.keys() - allowed
    if unknown or "target" not in order or "effect" not in order:
        raise invalid_value(
            f"A fault has target, effect and any of {', '.join(sorted(allowed))}; not {unknown or '{}'}."
        )
    for name in ("count", "probability", "seed", "seconds", "retry_after"):
        if not isinstance(order.get(name), int | float | None):
            raise invalid_value(f"'{name}' of a fault is a number.")
    return Fault(**order)


class Faults:
    """The orders in force."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def webhook(self, table: str, message: str) -> Fault | None:
        """The fault that strikes this event, if any."""
        return next((fault for fault in self.active if _hits_event(fault, table, message) and fault.strikes()), None)

    def api(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this call, if any."""
        return next((fault for fault in self.active if _hits_call(fault, method, path) and fault.strikes()), None)


def _hits_event(fault: Fault, table: str, message: str) -> bool:
    return fault.target == "webhook" and fault.table in (None, table) and fault.message in (None, message)


def _hits_call(fault: Fault, method: str, path: str) -> bool:
    return fault.target == "api" and fault.method in (None, method) and fault.path in path


def throttled(reason: str, retry_after_s: int) -> ApiError:
    """429 of service protection; the reasons are requests, time and concurrency."""
    code, message = THROTTLE_CODES[reason]
    return ApiError(429, code, message, {"Retry-After": str(retry_after_s)})


def unavailable(retry_after_s: int | None) -> ApiError:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return ApiError(503, "0x80040216", "The service is unavailable.", headers)
