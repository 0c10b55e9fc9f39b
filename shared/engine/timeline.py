"""The timeline lane: a chunk of e-mail events becomes activities; what cannot be written yet waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.domain.change import CONTACT, Lane
from shared.domain.effects import RecordActivity
from shared.domain.fact import Fact, FactChunk
from shared.engine.lanes import send_facts
from shared.errors import Drop, Reason, Retry
from shared.flows import engagement
from shared.ports import Outgoing, Ports, Recorded
from shared.wire import encode

WAIT_S = 300.0  # until the next look for a contact that is not there yet
HALVED_WAIT_S = 30.0
WHOLE_ATTEMPTS = 2  # a chunk that got no answer so often goes on in halves


async def record(ports: Ports, chunk: FactChunk, max_age: timedelta) -> Reason:
    """One activity per event, however often the chunk comes. Refused events park alone. Raises an Outcome."""
    now = ports.clock.now()
    orders = [order for fact in chunk.facts if (order := engagement.decide(fact, ports.timeline, now))]
    if not orders:
        return Reason.NOT_SHOWN
    try:
        results = await ports.dynamics.record_activities(orders)
    except Retry as outcome:
        return await _halve(ports, chunk, outcome)
    await _park(ports, _having(orders, results, Recorded.REFUSED))
    waiting = _having(orders, results, Recorded.NO_CONTACT)
    if not waiting:
        return Reason.RECORDED
    if now - chunk.first_seen > max_age:
        ports.telemetry.counted("timeline_too_old", facts=len(waiting))
        raise Drop(Reason.TOO_OLD, ", ".join(fact.id for fact in waiting))
    if len(waiting) == len(chunk.facts):
        raise Retry(Reason.NO_CONTACT, after_s=WAIT_S)
    await send_facts(ports, replace(chunk, facts=waiting, attempt=chunk.attempt + 1), after_s=WAIT_S)
    return Reason.RECORDED


async def _halve(ports: Ports, chunk: FactChunk, outcome: Retry) -> Reason:
    """What never ends in time would be retried for ever; half of it may end. Raises the outcome in all other cases.

    Dynamics must answer to a small question meanwhile: an outage would only turn every chunk into single events.
    """
    half = len(chunk.facts) // 2
    if outcome.reason is not Reason.DYNAMICS_UNREACHABLE or chunk.attempt < WHOLE_ATTEMPTS or not half:
        raise outcome
    await ports.dynamics.read_many(CONTACT, [chunk.facts[0].contact_id])
    for name, facts in (("a", chunk.facts[:half]), ("b", chunk.facts[half:])):
        await send_facts(ports, replace(chunk, id=f"{chunk.id}/{name}", facts=facts), after_s=HALVED_WAIT_S)
    return Reason.HALVED


def _having(orders: Sequence[RecordActivity], results: Sequence[Recorded], result: Recorded) -> tuple[Fact, ...]:
    return tuple(order.fact for order, got in zip(orders, results, strict=True) if got is result)


async def _park(ports: Ports, facts: Sequence[Fact]) -> None:
    if not facts:
        return
    now = ports.clock.now()
    await ports.bus.send(Lane.PARKED, [_parked(FactChunk(f"fact/{fact.id}"[:100], (fact,), now)) for fact in facts])


def _parked(chunk: FactChunk) -> Outgoing:
    properties = {"reason": Reason.ACTIVITY_REFUSED.slug, "lane": str(Lane.TIMELINE)}
    return Outgoing(encode(chunk), f"parked/{chunk.id}", properties=properties)
