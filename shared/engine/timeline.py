"""The timeline lane: a chunk of e-mail events becomes activities; what cannot be written yet waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.domain.change import Lane
from shared.domain.fact import Fact, FactChunk
from shared.engine.lanes import send_facts
from shared.errors import Drop, Reason, Retry
from shared.flows import engagement
from shared.ports import Outgoing, Ports, Recorded
from shared.wire import encode

WAIT_S = 300.0  # until the next look for a contact that is not there yet


async def record(ports: Ports, chunk: FactChunk, max_age: timedelta) -> Reason:
    """One activity per event, however often the chunk comes. Refused events park alone. Raises an Outcome."""
    results = await ports.dynamics.record_activities([engagement.decide(fact) for fact in chunk.facts])
    await _park(ports, _having(chunk.facts, results, Recorded.REFUSED))
    waiting = _having(chunk.facts, results, Recorded.NO_CONTACT)
    if not waiting:
        return Reason.RECORDED
    if ports.clock.now() - chunk.first_seen > max_age:
        raise Drop(Reason.TOO_OLD, ", ".join(fact.id for fact in waiting))
    if len(waiting) == len(chunk.facts):
        raise Retry(Reason.NO_CONTACT, after_s=WAIT_S)
    await send_facts(ports, replace(chunk, facts=waiting, attempt=chunk.attempt + 1), after_s=WAIT_S)
    return Reason.RECORDED


def _having(facts: Sequence[Fact], results: Sequence[Recorded], result: Recorded) -> tuple[Fact, ...]:
    return tuple(fact for fact, got in zip(facts, results, strict=True) if got is result)


async def _park(ports: Ports, facts: Sequence[Fact]) -> None:
    if not facts:
        return
    now = ports.clock.now()
    await ports.bus.send(Lane.PARKED, [_parked(FactChunk(f"fact/{fact.id}"[:100], (fact,), now)) for fact in facts])


def _parked(chunk: FactChunk) -> Outgoing:
    properties = {"reason": Reason.ACTIVITY_REFUSED.slug, "lane": str(Lane.TIMELINE)}
    return Outgoing(encode(chunk), f"parked/{chunk.id}", properties=properties)
