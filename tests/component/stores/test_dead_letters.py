"""Dead letters over Service Bus's protocol: nothing is lost, and nothing is taken that was not asked for."""

from __future__ import annotations

import gc
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from sandbox.service_bus import Broker, queues_from_json, start
from shared.domain.change import Lane
from shared.ports import BusUnavailableError, Outgoing
from shared.stores import waiting, withdrawal
from shared.stores.dead_letters import Copy, DeadLetters
from shared.stores.letter import Box, DeadLetter, NotReplayableError, copy_of, lane_of
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from shared.stores.waiting import QueuedOptOuts
from shared.stores.withdrawal import Take, Withdrawal
from tests.component.stores.received import plain
from tests.component.stores.relay import LEAKS

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUES = Path(__file__).parents[3] / "shared" / "queues.json"
LANE = Lane.CONTACT_UPSERT


PARKED, DEAD = Box(Lane.PARKED, "parked"), Box(Lane.TIMELINE, "dead")
Order = Callable[[Take], AsyncGenerator[Sequence[DeadLetter], None]]


class CrashError(Exception):
    """The tool ends in the middle."""


async def copy(letter: DeadLetter) -> Copy:
    return Copy(lane_of(letter), copy_of(letter, run="run-1"))


def chosen(box: Box, numbers: set[int], **how: Any) -> Take:
    return Take(box, lambda letter: letter.sequence_number in numbers, **{"last": max(numbers), **how})


