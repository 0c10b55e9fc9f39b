"""E-mail events from the journal: durable before the position moves, and the rest for the next run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.change import Lane
from shared.domain.fact import EmailEvent, Fact
from shared.domain.timeline import TimelineRules
from shared.engine.egress import CHUNK, WATERMARK, Egress, run
from shared.errors import Reason
from shared.ports import BadEvent, BusUnavailableError, EventPage
from shared.wire import decode_facts
from tests.unit.engine.fakes import Known
from tests.unit.examples import fact

LARGEST_MESSAGE_BYTES = 256 * 1024  # Service Bus, standard tier

BAD = BadEvent("p0", "profile is missing")


def facts(first: int, count: int) -> tuple[Fact, ...]:
    return tuple(fact(number) for number in range(first, first + count))


def sent(world: Known) -> list[str]:
    return [f.id for message in world.in_lane(Lane.TIMELINE) for f in decode_facts(message.body).facts]


async def test_every_page_up_to_the_end(world: Known) -> None:
    world.journal.pages = {
        None: EventPage(facts(0, 2), "p1", unreadable=(BAD,)),
        "p1": EventPage((), "p2"),
        "p2": EventPage(facts(2, 1), "p3"),
    }
    assert await run(world.ports, 100) == Egress(facts=3, unreadable=1, at_end=True)
    assert sent(world) == ["event-0", "event-1", "event-2"]
    assert world.watermarks.values == {WATERMARK: "p3"}
    assert world.journal.asked == [None, "p1", "p2", "p3"]


async def test_the_next_run_goes_on_where_the_last_one_ended(world: Known) -> None:
    world.watermarks.values[WATERMARK] = "p7"
    world.journal.pages = {None: EventPage(facts(0, 9), "p1"), "p7": EventPage(facts(9, 1), "p8")}
    assert (await run(world.ports, 100)).facts == 1


async def test_a_page_travels_in_chunks_each_named_by_its_events(world: Known) -> None:
    world.journal.pages = {None: EventPage(facts(0, CHUNK + 1), "p1")}
    await run(world.ports, 1)
    chunks = [decode_facts(message.body) for message in world.in_lane(Lane.TIMELINE)]
    assert [len(chunk.facts) for chunk in chunks] == [CHUNK, 1]
    assert all(len(chunk.message_id) <= 100 for chunk in chunks)
    world.watermarks.values.clear()
    await run(world.ports, 1)
    assert len(world.in_lane(Lane.TIMELINE)) == 2  # read twice, queued once


async def test_what_is_over_the_limit_is_carried_over(world: Known) -> None:
    world.journal.pages = {None: EventPage(facts(0, 3), "p1"), "p1": EventPage(facts(3, 3), "p2")}
    assert await run(world.ports, 3) == Egress(facts=3, unreadable=0, at_end=False)
    assert await run(world.ports, 3) == Egress(facts=3, unreadable=0, at_end=False)
    assert len(sent(world)) == 6


async def test_a_position_is_kept_only_once_its_events_are_durable(world: Known) -> None:
    world.journal.pages = {None: EventPage(facts(0, 1), "p1"), "p1": EventPage(facts(1, 1), "p2")}
    await run(world.ports, 1)
    world.bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await run(world.ports, 1)
    assert world.watermarks.values == {WATERMARK: "p1"}
    world.bus.refusing = False
    await run(world.ports, 1)
    assert sent(world) == ["event-0", "event-1"]


async def test_an_empty_journal_is_no_work(world: Known) -> None:
    assert await run(world.ports, 100) == Egress(facts=0, unreadable=0, at_end=True)
    assert world.watermarks.values == {}


async def test_events_with_long_addresses_still_fit_into_messages(world: Known) -> None:
    """A tracked address may be thousands of characters long; one message too large would stop the journal for ever."""
    long = tuple(fact(number, url="https://example.org/" + "x" * 8000) for number in range(CHUNK))
    world.journal.pages = {None: EventPage(long, "p1")}
    await run(world.ports, 100)
    assert len(sent(world)) == CHUNK
    assert all(len(message.body) < LARGEST_MESSAGE_BYTES for message in world.in_lane(Lane.TIMELINE))


async def test_kinds_that_are_switched_off_do_not_travel(world: Known) -> None:
    world.show(TimelineRules(events=frozenset({EmailEvent.OPEN})))
    opened = replace(fact(2), event=EmailEvent.OPEN)
    world.journal.pages = {None: EventPage((fact(1), opened, fact(3)), "p1")}
    assert await run(world.ports, 100) == Egress(facts=1, unreadable=0, at_end=True, skipped=2)
    assert sent(world) == ["event-2"]
    assert world.watermarks.values == {WATERMARK: "p1"}


async def test_a_page_of_which_nothing_can_be_read_stays_and_raises_an_alarm(world: Known, caplog) -> None:
    """Events of another shape than the configured one would otherwise be passed over for good."""
    strange = tuple(BadEvent(f"p{number}", "profile is missing") for number in range(11))
    world.journal.pages = {None: EventPage(facts(0, 1), "p1"), "p1": EventPage((), "p2", unreadable=strange)}
    assert await run(world.ports, 100) == Egress(facts=1, unreadable=11, at_end=False)
    assert Reason.WRONG_EVENT_SHAPE.slug in caplog.text
    assert "position p0: profile is missing" in caplog.text
    assert world.watermarks.values == {WATERMARK: "p1"}
    world.journal.pages["p1"] = EventPage(facts(1, 11), "p2")  # the shape was corrected
    assert await run(world.ports, 100) == Egress(facts=11, unreadable=0, at_end=True)


@pytest.mark.parametrize(
    "page",
    [
        EventPage((), "p1", unreadable=(BAD,) * 10),
        EventPage((), "p1", unreadable=(BAD,) * 99, skipped=1),
        EventPage(facts(0, 1), "p1", unreadable=(BAD,) * 99),
    ],
)
async def test_some_events_that_cannot_be_read_stop_nothing_and_are_named(world: Known, caplog, page) -> None:
    caplog.set_level("INFO")
    world.journal.pages = {None: page}
    done = await run(world.ports, 100)
    assert (done.unreadable, done.skipped, done.at_end) == (len(page.unreadable), page.skipped, True)
    assert caplog.text.count("event_egress_bad_event") == min(20, len(page.unreadable))
    assert Reason.WRONG_EVENT_SHAPE.slug not in caplog.text
    assert world.watermarks.values == {WATERMARK: "p1"}


async def test_events_that_are_no_longer_kept_raise_an_alarm_once(world: Known, caplog) -> None:
    world.watermarks.values[WATERMARK] = "p0"
    world.journal.pages = {"p0": EventPage((), None, gap=True)}
    await run(world.ports, 100)
    assert Reason.EVENTS_LOST.slug not in caplog.text
    world.journal.pages = {"p0": EventPage(facts(0, 1), "p1", gap=True)}
    assert (await run(world.ports, 100)).facts == 1
    assert (await run(world.ports, 100)).facts == 0
    assert caplog.text.count(Reason.EVENTS_LOST.slug) == 1


async def test_a_run_ends_with_its_time_and_the_next_goes_on(world: Known) -> None:
    world.journal.pages = {None: EventPage(facts(0, 1), "p1"), "p1": EventPage(facts(1, 1), "p2")}
    world.journal.meanwhile = lambda: world.clock.pass_(10)
    assert await run(world.ports, 100, 5) == Egress(facts=1, unreadable=0, at_end=False)
    assert await run(world.ports, 100, 25) == Egress(facts=1, unreadable=0, at_end=True)
    assert sent(world) == ["event-0", "event-1"]


async def test_ten_times_the_limit_drains_in_ten_runs(world: Known) -> None:
    pages = [None, *(f"p{number}" for number in range(1, 21))]
    world.journal.pages = {
        at: EventPage(facts(500 * number, 500), pages[number + 1]) for number, at in enumerate(pages[:-1])
    }
    runs = [await run(world.ports, 1_000) for _ in range(11)]
    assert [done.facts for done in runs] == [1_000] * 10 + [0]
    assert runs[-1].at_end
    assert len(set(sent(world))) == 10_000
