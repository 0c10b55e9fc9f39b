"""The event timer's work: the journal's e-mail events in chunks; the position is kept once they are durable."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime

from shared.domain.fact import Fact, FactChunk
from shared.engine.lanes import send_facts
from shared.errors import Reason
from shared.ports import Ports
from shared.wire import encode

WATERMARK = "email-events"
LARGEST_BYTES = 200_000  # a message of the Standard tier holds 256 KB, its properties included
CHUNK = 200  # events in one message, and so in one request to Dataverse


@dataclass(frozen=True)
class Egress:
    """What one run did. `skipped`: events that the timeline does not show."""

    facts: int
    unreadable: int
    at_end: bool
    skipped: int = 0


async def run(ports: Ports, limit: int, seconds: float = math.inf) -> Egress:
    """Reads to the journal's end, `limit` events or so many seconds: the rest is the next run's. Raises an Outcome."""
    done = Egress(0, 0, at_end=False)
    began = ports.clock.now()
    since = await ports.watermarks.read(WATERMARK)
    while not done.at_end and done.facts < limit and seconds_since(ports, began) < seconds:
        page = await ports.events.page(since)
        shown = tuple(fact for fact in page.facts if fact.event in ports.timeline.events)
        await send(ports, shown)
        if page.position is not None:
            since = page.position
            await ports.watermarks.write(WATERMARK, since)
        done = Egress(
            facts=done.facts + len(shown),
            unreadable=done.unreadable + len(page.unreadable),
            at_end=page.position is None,
            skipped=done.skipped + len(page.facts) - len(shown),
        )
    return done


def seconds_since(ports: Ports, since: datetime) -> float:
    """By the injected clock."""
    return (ports.clock.now() - since).total_seconds()


async def send(ports: Ports, facts: tuple[Fact, ...]) -> None:
    """In chunks; durable when it returns. Raises BusUnavailableError."""
    for start in range(0, len(facts), CHUNK):
        await _send(ports, facts[start : start + CHUNK])


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
