"""Hints and facts into their lanes."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

from shared.domain.change import Hint, Lane
from shared.domain.fact import FactChunk
from shared.errors import Reason
from shared.ports import Outgoing, Ports
from shared.wire import Message, encode


async def send_hints(ports: Ports, *hints: Hint, after_s: float = 0) -> None:
    """Returns when all are durable. Raises BusUnavailableError."""
    for lane, group in groupby(sorted(hints, key=lambda hint: hint.lane), key=lambda hint: hint.lane):
        await ports.bus.send(lane, [_outgoing(ports, hint, after_s) for hint in group])


async def send_facts(ports: Ports, chunk: FactChunk, *, after_s: float = 0) -> None:
    """Returns when the chunk is durable. Raises BusUnavailableError."""
    await ports.bus.send(Lane.TIMELINE, [_outgoing(ports, chunk, after_s)])


async def send_again(ports: Ports, lane: Lane, message: Message, after_s: float) -> None:
    """A retry's copy, back into the lane that it came from."""
    await ports.bus.send(lane, [_outgoing(ports, message, after_s)])


async def send_parked(ports: Ports, lane: Lane, message_id: str, body: bytes, reason: Reason, detail: str) -> None:
    """The message's bytes, beside its lane, for a person. `message_id`: the broker's; the letter's is made of it."""
    properties = {"reason": reason.slug, "lane": str(lane), "detail": detail[:500]}
    letter = Outgoing(body, f"parked/{message_id}"[:128], properties=properties)
    await ports.bus.send(Lane.PARKED, [letter])


def _outgoing(ports: Ports, message: Message, after_s: float) -> Outgoing:
    enqueue_at = ports.clock.now() + timedelta(seconds=after_s) if after_s > 0 else None
    return Outgoing(encode(message), message.message_id, enqueue_at)
