"""One message that was given up: read from the broker, and copied for a replay."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.domain.change import Lane
from shared.ports import Outgoing

Place = Literal["dead", "parked"]
LONGEST_ID = 128
# The engine's marks on a parked message, and the broker's on a dead one. A replayed copy starts without them.
MARKS = frozenset({"DeadLetterReason", "DeadLetterErrorDescription", "reason", "detail", "lane"})
_REPLAYED = re.compile(r"(?P<first>.*):replay(?P<times>\d+)", re.DOTALL)


class NotReplayableError(ValueError):
    """The letter does not say which lane it came from."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up. `queue` and `place`: where it lies; `lane`: where a replay sends it.

    `lane` is None for a parked message that names none. `enqueued_at` is when it came to `queue`, UTC.
    """

    queue: Lane
    place: Place
    lane: Lane | None
    sequence_number: int
    message_id: str
    body: bytes
    reason: str
    description: str
    enqueued_at: datetime | None
    delivery_count: int
    properties: Mapping[str, str | int]


def from_message(queue: Lane, place: Place, message: ServiceBusReceivedMessage) -> DeadLetter:
    """What the broker shows, as a letter."""
    properties = _properties(message)
    lane = queue if queue is not Lane.PARKED else _known_lane(properties.get("lane"))
    reason = message.dead_letter_reason if place == "dead" else properties.get("reason")
    description = message.dead_letter_error_description if place == "dead" else properties.get("detail")
    return DeadLetter(
        queue=queue,
        place=place,
        lane=lane,
        sequence_number=number_of(message),
        message_id=str(message.message_id or ""),
        body=_body(message),
        reason=str(reason or ""),
        description=str(description or ""),
        enqueued_at=message.enqueued_time_utc,
        delivery_count=message.delivery_count or 0,
        properties=properties,
    )


def copy_of(letter: DeadLetter) -> Outgoing:
    """The message to send again, under a new id and with its lineage; `DeadLetters.replay` says why."""
    old = letter.message_id.removeprefix("parked/") or f"{letter.queue}-{letter.sequence_number}"
    before = _REPLAYED.fullmatch(old)
    first, times = (before["first"], int(before["times"]) + 1) if before else (old, 1)
    properties = {name: value for name, value in letter.properties.items() if name not in MARKS}
    lineage: dict[str, str | int] = {"replay_of": first, "replays": times}
    return Outgoing(letter.body, _replay_id(first, times), properties=properties | lineage)


def _replay_id(first: str, times: int) -> str:
    """An id too long for the suffix keeps its beginning and is told from others by a hash."""
    suffix = f":replay{times}"
    if len(first) + len(suffix) <= LONGEST_ID:
        return first + suffix
    digest = hashlib.sha256(first.encode()).hexdigest()[:16]
    return f"{first[:80]}~{digest}{suffix}"


def lane_of(letter: DeadLetter) -> Lane:
    """Where a replay sends it. Raises NotReplayableError."""
    if letter.lane is None:
        raise NotReplayableError(f"{letter.queue} {letter.sequence_number}: it does not name its lane; discard it")
    return letter.lane


def _known_lane(name: str | int | None) -> Lane | None:
    return next((lane for lane in Lane if lane == name and lane is not Lane.PARKED), None)


def number_of(message: ServiceBusReceivedMessage) -> int:
    """Its place in its queue, which the broker gives every message it has accepted."""
    return message.sequence_number or 0


def _body(message: ServiceBusReceivedMessage) -> bytes:
    """The bytes; of a message that a foreign sender did not make of bytes, its value as text."""
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    return message.body if isinstance(message.body, bytes) else str(message.body).encode()


def _properties(message: ServiceBusReceivedMessage) -> dict[str, str | int]:
    return {str(_text(name)): _text(value) for name, value in (message.application_properties or {}).items()}


def _text(value: object) -> str | int:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | str) else str(value)
