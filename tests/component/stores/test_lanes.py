"""Conformance of the lanes: every test here runs over the fake and over Service Bus's protocol."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from sandbox.service_bus import Broker, queues_from_json, start
from shared.domain.change import Lane
from shared.ports import Bus, Outgoing
from shared.stores.memory import MemoryBus
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from tests.component.stores.received import Plain, plain

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUES = Path(__file__).parents[3] / "shared" / "queues.json"
LANE = Lane.CONTACT_UPSERT
numbers = itertools.count()


def message(text: str = "{}", *, name: str | None = None, enqueue_at: datetime | None = None) -> Outgoing:
    """Its id is new unless given."""
    return Outgoing(text.encode(), name or f"m{next(numbers)}", enqueue_at, {"why": "upsert", "attempt": 2})


@dataclass
class Clock:
    """The broker's, which tests set ahead."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Post(Protocol):
    """A bus, and everything that can be taken from a lane now."""

    @property
    def bus(self) -> Bus: ...

    async def take_all(self, lane: Lane) -> list[Plain]: ...


class MemoryPost:
    def __init__(self, clock: Clock) -> None:
        self.bus = MemoryBus(clock)

    async def take_all(self, lane: Lane) -> list[Plain]:
        taken = iter(lambda: self.bus.take(lane), None)
        return [(one.message_id, one.body, dict(one.properties)) for one in taken]


class ServiceBusPost:
    def __init__(self, client: ServiceBusClient) -> None:
        self.bus = ServiceBusLanes(client)
        self.client = client
        self.receivers: dict[Lane, ServiceBusReceiver] = {}

    async def take_all(self, lane: Lane) -> list[Plain]:
        if lane not in self.receivers:
            self.receivers[lane] = await self.client.get_queue_receiver(lane).__aenter__()
        receiver = self.receivers[lane]
        taken = []
        while page := await receiver.receive_messages(max_message_count=50, max_wait_time=0.4):
            for one in page:
                assert one.content_type == "application/json"
                taken.append(plain(one))
                await receiver.complete_message(one)
        return taken

    async def close(self) -> None:
        await asyncio.gather(self.bus.close(), *(receiver.close() for receiver in self.receivers.values()))


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(clock: Clock) -> AsyncIterator[Broker]:
    running = await start(queues_from_json(QUEUES), now=clock)
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "service bus"])
async def post(request: pytest.FixtureRequest, broker: Broker, clock: Clock) -> AsyncIterator[Post]:
    if request.param == "memory":
        yield MemoryPost(clock)
        return
    async with service_bus_client(broker.connection_string) as client:
        real = ServiceBusPost(client)
        yield real
        await real.close()


async def ids(post: Post, lane: Lane) -> list[str]:
    """Sorted: nothing depends on a lane's order, and the client library changes it when it gives messages back."""
    return sorted(name for name, _, _ in await post.take_all(lane))


async def test_a_message_arrives_as_it_was_sent(post: Post) -> None:
    sent = message('{"v": 1, "what": "\u00fc"}')
    await post.bus.send(LANE, [sent])
    assert await post.take_all(LANE) == [(sent.message_id, sent.body, {"why": "upsert", "attempt": 2})]


async def test_a_lane_keeps_its_messages_to_itself(post: Post) -> None:
    sent = [message(str(n)) for n in range(5)]
    await post.bus.send(LANE, sent)
    await post.bus.send(Lane.OPTOUT, [message("other")])
    assert await ids(post, LANE) == sorted(one.message_id for one in sent)
    assert [body for _, body, _ in await post.take_all(Lane.OPTOUT)] == [b"other"]


async def test_nothing_to_send_sends_nothing(post: Post) -> None:
    await post.bus.send(LANE, [])
    assert await post.take_all(LANE) == []


async def test_a_known_id_is_dropped_also_within_one_send_and_after_it_was_taken(post: Post) -> None:
    first = message("first")
    again = message("again", name=first.message_id)
    await post.bus.send(LANE, [first, again])
    await post.bus.send(LANE, [again])
    assert [body for _, body, _ in await post.take_all(LANE)] == [b"first"]
    await post.bus.send(LANE, [again])
    assert await post.take_all(LANE) == []


async def test_an_id_is_known_in_its_lane_only(post: Post) -> None:
    sent = message()
    await post.bus.send(LANE, [sent])
    await post.bus.send(Lane.PARKED, [sent])
    assert len(await post.take_all(LANE)) == len(await post.take_all(Lane.PARKED)) == 1


async def test_a_scheduled_message_waits_for_its_time(post: Post, clock: Clock) -> None:
    sent = {
        "in an hour": clock() + timedelta(hours=1),
        "long ago": clock() - timedelta(hours=1),
        "in a minute": clock() + timedelta(minutes=1),
        "now": None,
    }
    await post.bus.send(Lane.TIMELINE, [message(name=name, enqueue_at=at) for name, at in sent.items()])
    assert await ids(post, Lane.TIMELINE) == ["long ago", "now"]
    clock.ahead += timedelta(minutes=1, seconds=1)
    assert await ids(post, Lane.TIMELINE) == ["in a minute"]


async def test_an_id_is_forgotten_after_the_window_of_an_hour(post: Post, clock: Clock) -> None:
    sent = message()
    await post.bus.send(LANE, [sent])
    assert await ids(post, LANE) == [sent.message_id]
    for minutes, arrived in ((59, []), (2, [sent.message_id])):
        clock.ahead += timedelta(minutes=minutes)
        await post.bus.send(LANE, [sent])
        assert await ids(post, LANE) == arrived


async def test_a_single_scheduled_message_waits_too_and_its_id_is_known_at_once(post: Post, clock: Clock) -> None:
    later = message("later", enqueue_at=clock() + timedelta(hours=1))
    await post.bus.send(Lane.BULK, [later])
    await post.bus.send(Lane.BULK, [message("now", name=later.message_id)])
    assert await post.take_all(Lane.BULK) == []


async def test_many_large_messages_are_sent_in_as_many_transfers_as_they_need(post: Post) -> None:
    sent = [message("x" * 60_000 + str(n)) for n in range(12)]
    await post.bus.send(LANE, sent)
    assert await ids(post, LANE) == sorted(one.message_id for one in sent)


async def test_senders_at_the_same_moment_do_not_disturb_each_other(post: Post) -> None:
    sent = [message(str(n)) for n in range(30)]
    await asyncio.gather(*(post.bus.send(LANE, [one]) for one in sent))
    assert await ids(post, LANE) == sorted(one.message_id for one in sent)
