"""Starting, stopping and disturbing a whole broker, seen through a raw peer."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from sandbox.service_bus import Broker, BrokerError, QueueSettings, start
from sandbox.service_bus.amqp.performatives import Attach, Disposition, Flow, Transfer
from sandbox.service_bus.amqp.types import UInt
from tests.contract.service_bus.building import START_MS, HandClock, body_of, raw_message
from tests.contract.service_bus.raw_peer import RawPeer, attach


async def receiver(broker: Broker, credit: int = 10) -> RawPeer:
    peer = await RawPeer.opened(broker.port)
    await peer.authorize("q1")
    peer.send(attach(2, source="q1", target="me", receiver=True))
    peer.send(Flow(UInt(0), UInt(5000), UInt(0), UInt(5000), UInt(2), UInt(0), UInt(credit)))
    await peer.expect(Attach, lambda answer: answer.handle == 2)
    return peer


async def send(peer: RawPeer, *contents: bytes) -> None:
    peer.send(attach(1, source="me", target="q1", receiver=False))
    for number, content in enumerate(contents):
        peer.transfer(1, number, content)
    for number in range(len(contents)):
        await peer.expect(Disposition, partial(_confirms, number))


def _confirms(number: int, disposition: Disposition) -> bool:
    return disposition.first == number and disposition.role


async def delivered(peer: RawPeer) -> str:
    return body_of((await peer.expect(Transfer, lambda transfer: transfer.handle == 2)).payload)


async def test_a_clock_that_jumps_wakes_schedules_and_locks() -> None:
    clock = HandClock()
    broker = await start([QueueSettings("q1")], now=clock.now)
    peer = await receiver(broker)
    await send(peer, raw_message("later", scheduled_ms=START_MS + 3_600_000))
    assert broker.counts()["q1"]["scheduled"] == 1
    clock.pass_s(3600)
    assert await delivered(peer) == "later"
    clock.pass_s(60)
    assert await delivered(peer) == "later"
    await peer.close()
    await broker.stop()


async def test_a_lock_outlives_its_connection_until_it_expires() -> None:
    clock = HandClock()
    broker = await start([QueueSettings("q1")], now=clock.now)
    first = await receiver(broker)
    await send(first, raw_message("kept"))
    await delivered(first)
    await first.close()
    second = await receiver(broker)
    assert broker.counts()["q1"]["locked"] == 1
    clock.pass_s(60)
    assert await delivered(second) == "kept"
    await second.close()
    await broker.stop()


async def test_messages_wait_in_the_file_for_the_next_start(tmp_path: Path) -> None:
    queues, store = [QueueSettings("q1"), QueueSettings("other")], tmp_path / "bus.db"
    broker = await start(queues, store=store)
    peer = await RawPeer.opened(broker.port)
    await peer.authorize("")
    await send(peer, raw_message("a"), raw_message("b"))
    await peer.close()
    await broker.stop()
    broker = await start(queues, store=store)
    assert broker.counts()["q1"]["active"] == 2
    peer = await receiver(broker)
    assert [await delivered(peer), await delivered(peer)] == ["a", "b"]
    await peer.close()
    await broker.stop()


async def test_a_taken_port_and_a_queue_named_twice_are_errors(tmp_path: Path) -> None:
    broker = await start([QueueSettings("q1")])
    with pytest.raises(OSError, match="in use"):
        await start([QueueSettings("q1")], port=broker.port, store=tmp_path / "bus.db")
    with pytest.raises(ValueError, match="name"):
        await start([QueueSettings("a"), QueueSettings("A")], store=tmp_path / "bus.db")
    with pytest.raises(BrokerError, match="nowhere"):
        broker.refuse("nowhere")
    await broker.stop()


async def test_stop_does_not_wait_for_a_peer_that_does_not_read() -> None:
    broker = await start([QueueSettings("q1")])
    _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    await asyncio.wait_for(broker.stop(), 5)
    writer.close()
