"""Brokers, queues and peers for the tests of the Service Bus stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from sandbox.service_bus import Broker, QueueSettings, start
from sandbox.service_bus.queue import Queue
from tests.contract.service_bus.building import HandClock, queue_with
from tests.contract.service_bus.raw_peer import RawPeer
from tests.contract.service_bus.sdk_world import EMPTY, World


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def queue(clock: HandClock) -> Queue:
    return queue_with(clock)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    broker = await start([QueueSettings("q1"), QueueSettings("tiny", max_message_bytes=64)])
    yield broker
    await broker.stop()


@pytest.fixture
async def peer(broker: Broker) -> AsyncIterator[RawPeer]:
    """With a session on channel 1 and a token for the whole namespace."""
    peer = await RawPeer.opened(broker.port)
    await peer.authorize("")
    yield peer
    await peer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[World]:
    settings = QueueSettings("q1", lock_duration_s=2, max_delivery_count=3, duplicate_window_s=60)
    broker = await start([settings, QueueSettings("q2")])
    async with (
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("q1") as sender,
        client.get_queue_receiver("q1") as receiver,
        client.get_queue_receiver("q1", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead,
    ):
        yield World(broker, client, sender, receiver, dead)
    await broker.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def world(opened: World) -> AsyncIterator[World]:
    yield opened
    assert opened.counts() == EMPTY
