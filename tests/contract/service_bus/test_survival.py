"""A broker process that is killed without warning loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient

from sandbox.service_bus.amqp.performatives import Disposition
from tests.contract.service_bus.building import raw_message
from tests.contract.service_bus.raw_peer import RawPeer, attach

ROOT = Path(__file__).parents[3]
SENT, COMPLETED, LOCKED = 300, 40, 20
pytestmark = pytest.mark.timeout(60)


async def serve(*options: str) -> tuple[asyncio.subprocess.Process, str]:
    """A broker process and its connection string."""
    command = (sys.executable, "-m", "sandbox.service_bus", "--port", "0", *options)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    return process, line.decode().strip()


async def end(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    if process.returncode is None:
        process.send_signal(number)
    await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode is not None
    return process.returncode


@pytest.fixture
def options(tmp_path: Path) -> tuple[str, ...]:
    queues = tmp_path / "queues.json"
    queues.write_text(json.dumps({"queues": [{"name": "q1", "lockDuration": "PT5M"}]}), encoding="utf-8")
    return ("--queues", str(queues), "--store", str(tmp_path / "bus.db"))


def port_of(connection: str) -> int:
    found = re.search(r"localhost:(\d+)", connection)
    assert found
    return int(found[1])


@contextlib.asynccontextmanager
async def client(connection: str) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(connection, retry_total=0) as opened:
        yield opened


async def fill_and_leave_locked(connection: str) -> set[str]:
    """Sends SENT messages, completes some, leaves some locked, and returns the texts of those completed."""
    async with client(connection) as opened:
        async with opened.get_queue_sender("q1") as sender:
            for start in range(0, SENT, 100):
                messages = [ServiceBusMessage(str(number)) for number in range(start, start + 100)]
                await sender.send_messages(messages, timeout=5)
        receiver = opened.get_queue_receiver("q1")
        got: list[ServiceBusReceivedMessage] = []
        while len(got) < COMPLETED + LOCKED:
            got += await receiver.receive_messages(COMPLETED + LOCKED - len(got), max_wait_time=5)
        for one in got[:COMPLETED]:
            await receiver.complete_message(one)
        return {str(one) for one in got[:COMPLETED]}


async def drained(connection: str) -> list[str]:
    texts: list[str] = []
    async with client(connection) as opened, opened.get_queue_receiver("q1") as receiver:
        while got := await receiver.receive_messages(100, max_wait_time=1):
            for one in got:
                await receiver.complete_message(one)
            texts += [str(one) for one in got]
    return texts


async def test_kill_9_loses_nothing_doubles_nothing_and_brings_nothing_back(options: tuple[str, ...]) -> None:
    process, connection = await serve(*options)
    try:
        completed = await fill_and_leave_locked(connection)
    finally:
        await end(process, signal.SIGKILL)
    process, connection = await serve(*options)
    try:
        left = await drained(connection)
    finally:
        assert await end(process, signal.SIGTERM) == 0
    assert len(left) == SENT - COMPLETED
    assert set(left) == {str(number) for number in range(SENT)} - completed


async def test_every_confirmed_send_survives_a_kill_in_the_middle_of_sending(options: tuple[str, ...]) -> None:
    """All sends are on their way at once, and the broker dies at the 50th confirmation."""
    process, connection = await serve(*options)
    peer = await RawPeer.opened(port_of(connection))
    await peer.authorize("")
    peer.send(attach(1, source="me", target="q1", receiver=False))
    for number in range(SENT):
        peer.transfer(1, number, raw_message(str(number)))
    confirmed = 0
    with contextlib.suppress(ConnectionError):
        while True:
            await peer.expect(Disposition, lambda one: one.first < SENT)
            confirmed += 1
            if confirmed == 50:
                process.kill()
    await end(process, signal.SIGKILL)
    await peer.close()
    process, connection = await serve(*options)
    try:
        left = await drained(connection)
    finally:
        await end(process, signal.SIGTERM)
    assert confirmed >= 50
    assert confirmed <= len(left) <= SENT
    assert left == [str(number) for number in range(len(left))]


async def test_a_queue_list_with_a_mistake_ends_with_code_2_and_the_reason(tmp_path: Path) -> None:
    queues = tmp_path / "queues.json"
    queues.write_text('{"queues": [{"name": "q", "requiresSession": true}]}', encoding="utf-8")
    command = (sys.executable, "-m", "sandbox.service_bus", "--queues", str(queues))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    _, error = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"requiresSession" in error
