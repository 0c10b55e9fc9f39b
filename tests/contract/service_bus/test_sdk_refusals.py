"""What the unmodified azure-servicebus SDK makes of refusals, closed receivers and a broker that goes away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceiveMode,
)
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
    ServiceBusServerBusyError,
    SessionCannotBeLockedError,
)

from tests.contract.service_bus.sdk_world import EMPTY, WAIT_S, World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]


async def test_a_message_too_large_is_told_for_send_and_schedule(world: World) -> None:
    too_large = ServiceBusMessage(b"x" * 256 * 1024)
    with pytest.raises(MessageSizeExceededError):
        await world.send(too_large)
    with pytest.raises(MessageSizeExceededError):
        await world.sender.schedule_messages(too_large, datetime.now(UTC) + timedelta(hours=1))
    await world.send(ServiceBusMessage(b"y" * 250_000))
    got = await world.receive()
    assert b"".join(got.body) == b"y" * 250_000
    await world.receiver.complete_message(got)


async def test_refused_sends_are_server_busy_until_accepted(world: World) -> None:
    world.broker.refuse("q1")
    with pytest.raises(ServiceBusServerBusyError):
        await world.send(ServiceBusMessage("x"))
    with pytest.raises(ServiceBusServerBusyError):
        await world.sender.schedule_messages(ServiceBusMessage("x"), datetime.now(UTC))
    world.broker.accept()
    await world.send(ServiceBusMessage("y"))
    await world.receiver.complete_message(await world.receive())


async def test_receive_and_delete(world: World) -> None:
    await world.send(ServiceBusMessage("once"))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with world.client.get_queue_receiver("q1", receive_mode=mode) as receiver:
        (got,) = await receiver.receive_messages(max_wait_time=WAIT_S)
        assert str(got) == "once"
        assert world.counts() == EMPTY


async def test_closing_a_receiver_gives_back_what_it_had_buffered(world: World) -> None:
    async with world.client.get_queue_receiver("q2", prefetch_count=10) as receiver:
        async with world.client.get_queue_sender("q2") as sender:
            await sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)], timeout=WAIT_S)
        (first,) = await receiver.receive_messages(max_message_count=1, max_wait_time=WAIT_S)
        await receiver.complete_message(first)
    assert world.broker.counts()["q2"] == EMPTY | {"active": 4}


async def test_a_wrong_key_is_an_authentication_error(world: World) -> None:
    wrong = world.broker.connection_string.replace("SharedAccessKey=", "SharedAccessKey=not-")
    async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await client.get_queue_sender("q1").send_messages(ServiceBusMessage("x"), timeout=WAIT_S)


async def test_an_unknown_queue_is_not_found(world: World) -> None:
    with pytest.raises(MessagingEntityNotFoundError):
        await world.client.get_queue_sender("nowhere").send_messages(ServiceBusMessage("x"), timeout=WAIT_S)


async def test_sessions_and_topics_are_refused_at_once(world: World) -> None:
    with pytest.raises(ServiceBusError, match="session") as caught:
        await world.client.get_queue_receiver("q1", session_id="s").receive_messages(max_wait_time=WAIT_S)
    assert not isinstance(caught.value, SessionCannotBeLockedError)
    with pytest.raises(ServiceBusError, match="plain queues only"):
        await world.client.get_subscription_receiver("t", "s").receive_messages(max_wait_time=WAIT_S)


async def test_sender_and_receiver_survive_a_broker_that_was_down(world: World) -> None:
    world.broker.drop()
    world.broker.accept()
    async with ServiceBusClient.from_connection_string(world.broker.connection_string, retry_total=3) as client:
        sender, receiver = client.get_queue_sender("q1"), client.get_queue_receiver("q1")
        await sender.send_messages(ServiceBusMessage("before"), timeout=WAIT_S)
        world.broker.drop()
        world.broker.accept()
        await sender.send_messages(ServiceBusMessage("after"), timeout=WAIT_S)
        texts: list[str] = []
        while len(texts) < 2:
            for got in await receiver.receive_messages(max_wait_time=WAIT_S):
                texts.append(str(got))
                await receiver.complete_message(got)
        assert texts == ["before", "after"]
        await sender.close()
        await receiver.close()