@dataclass
class Office:
    """A broker with everything that the tests need of it; links are slow to open, so all tests share them."""

    broker: Broker
    client: ServiceBusClient
    lanes: ServiceBusLanes
    letters: DeadLetters
    watching: dict[Lane, ServiceBusReceiver] = field(default_factory=dict)

    async def park(self, name: str, lane: str = LANE) -> None:
        marks: dict[str, str | int | float] = {
            "reason": "refused_value",
            "lane": lane,
            "detail": "field: gender",
            "kept": 7,
        }
        await self.lanes.send(Lane.PARKED, [Outgoing(f"body of {name}".encode(), f"parked/{name}", properties=marks)])

    async def kill(self, names: Sequence[str]) -> None:
        """Give up in a lane; what earlier tests left there is taken away."""
        sent = [Outgoing(f"body of {name}".encode(), name, properties={"kept": 7, "share": 0.5}) for name in names]
        await self.lanes.send(Lane.TIMELINE, sent)
        receiver, left = await self.watch(Lane.TIMELINE), set(names)
        while left:
            for message in await receiver.receive_messages(max_message_count=10, max_wait_time=2):
                if message.message_id in left:
                    await receiver.dead_letter_message(message, reason="Broken", error_description="it raised")
                    left.discard(str(message.message_id))
                else:
                    await receiver.complete_message(message)

    async def watch(self, lane: Lane) -> ServiceBusReceiver:
        if lane not in self.watching:
            self.watching[lane] = await self.client.get_queue_receiver(lane).__aenter__()
        return self.watching[lane]

    async def parked(self, tag: str) -> list[DeadLetter]:
        return [letter async for letter in self.letters.letters(PARKED) if tag in letter.message_id]

    async def dead(self, tag: str) -> list[DeadLetter]:
        return [letter async for letter in self.letters.letters(DEAD) if tag in letter.message_id]

    async def replay(self, letters: Sequence[DeadLetter], **how: Any) -> list[str]:
        return await self._gone(letters, lambda take: self.letters.replay(take, copy), how)

    async def discard(self, letters: Sequence[DeadLetter], **how: Any) -> list[str]:
        return await self._gone(letters, self.letters.discard, how)

    async def _gone(self, letters: Sequence[DeadLetter], order: Order, how: dict[str, Any]) -> list[str]:
        gone: list[str] = []
        for box in sorted({letter.box for letter in letters}):
            numbers = {letter.sequence_number for letter in letters if letter.box == box}
            async with aclosing(order(chosen(box, numbers, **how))) as pages:
                async for page in pages:
                    gone += [letter.message_id for letter in page]
        return gone

    async def copies(self, lane: Lane, tag: str) -> dict[str, tuple[bytes, dict[str, str | int | float]]]:
        receiver = await self.watch(lane)
        found = await receiver.peek_messages(max_message_count=200, sequence_number=1)
        return {
            name.removeprefix(tag): (body, properties)
            for name, body, properties in map(plain, found)
            if name.startswith(tag)
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    broker = await start(queues_from_json(QUEUES))
    async with service_bus_client(broker.connection_string) as client:
        lanes = ServiceBusLanes(client)
        office = Office(broker, client, lanes, DeadLetters(client, lanes))
        yield office
        await office.letters.close()
        await lanes.close()
    await broker.stop()


@pytest.fixture
def tag() -> str:
    """The beginning of the test's own message ids."""
    return f"{uuid.uuid4().hex}."


async def test_a_dead_message_is_shown_whole(office: Office, tag: str) -> None:
    await office.kill([f"{tag}a", f"{tag}b"])
    first, second = await office.dead(tag)
    assert (first.queue, first.place, first.lane) == (Lane.TIMELINE, "dead", Lane.TIMELINE)
    assert (first.message_id, first.body) == (f"{tag}a", f"body of {tag}a".encode())
    assert (first.reason, first.description) == ("Broken", "it raised")
    assert first.properties["kept"] == 7
    assert first.enqueued_at is not None
    assert first.enqueued_at.tzinfo is not None
    assert second.sequence_number > first.sequence_number


async def test_a_parked_message_is_shown_with_the_lane_it_came_from(office: Office, tag: str) -> None:
    await office.park(f"{tag}a", Lane.OPTOUT)
    await office.park(f"{tag}b", "no-such-lane")
    first, second = await office.parked(tag)
    assert (first.queue, first.place, first.lane) == (Lane.PARKED, "parked", Lane.OPTOUT)
    assert (first.reason, first.description) == ("refused_value", "field: gender")
    assert first.body == f"body of {tag}a".encode()
    assert second.lane is None


async def test_a_replay_sends_a_copy_with_its_lineage_and_removes_only_the_chosen(office: Office, tag: str) -> None:
    await office.kill([f"{tag}a", f"{tag}b", f"{tag}c"])
    a, b, c = await office.dead(tag)
    assert await office.replay([b]) == [b.message_id]
    lineage = {"kept": 7, "share": 0.5, "replay_of": f"{tag}b", "replays": 1, "replay_run": "run-1"}
    assert await office.copies(Lane.TIMELINE, tag) == {"b:replay1": (b.body, lineage)}
    assert [letter.message_id for letter in await office.dead(tag)] == [a.message_id, c.message_id]
    assert await office.discard([a, c]) == [a.message_id, c.message_id]  # they were given back, not kept locked


async def test_letters_of_several_places_are_replayed_together_each_to_its_lane(office: Office, tag: str) -> None:
    await office.kill([f"{tag}a"])
    await office.park(f"{tag}b", Lane.OPTOUT)
    await office.park(f"{tag}c")
    assert len(await office.replay([*await office.parked(tag), *await office.dead(tag)])) == 3
    assert list(await office.copies(Lane.TIMELINE, tag)) == ["a:replay1"]
    assert list(await office.copies(LANE, tag)) == ["c:replay1"]
    lineage = {"kept": 7, "replay_of": f"{tag}b", "replays": 1, "replay_run": "run-1"}
    assert await office.copies(Lane.OPTOUT, tag) == {"b:replay1": (f"body of {tag}b".encode(), lineage)}
    assert await office.parked(tag) == await office.dead(tag) == []


async def test_nothing_is_removed_while_the_copy_is_not_confirmed(office: Office, tag: str) -> None:
    await office.park(f"{tag}a")
    waiting = await office.parked(tag)
    office.broker.refuse(LANE)
    with pytest.raises(BusUnavailableError):
        await office.replay(waiting)
    office.broker.accept()
    (given_back,) = await office.parked(tag)
    assert replace(given_back, delivery_count=0) == waiting[0]
    assert await office.copies(LANE, tag) == {}
    assert await office.discard(waiting) == [given_back.message_id]


async def test_a_replay_cut_short_before_the_removal_sends_no_second_copy_when_repeated(
    office: Office, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.park(f"{tag}a")
    waiting = await office.parked(tag)

    async def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as cut:
        cut.setattr(Withdrawal, "remove", crash)
        with pytest.raises(CrashError):
            await office.replay(waiting)
    assert len(await office.replay(waiting)) == 1
    assert list(await office.copies(LANE, tag)) == ["a:replay1"]
    assert await office.parked(tag) == []


async def test_a_letter_without_a_lane_stops_the_replay_before_anything_of_its_page_is_sent(
    office: Office, tag: str
) -> None:
    await office.park(f"{tag}a")
    await office.park(f"{tag}b", "no-such-lane")
    waiting = await office.parked(tag)
    with pytest.raises(NotReplayableError, match="parked"):
        await office.replay(waiting)
    assert await office.copies(LANE, tag) == {}
    assert len(await office.discard(waiting)) == 2


async def test_no_more_are_taken_than_asked_for_and_none_that_came_later(office: Office, tag: str) -> None:
    for name in "abcd":
        await office.park(f"{tag}{name}")
    a, b, c, d = await office.parked(tag)
    assert await office.discard([a, b, c, d], most=1) == [a.message_id]
    gone = await office.discard([b, c, d], last=c.sequence_number)
    assert gone == [b.message_id, c.message_id]
    assert [letter.message_id for letter in await office.parked(tag)] == [d.message_id]
    assert len(await office.discard([d])) == 1


async def test_what_does_not_lie_there_any_more_is_not_reported_as_gone(office: Office, tag: str) -> None:
    await office.park(f"{tag}a")
    (there,) = await office.parked(tag)
    gone = replace(there, sequence_number=there.sequence_number + 1000)
    assert await office.discard([there, gone]) == [there.message_id]
    assert await office.parked(tag) == []


async def test_a_late_one_is_found_behind_many_others_which_stay_visible(
    office: Office, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "MOST_HELD", 50)
    names = [f"{tag}{n}" for n in range(250)]
    await office.lanes.send(Lane.PARKED, [Outgoing(b"x", name) for name in names])
    letters = await office.parked(tag)
    assert [letter.message_id for letter in letters] == names
    assert await office.discard([letters[230]]) == [names[230]]
    after = await office.parked(tag)
    assert [letter.message_id for letter in after] == [*names[:230], *names[231:]]
    assert {letter.deferred for letter in after[:40]} == {False}  # held under their locks, and given back
    assert {letter.deferred for letter in after[50:230]} == {True}
    assert {letter.delivery_count for letter in after[:230]} == {1}


async def test_deferred_letters_are_handed_out_by_their_numbers(office: Office, tag: str) -> None:
    deferred = [letter for letter in await office.parked("") if letter.deferred]
    assert len(deferred) >= 180, "the test before left them"
    assert await office.discard(deferred[:30]) == []  # nobody said that there are deferred ones
    gone = await office.discard(deferred[:150], deferred=True)
    assert gone == [letter.message_id for letter in deferred[:150]]
    rest = await office.parked("")
    assert len(await office.discard(rest, deferred=True)) == len(rest)
    assert await office.parked("") == []


@LEAKS
async def test_a_broker_that_went_away_is_told_and_found_again(office: Office, tag: str) -> None:
    await office.park(f"{tag}a")
    office.broker.drop()
    with pytest.raises(BusUnavailableError):
        await office.parked(tag)
    office.broker.accept()
    assert len(await office.parked(tag)) == 1
    gc.collect()


async def test_opt_outs_are_found_wherever_they_wait(office: Office, tag: str) -> None:
    """In their lane at once or by schedule, given up there, and parked; those of other lanes are not."""
    later = datetime.now(UTC) + timedelta(hours=1)
    first, second, third = (Outgoing(f"{tag}{number}".encode(), f"{tag}{number}") for number in (1, 2, 3))
    await office.lanes.send(Lane.OPTOUT, [first, replace(second, enqueue_at=later)])
    receiver = await office.watch(Lane.OPTOUT)
    (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=5)
    await receiver.dead_letter_message(message, reason="Broken")
    await office.lanes.send(Lane.OPTOUT, [third])
    await office.park(f"{tag}4", Lane.OPTOUT)
    await office.park(f"{tag}5", Lane.CONTACT_DELETE)
    found = [body async for body in QueuedOptOuts(office.client).bodies()]
    own = [body for body in found if tag.encode() in body]
    assert sorted(own) == sorted(
        f"{begin}{tag}{n}".encode() for begin, n in [("", 1), ("", 2), ("", 3), ("body of ", 4)]
    )


async def test_a_broker_that_is_away_is_said_to_be(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "STEP_TIMEOUT_S", 0.0)
    with pytest.raises(BusUnavailableError, match="optout"):
        await anext(aiter(QueuedOptOuts(office.client).bodies()))
