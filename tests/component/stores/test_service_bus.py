"""What only the real lanes can show: a broker that refuses, falls silent, goes away and comes back."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import pytest
from azure.servicebus.aio import ServiceBusClient

from sandbox.service_bus import Broker, Condition, QueueSettings, start
from shared.domain.change import Lane
from shared.ports import BusUnavailableError, Outgoing
from shared.stores.service_bus import MessageTooLargeError, ServiceBusLanes, service_bus_client
from tests.component.stores.relay import LEAKS, Answers, relay_to

LANE = Lane.CONTACT_UPSERT


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    running = await start([QueueSettings(name=LANE, duplicate_window_s=3600)])
    yield running
    await running.stop()


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with service_bus_client(broker.connection_string) as client:
        yield client


@pytest.fixture
async def lanes(client: ServiceBusClient) -> AsyncIterator[ServiceBusLanes]:
    lanes = ServiceBusLanes(client)
    yield lanes
    await lanes.close()


def waiting(broker: Broker) -> int:
    return broker.counts()[LANE]["active"]


async def test_a_refusal_is_told_and_the_next_send_works(broker: Broker, lanes: ServiceBusLanes) -> None:
    await lanes.send(LANE, [Outgoing(b"1", "1")])
    broker.refuse(LANE, Condition.UNAUTHORIZED)
    with pytest.raises(BusUnavailableError, match="contact-upsert"):
        await lanes.send(LANE, [Outgoing(b"2", "2")])
    broker.accept()
    await lanes.send(LANE, [Outgoing(b"2", "2")])
    assert waiting(broker) == 2


@LEAKS
async def test_a_broker_that_went_away_is_told_and_found_again(broker: Broker, lanes: ServiceBusLanes) -> None:
    await lanes.send(LANE, [Outgoing(b"1", "1")])
    broker.drop()
    with pytest.raises(BusUnavailableError):
        await lanes.send(LANE, [Outgoing(b"2", "2")])
    broker.accept()
    await lanes.send(LANE, [Outgoing(b"2", "2"), Outgoing(b"3", "3")])
    assert waiting(broker) == 3
    gc.collect()


async def test_a_lane_that_does_not_exist_is_told(lanes: ServiceBusLanes) -> None:
    with pytest.raises(BusUnavailableError, match=r"optout: MessagingEntityNotFoundError"):
        await lanes.send(Lane.OPTOUT, [Outgoing(b"1", "1")])


@LEAKS
async def test_silence_ends_in_time_for_everybody_and_a_repetition_is_absorbed(broker: Broker) -> None:
    async with relay_to(broker.port) as relay:
        behind = broker.connection_string.replace(f":{broker.port};", f":{relay.port};")
        async with service_bus_client(behind) as client:
            lanes = ServiceBusLanes(client, timeout_s=1.5)
            await lanes.send(LANE, [Outgoing(b"0", "0")])
            relay.answers = Answers.SWALLOW
            began = time.monotonic()
            sends = [lanes.send(LANE, [Outgoing(b"1", "1")]) for _ in range(3)]
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert [type(result) for result in results] == [BusUnavailableError] * 3
            assert time.monotonic() - began < 8
            assert waiting(broker) == 2  # applied although nobody heard of it
            relay.answers = Answers.PASS
            await lanes.send(LANE, [Outgoing(b"1", "1")])
            assert waiting(broker) == 2
            await lanes.close()
    gc.collect()


@pytest.mark.parametrize("others", [0, 2])
async def test_a_message_too_large_is_not_called_an_outage(broker: Broker, lanes: ServiceBusLanes, others: int) -> None:
    small = [Outgoing(b"x", str(n)) for n in range(others)]
    with pytest.raises(MessageTooLargeError, match="contact-upsert"):
        await lanes.send(LANE, [*small, Outgoing(b"x" * 2_000_000, "large")])
    await lanes.send(LANE, [Outgoing(b"1", "after")])
    assert waiting(broker) >= 1


async def test_a_cancelled_send_leaves_a_usable_lane(broker: Broker, lanes: ServiceBusLanes) -> None:
    sending = asyncio.create_task(lanes.send(LANE, [Outgoing(b"1", "1")]))
    await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await lanes.send(LANE, [Outgoing(b"2", "2")])
    assert waiting(broker) >= 1


async def test_closed_lanes_open_again_when_used(broker: Broker, lanes: ServiceBusLanes) -> None:
    for name in ("1", "2"):
        await lanes.send(LANE, [Outgoing(b"x", name)])
        await lanes.close()
    assert waiting(broker) == 2
