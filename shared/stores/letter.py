"""One message that was given up: read from the broker, and copied for a replay."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from azure.servicebus import ServiceBusMessageState, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.domain.change import Lane
from shared.ports import Outgoing

Place = Literal["dead", "parked"]
Property = str | int | float
LONGEST_ID = 128
# The engine's marks on a parked message, and the broker's on a dead one. A replayed copy starts without them.
MARKS = frozenset({"DeadLetterReason", "DeadLetterErrorDescription", "reason", "detail", "lane"})
LINEAGE = frozenset({"replay_of", "replays", "replay_run", "edited"})
_REPLAYED = re.compile(r"(?P<first>.*):replay(?P<times>\d+)", re.DOTALL)


class NotReplayableError(ValueError):
    """The letter does not say which lane it came from."""


@dataclass(frozen=True, order=True)
class Box:
    """Where letters lie: a queue's dead-letter sub-queue, or the queue `parked` itself."""

    queue: Lane
    place: Place

    def __str__(self) -> str:
        return f"{self.queue}/{self.place}"


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up. `queue` and `place`: where it lies; `lane`: where a replay sends it.

    `lane` is None for a parked message that names none. `enqueued_at` is when it came to `queue`, UTC. `deferred`: the
    broker hands it out by its number only (`shared/stores/withdrawal.py` says why).
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
    properties: Mapping[str, Property]
    deferred: bool = False

    @property
    def box(self) -> Box:
        """Where it lies."""
        return Box(self.queue, self.place)


def from_message(box: Box, message: ServiceBusReceivedMessage) -> DeadLetter:
    """What the broker shows, as a letter."""
    properties = _properties(message)
    lane = box.queue if box.queue is not Lane.PARKED else _known_lane(properties.get("lane"))
    reason = message.dead_letter_reason if box.place == "dead" else properties.get("reason")
    description = message.dead_letter_error_description if box.place == "dead" else properties.get("detail")
    return DeadLetter(
        queue=box.queue,
        place=box.place,
        lane=lane,
        sequence_number=number_of(message),
        message_id=str(message.message_id or ""),
        body=body_of(message),
        reason=str(reason or ""),
        description=str(description or ""),
        enqueued_at=message.enqueued_time_utc,
        delivery_count=message.delivery_count or 0,
        properties=properties,
        deferred=message.state is ServiceBusMessageState.DEFERRED,
    )


def copy_of(letter: DeadLetter, *, run: str, edited: bytes | None = None) -> Outgoing:
    """The message to send again, under a new id and with its lineage; `DeadLetters.replay` says why.

    `edited`: what a person made of the body. `run` names the replay; the copies' failures are told apart by it.
    """
    first, times = _history(letter.message_id or f"{letter.queue}-{letter.sequence_number}")
    kept = {name: value for name, value in letter.properties.items() if name not in MARKS | LINEAGE}
    lineage: dict[str, Property] = {"replay_of": first, "replays": times + 1, "replay_run": run}
    if edited is not None:
        lineage["edited"] = 1
    body = letter.body if edited is None else edited
    return Outgoing(body, _replay_id(first, times + 1), properties=kept | lineage)


def first_id(message_id: str) -> str:
    """The id that the message had before it was parked and replayed for the first time."""
    return _history(message_id)[0]


def times_replayed(message_id: str) -> int:
    """0: it never was. A copy that was retried has lost the mark."""
    return _history(message_id)[1]


def _history(message_id: str) -> tuple[str, int]:
    plain = message_id.removeprefix("parked/")
    before = _REPLAYED.fullmatch(plain)
    return (before["first"], int(before["times"])) if before else (plain, 0)


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


def _known_lane(name: Property | None) -> Lane | None:
    return next((lane for lane in Lane if lane == name and lane is not Lane.PARKED), None)


def number_of(message: ServiceBusReceivedMessage) -> int:
    """Its place in its queue, which the broker gives every message it has accepted."""
    return message.sequence_number or 0


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The bytes; of a message that a foreign sender did not make of bytes, its value as text."""
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    return message.body if isinstance(message.body, bytes) else str(message.body).encode()


def _properties(message: ServiceBusReceivedMessage) -> dict[str, Property]:
    return {str(_native(name)): _native(value) for name, value in (message.application_properties or {}).items()}


def _native(value: object) -> Property:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | float | str) else str(value)
