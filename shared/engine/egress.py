"""The event timer's work: the journal's e-mail events in chunks; the position is kept once they are durable."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.fact import Fact, FactChunk
from shared.engine.lanes import send_facts
from shared.errors import Reason
from shared.ports import BadEvent, EventPage, Ports
from shared.wire import encode

WATERMARK = "email-events"
LARGEST_BYTES = 200_000  # a message of the Standard tier holds 256 KB, its properties included
FREE_BAD_EVENTS = 10  # so few alone never stop the journal
SHOWN_BAD_EVENTS = 20
CHUNK = 200  # events in one message, and so in one request to Dataverse


@dataclass(frozen=True)
class Egress:
    """What one run did. `skipped`: events that the timeline does not show, or that are no contact's of Dynamics."""

    facts: int
    unreadable: int
    at_end: bool
    skipped: int = 0


async def run(ports: Ports, limit: int, seconds: float = math.inf) -> Egress:
    """Reads to the journal's end, `limit` events or so many seconds: the rest is the next run's. Raises an Outcome.

    A page of which nothing can be read is left where it is, with an alarm: another shape than the configured one would
    lose every event.
    """
    done = Egress(0, 0, at_end=False)
    began = ports.clock.now()
    since = await ports.watermarks.read(WATERMARK)
    while not done.at_end and done.facts < limit and seconds_since(ports, began) < seconds:
        page = await ports.events.page(since)
        if _is_strange(page):
            ports.telemetry.alarm("event_egress", Reason.WRONG_EVENT_SHAPE, _told(page.unreadable[0]))
            return replace(done, unreadable=done.unreadable + len(page.unreadable))
        if page.gap and page.position is not None:
            ports.telemetry.alarm("event_egress", Reason.EVENTS_LOST, f"going on before position {page.position}")
        _tell(ports, page.unreadable, done.unreadable)
        shown = tuple(fact for fact in page.facts if fact.event in ports.timeline.events)
        await send(ports, shown)
        if page.position is not None:
            since = page.position
            await ports.watermarks.write(WATERMARK, since)
        done = Egress(
            facts=done.facts + len(shown),
            unreadable=done.unreadable + len(page.unreadable),
            at_end=page.position is None,
            skipped=done.skipped + page.skipped + len(page.facts) - len(shown),
        )
    return done


def _is_strange(page: EventPage) -> bool:
    return len(page.unreadable) > FREE_BAD_EVENTS and not (page.facts or page.skipped)


def _tell(ports: Ports, unreadable: Sequence[BadEvent], before: int) -> None:
    for bad in unreadable[: max(0, SHOWN_BAD_EVENTS - before)]:
        ports.telemetry.counted("event_egress_bad_event", where=_told(bad))


def _told(bad: BadEvent) -> str:
    return f"position {bad.position}: {bad.problem}"


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
