"""The event timer's work: the journal's e-mail events in chunks; the position is kept once they are durable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shared.domain.fact import Fact, FactChunk
from shared.engine.lanes import send_facts
from shared.errors import Reason
from shared.ports import Ports
from shared.wire import encode

WATERMARK = "email-events"
LARGEST_BYTES = 200_000  # a message of the Standard tier holds 256 KB, its properties included
CHUNK = 50  # activities in one Dataverse batch: two operations each, well below its limit of 1000


@dataclass(frozen=True)
class Egress:
    """What one run did."""

    facts: int
    unreadable: int
    at_end: bool


async def run(ports: Ports, limit: int) -> Egress:
    """Reads to the journal's end, or `limit` events: the rest is the next run's. Raises an Outcome."""
    facts, unreadable, at_end = 0, 0, False
    since = await ports.watermarks.read(WATERMARK)
    while facts < limit and not at_end:
        page = await ports.events.page(since)
        for start in range(0, len(page.facts), CHUNK):
            await _send(ports, page.facts[start : start + CHUNK])
        facts, unreadable = facts + len(page.facts), unreadable + len(page.unreadable)
        if page.position is not None:
            since = page.position
            await ports.watermarks.write(WATERMARK, since)
        at_end = page.position is None
    return Egress(facts, unreadable, at_end)


async def _send(ports: Ports, facts: tuple[Fact, ...]) -> None:
    """In one message, or in halves where the addresses in them are too long for one."""
    chunk = _chunk(ports, facts)
    if len(encode(chunk)) <= LARGEST_BYTES:
        await send_facts(ports, chunk)
    elif len(facts) > 1:
        await _send(ports, facts[: len(facts) // 2])
        await _send(ports, facts[len(facts) // 2 :])
    else:
        ports.telemetry.alarm("event_egress", Reason.EVENT_TOO_LARGE, facts[0].id)


def _chunk(ports: Ports, facts: tuple[Fact, ...]) -> FactChunk:
    """Named by its events, so that a page read twice makes a duplicate."""
    name = hashlib.sha256("|".join(fact.id for fact in facts).encode()).hexdigest()[:32]
    return FactChunk(f"facts/{name}", facts, ports.clock.now())
