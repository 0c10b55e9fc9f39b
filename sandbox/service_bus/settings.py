"""Which queues exist and how each behaves, also read from the JSON that the infrastructure is made from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_LOCK_S = 300
MAX_MESSAGE_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?")
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """One queue; names are compared without regard to case.

    The limits are those of Azure's Standard tier: a lock of at most 5 minutes, 256 KiB a message. A
    `duplicate_window_s` of 0 switches duplicate detection off. Raises ValueError for a value that Azure refuses.
    """

    name: str
    lock_duration_s: float = 60
    max_delivery_count: int = 10
    duplicate_window_s: float = 0
    ttl_s: float = 14 * 86400
    dead_letter_on_expiry: bool = True
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"queue name {self.name!r}: letters, digits and . _ - / only, at most 260")
        if not 0 < self.lock_duration_s <= MAX_LOCK_S:
            raise ValueError(f"queue {self.name}: a lock lasts up to {MAX_LOCK_S} s, not {self.lock_duration_s}")
        if not 1 <= self.max_delivery_count <= 2000:
            raise ValueError(f"queue {self.name}: the delivery count goes from 1 to 2000")
        if self.duplicate_window_s < 0 or self.ttl_s <= 0:
            raise ValueError(f"queue {self.name}: a time is negative")


def queues_from_json(path: Path) -> list[QueueSettings]:
    """The queues in a file `{"queues": [{"name": …, …}]}` with the property names of the Azure resource.

    Raises ValueError that names file, queue and property, also for a property that this stand-in does not act on.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        listed = content["queues"]
        queues = [queue_from_properties(properties) for properties in listed]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    names = [queue.name.lower() for queue in queues]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: a queue is listed twice")
    return queues


def queue_from_properties(properties: Mapping[str, Any]) -> QueueSettings:
    """One queue from the properties of the Azure resource. Raises ValueError."""
    name = str(properties.get("name", ""))
    values: dict[str, Any] = {"name": name}
    for key, value in properties.items():
        if key in _FIELDS:
            field, convert = _FIELDS[key]
            values[field] = _converted(convert, value, f"queue {name}: {key}")
        elif key in _WITHOUT_EFFECT:
            _check_without_effect(name, key, value)
        elif key not in ("name", "requiresDuplicateDetection"):
            raise ValueError(f"queue {name}: the stand-in does not offer {key}")
    _apply_duplicate_detection(properties, values)
    return QueueSettings(**values)


def seconds_of(duration: str) -> float:
    """Seconds of an ISO 8601 duration of days and smaller, such as `P14D` or `PT1M30S`. Raises ValueError."""
    match = _DURATION.fullmatch(str(duration))
    if not match or duration.endswith(("P", "T")):
        raise ValueError(f"{duration!r} is not a duration such as PT1M or P14D")
    return sum(float(number) * _SECONDS[unit] for unit, number in match.groupdict().items() if number)


def _converted(convert: Callable[[Any], object], value: object, where: str) -> object:
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _of_type(kind: type) -> Callable[[object], object]:
    def checked(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is not of the type {kind.__name__}")
        return value

    return checked


def _check_without_effect(name: str, key: str, value: object) -> None:
    wanted = _WITHOUT_EFFECT[key]
    if wanted is not None and value != wanted:
        raise ValueError(f"queue {name}: the stand-in offers {key} only as {wanted!r}")


def _apply_duplicate_detection(properties: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Azure's window is ten minutes unless one is given, and counts for nothing without the switch."""
    if properties.get("requiresDuplicateDetection", False):
        values.setdefault("duplicate_window_s", 600.0)
    else:
        values["duplicate_window_s"] = 0


_FIELDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "lockDuration": ("lock_duration_s", seconds_of),
    "maxDeliveryCount": ("max_delivery_count", _of_type(int)),
    "duplicateDetectionHistoryTimeWindow": ("duplicate_window_s", seconds_of),
    "defaultMessageTimeToLive": ("ttl_s", seconds_of),
    "deadLetteringOnMessageExpiration": ("dead_letter_on_expiry", _of_type(bool)),
}
_WITHOUT_EFFECT: dict[str, Any] = {
    "maxSizeInMegabytes": None,
    "enableBatchedOperations": None,
    "enablePartitioning": False,
    "enableExpress": False,
    "requiresSession": False,
    "status": "Active",
}
