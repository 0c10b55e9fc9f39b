"""Facts into the timeline: once each, refused ones apart, and those without a contact later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.crowd import ROOM_LEAST
from shared.domain.change import Lane
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent, FactChunk
from shared.domain.timeline import TaskRule, TimelineRules
from shared.errors import Reason, Retry
from shared.flows import engagement
from shared.ports import Recorded
from shared.wire import decode_facts
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import NOW, after, chunk, fact

DONE, NO_CONTACT, REFUSED = Recorded.DONE, Recorded.NO_CONTACT, Recorded.REFUSED
TIMELINE = Lane.TIMELINE
TWO_DAYS_S = 2 * 86_400


def asked(number: int) -> RecordActivity | None:
    return engagement.decide(fact(number), TimelineRules(), NOW)


async def settle(world: Known, message: FactChunk, *recorded: Recorded) -> None:
    world.dynamics.recorded = recorded
    await world.engine.timeline(delivery(message, Lane.TIMELINE))


async def test_every_event_asks_for_its_activity_in_one_request(world: Known, lines: Lines) -> None:
    await settle(world, chunk(fact(1), fact(2)))
    assert world.dynamics.orders == [[asked(1), asked(2)]]
    assert world.everything_sent() == []
    assert [(line["reason"], line["facts"]) for line in lines("decision")] == [("recorded", 2)]


async def test_a_refused_event_parks_alone_and_the_others_go_on(world: Known, lines: Lines) -> None:
    await settle(world, chunk(fact(1), fact(2), fact(3)), DONE, REFUSED, DONE)
    (letter,) = world.in_lane(Lane.PARKED)
    assert decode_facts(letter.body).facts == (fact(2),)
    assert letter.properties == {"reason": "activity_refused", "lane": "timeline"}
    assert letter.message_id == "parked/fact/event-2"
    assert [line["reason"] for line in lines("decision")] == ["recorded"]


async def test_parking_twice_is_parking_once(world: Known) -> None:
    for _ in range(2):
        await settle(world, chunk(fact(1), fact(2)), REFUSED, DONE)
    assert len(world.in_lane(Lane.PARKED)) == 1


async def test_a_chunk_without_any_contact_waits_as_a_whole(world: Known, lines: Lines) -> None:
    await settle(world, chunk(fact(1), fact(2)), NO_CONTACT, NO_CONTACT)
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert (copy.message_id, copy.enqueue_at) == ("facts/f1:1", after(300))
    assert decode_facts(copy.body) == chunk(fact(1), fact(2), attempt=1)
    assert [line["reason"] for line in lines("decision")] == ["no_contact"]


async def test_of_a_mixed_chunk_only_what_waits_comes_back(world: Known) -> None:
    await settle(world, chunk(fact(1), fact(2), fact(3), attempt=4), DONE, NO_CONTACT, REFUSED)
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert decode_facts(copy.body) == chunk(fact(2), attempt=5)
    assert (copy.message_id, copy.enqueue_at) == ("facts/f1:5", after(300))
    assert len(world.in_lane(Lane.PARKED)) == 1


@pytest.mark.parametrize("recorded", [(NO_CONTACT, NO_CONTACT), (DONE, NO_CONTACT)])
async def test_what_waits_for_too_long_is_dropped_and_named(
    world: Known, recorded: tuple[Recorded, ...], lines: Lines
) -> None:
    world.clock.pass_(TWO_DAYS_S + 1)
    await settle(world, chunk(fact(1), fact(2)), *recorded)
    assert world.everything_sent() == []
    (line,) = lines("decision")
    assert line["reason"] == "too_old"
    assert "event-2" in line["detail"]


async def test_waiting_lasts_to_its_end(world: Known) -> None:
    world.clock.pass_(TWO_DAYS_S)
    await settle(world, chunk(fact(1)), NO_CONTACT)
    assert len(world.in_lane(Lane.TIMELINE)) == 1


async def test_a_replayed_chunk_waits_anew(world: Known) -> None:
    world.clock.pass_(30 * TWO_DAYS_S)
    world.dynamics.recorded = (NO_CONTACT,)
    await world.engine.timeline(delivery(chunk(fact(1)), Lane.TIMELINE, replayed=True))
    assert len(world.in_lane(Lane.TIMELINE)) == 1


async def test_a_system_that_asks_for_patience_costs_no_event(world: Known) -> None:
    world.dynamics.failure = Retry(Reason.DYNAMICS_BUSY, after_s=20)
    await settle(world, chunk(fact(1)))
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert decode_facts(copy.body) == FactChunk("facts/f1", (fact(1),), NOW, 1)


async def test_an_event_parked_alone_can_be_replayed(world: Known) -> None:
    await settle(world, chunk(fact(1), fact(2)), DONE, REFUSED)
    (letter,) = world.in_lane(Lane.PARKED)
    world.dynamics.recorded = ()
    await world.engine.timeline(delivery(letter.body, Lane.TIMELINE))
    assert world.dynamics.orders[-1] == [asked(2)]


async def test_kinds_that_are_switched_off_are_not_written(world: Known, lines: Lines) -> None:
    world.show(TimelineRules(events=frozenset({EmailEvent.OPEN})))
    opened = replace(fact(2), event=EmailEvent.OPEN)
    await settle(world, chunk(fact(1), opened, fact(3)))
    assert [order.fact for orders in world.dynamics.orders for order in orders] == [opened]
    await settle(world, chunk(fact(1)))
    assert len(world.dynamics.orders) == 1
    assert [line["reason"] for line in lines("decision")] == ["recorded", "not_shown"]


async def test_what_waits_of_a_chunk_with_kinds_that_are_off_is_what_is_shown(world: Known) -> None:
    world.show(TimelineRules(events=frozenset({EmailEvent.OPEN})))
    opened = replace(fact(2), event=EmailEvent.OPEN)
    await settle(world, chunk(fact(1), opened), NO_CONTACT)
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert decode_facts(copy.body).facts == (opened,)


async def test_the_rules_tasks_are_ordered_with_the_activities(world: Known) -> None:
    world.show(TimelineRules(tasks={EmailEvent.CLICK: TaskRule("Call", owner="application_user")}))
    await settle(world, chunk(fact(1)))
    (order,) = world.dynamics.orders[0]
    assert order.task is not None
    assert (order.task.subject, order.task.owner) == ("Call", "application_user")


async def test_events_that_were_dropped_are_counted(world: Known, lines: Lines) -> None:
    world.clock.pass_(TWO_DAYS_S + 1)
    await settle(world, chunk(fact(1), fact(2)), DONE, NO_CONTACT)
    assert lines("counted") == [{"what": "timeline_too_old", "facts": 1}]


async def test_a_chunk_that_never_gets_an_answer_goes_on_in_halves(world: Known, lines: Lines) -> None:
    world.dynamics.too_much = Retry(Reason.DYNAMICS_UNREACHABLE, "no answer")
    await settle(world, chunk(fact(1), fact(2), fact(3), attempt=2))
    first, second = sorted(world.in_lane(Lane.TIMELINE), key=lambda message: message.message_id)
    assert decode_facts(first.body) == FactChunk("facts/f1/a", (fact(1),), NOW, 2)
    assert decode_facts(second.body) == FactChunk("facts/f1/b", (fact(2), fact(3)), NOW, 2)
    assert {message.enqueue_at for message in (first, second)} == {after(30)}
    assert [line["reason"] for line in lines("decision")] == ["halved"]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Retry(Reason.DYNAMICS_UNREACHABLE), chunk(fact(1), fact(2), attempt=1)),
        (Retry(Reason.DYNAMICS_UNREACHABLE), chunk(fact(1), attempt=9)),
        (Retry(Reason.DYNAMICS_BUSY), chunk(fact(1), fact(2), attempt=9)),
    ],
)
async def test_all_else_comes_back_whole(world: Known, failure: Retry, message: FactChunk) -> None:
    world.dynamics.too_much = failure
    await settle(world, message)
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert decode_facts(copy.body).facts == message.facts


async def test_an_outage_leaves_chunks_whole(world: Known, lines: Lines) -> None:
    world.dynamics.failure = Retry(Reason.DYNAMICS_UNREACHABLE)
    await settle(world, chunk(fact(1), fact(2), attempt=9))
    (copy,) = world.in_lane(Lane.TIMELINE)
    assert decode_facts(copy.body) == chunk(fact(1), fact(2), attempt=10)
    assert [line["reason"] for line in lines("decision")] == ["dynamics_unreachable"]


async def test_halves_of_halves_end_with_single_events_that_still_fit_the_brokers_names(world: Known) -> None:
    world.dynamics.too_much = Retry(Reason.DYNAMICS_UNREACHABLE)
    whole = FactChunk("facts/" + "f" * 32, tuple(map(fact, range(200))), NOW, 2)
    await world.engine.timeline(delivery(whole, TIMELINE))
    names, sizes = [], []
    for _ in range(40):
        world.clock.pass_(60)
        while (message := world.bus.take(TIMELINE)) is not None:
            found = decode_facts(message.body)
            names.append(found.message_id)
            sizes.append(len(found.facts))
            if len(found.facts) > 1:
                await world.engine.timeline(delivery(message.body, TIMELINE))
    assert sizes.count(1) == 200
    assert max(map(len, names)) <= 100


async def test_so_many_chunks_are_worked_on_at_a_time_and_the_rest_wait_outside(world: Known) -> None:
    at_once: list[int] = []
    under_way = 0

    async def slowly(orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return [DONE] * len(orders)

    world.dynamics.record_activities = slowly  # type: ignore[method-assign]
    await asyncio.gather(*(world.engine.timeline(delivery(chunk(fact(n)), TIMELINE)) for n in range(100)))
    assert len(at_once) == 100
    assert max(at_once) == ROOM_LEAST
