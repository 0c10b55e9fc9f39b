"""Raw messages, a clock that tests set by hand, and queues that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.service_bus.amqp.decoding import decode
from sandbox.service_bus.amqp.encoding import encode, encode_composite
from sandbox.service_bus.amqp.messages import SCHEDULED_TIME, Message, parse, sections
from sandbox.service_bus.amqp.types import Symbol, Timestamp, UInt
from sandbox.service_bus.entry import Delivery
from sandbox.service_bus.queue import Queue
from sandbox.service_bus.settings import QueueSettings
from sandbox.service_bus.store import MemoryStore

START_MS = 1_800_000_000_000
LOCK_S = 30


class HandClock:
    """Milliseconds since 1970 UTC, moved by the test alone."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def pass_s(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


def raw_message(
    body: str = "hello",
    *,
    message_id: Any = None,
    ttl_ms: int | None = None,
    scheduled_ms: int | None = None,
    properties: Mapping[str, Any] | None = None,
) -> bytes:
    raw = b""
    if ttl_ms is not None:
        raw += encode_composite(0x70, [None, None, UInt(ttl_ms)])
    if scheduled_ms is not None:
        raw += b"\x00\x53\x72" + encode({Symbol(SCHEDULED_TIME): Timestamp(scheduled_ms)})
    if message_id is not None:
        raw += encode_composite(0x73, [message_id])
    if properties is not None:
        raw += b"\x00\x53\x74" + encode(dict(properties))
    return raw + b"\x00\x53\x75" + encode(body.encode())


def message(body: str = "hello", **options: Any) -> Message:
    return parse(raw_message(body, **options))


def decoded(raw: bytes) -> dict[int, Any]:
    """Section descriptor to value."""
    return {descriptor: decode(raw, start)[0] for descriptor, start, _ in sections(raw)}


def body_of(raw: bytes) -> str:
    content: bytes = decoded(raw)[0x75]
    return content.decode()


def queue_with(clock: HandClock, **settings: object) -> Queue:
    values = {"lock_duration_s": LOCK_S, "max_delivery_count": 3} | settings
    return Queue(QueueSettings("Orders", **values), clock, MemoryStore())  # type: ignore[arg-type]


def received(queue: Queue) -> Delivery:
    delivery = queue.receive()
    assert delivery is not None
    return delivery


def count_of(delivery: Delivery) -> int:
    count: int = decoded(delivery.encoded())[0x70][4]
    return count


def dead_letters(queue: Queue) -> Queue:
    assert queue.dead_letters is not None
    return queue.dead_letters


def reason_of(delivery: Delivery) -> str:
    reason: str = decoded(delivery.encoded())[0x74]["DeadLetterReason"]
    return reason
