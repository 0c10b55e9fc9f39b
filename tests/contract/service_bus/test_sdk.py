"""The unmodified azure-servicebus SDK (asyncio) does everything the bridge needs, end to end.

One client, sender and receiver serve all tests of this module, because opening one costs the SDK half a second. Each
test leaves the queue as empty as it found it.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
)

from tests.contract.service_bus.sdk_world import WAIT_S, World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]


async def test_send_receive_complete_with_all_properties(world: World) -> None:
    sent = ServiceBusMessage(
        b"\x00bytes",
        message_id="m-1",
        correlation_id="c-1",
        subject="contact",
        content_type="application/json",
        application_properties={"text": "é", "int": 7, "bool": True, "id": uuid.UUID(int=1)},
    )
    before = datetime.now(UTC) - timedelta(seconds=1)
    await world.send(sent)
    got = await world.receive()
    assert b"".join(got.body) == b"\x00bytes"
    assert (got.message_id, got.correlation_id, got.subject) == ("m-1", "c-1", "contact")
    assert got.content_type == "application/json"
    assert got.application_properties == {
        b"text": "é".encode(),
        b"int": 7,
        b"bool": True,
        b"id": uuid.UUID(int=1),
    }
    assert got.delivery_count == 0
    assert got.sequence_number is not None
    assert got.enqueued_time_utc is not None
    assert before < got.enqueued_time_utc < datetime.now(UTC) + timedelta(seconds=1)
    assert got.locked_until_utc is not None
    assert 0 < (got.locked_until_utc - datetime.now(UTC)).total_seconds() <= 2
    assert world.counts()["locked"] == 1
    await world.receiver.complete_message(got)


async def test_an_abandoned_message_is_redelivered_with_its_count(world: World) -> None:
    await world.send(ServiceBusMessage("again"))
    for count in (0, 1):
        got = await world.receive()
        assert (str(got), got.delivery_count) == ("again", count)
        if count == 0:
            await world.receiver.abandon_message(got)
    await world.receiver.complete_message(got)


async def test_the_third_abandon_makes_a_dead_letter(world: World) -> None:
    await world.send(ServiceBusMessage("poison"))
    for _ in range(3):
        await world.receiver.abandon_message(await world.receive())
    (dead,) = await world.dead.receive_messages(max_wait_time=WAIT_S)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    await world.dead.complete_message(dead)


async def test_a_dead_letter_is_replayed_with_its_properties(world: World) -> None:
    await world.send(ServiceBusMessage("bad", message_id="m-dead", application_properties={"kind": "contact", "n": 1}))
    got = await world.receive()
    await world.receiver.dead_letter_message(got, reason="EngineError", error_description="no such field")
    assert world.counts()["dead"] == 1
    (peeked,) = await world.dead.peek_messages()
    assert peeked.dead_letter_reason == "EngineError"
    (dead,) = await world.dead.receive_messages(max_wait_time=WAIT_S)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("EngineError", "no such field")
    assert dead.sequence_number == got.sequence_number
    kept: dict[str | bytes, Any] = {
        key: value for key, value in (dead.application_properties or {}).items() if key in (b"kind", b"n")
    }
    await world.send(ServiceBusMessage(b"".join(dead.body), message_id="m-replay", application_properties=kept))
    await world.dead.complete_message(dead)
    again = await world.receive()
    assert (str(again), again.application_properties) == ("bad", {b"kind": b"contact", b"n": 1})
    await world.receiver.complete_message(again)


async def test_a_deferred_message_waits_for_its_number(world: World) -> None:
    await world.send(ServiceBusMessage("parent first"))
    got = await world.receive()
    await world.receiver.defer_message(got)
    assert world.counts()["deferred"] == 1
    assert got.sequence_number is not None
    (deferred,) = await world.receiver.receive_deferred_messages(got.sequence_number)
    assert str(deferred) == "parent first"
    with pytest.raises(MessageNotFoundError):
        await world.receiver.receive_deferred_messages(got.sequence_number)
    await world.receiver.renew_message_lock(deferred)
    await world.receiver.complete_message(deferred)


async def test_a_deferred_message_can_be_dead_lettered_and_deferred_in_the_sub_queue(world: World) -> None:
    await world.send(ServiceBusMessage("give up"))
    got = await world.receive()
    await world.receiver.defer_message(got)
    assert got.sequence_number is not None
    (deferred,) = await world.receiver.receive_deferred_messages(got.sequence_number)
    await world.receiver.dead_letter_message(deferred, reason="Gone", error_description="parent deleted")
    (dead,) = await world.dead.receive_messages(max_wait_time=WAIT_S)
    await world.dead.defer_message(dead)
    (again,) = await world.dead.receive_deferred_messages(got.sequence_number)
    assert again.dead_letter_reason == "Gone"
    await world.dead.complete_message(again)


async def test_scheduled_messages_come_in_time_unless_cancelled(world: World) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.6)
    numbers = await world.sender.schedule_messages([ServiceBusMessage("kept"), ServiceBusMessage("cancelled")], due)
    assert world.counts()["scheduled"] == 2
    await world.sender.cancel_scheduled_messages(numbers[1])
    with pytest.raises(MessageNotFoundError):
        await world.sender.cancel_scheduled_messages(numbers[1])
    got = await world.receive()
    assert str(got) == "kept"
    assert due <= datetime.now(UTC) < due + timedelta(seconds=1)
    await world.receiver.complete_message(got)


async def test_a_lock_is_renewed_and_a_lost_one_is_told(world: World) -> None:
    await world.send(ServiceBusMessage("slow"))
    got = await world.receive()
    await asyncio.sleep(1.2)
    until = await world.receiver.renew_message_lock(got)
    assert until > datetime.now(UTC) + timedelta(seconds=1.5)
    await asyncio.sleep(1.2)
    assert world.counts()["locked"] == 1
    await asyncio.sleep(1)
    with pytest.raises(MessageLockLostError):
        await world.receiver.complete_message(got)
    again = await world.receive()
    assert again.delivery_count == 1
    await world.receiver.complete_message(again)


async def test_a_duplicate_is_accepted_and_dropped(world: World) -> None:
    for text in ("first", "second"):
        await world.send(ServiceBusMessage(text, message_id="same"))
    assert world.counts()["active"] == 1
    got = await world.receive()
    assert str(got) == "first"
    await world.receiver.complete_message(got)


async def test_a_batch_of_a_hundred_arrives_whole_and_in_order(world: World) -> None:
    batch = await world.sender.create_message_batch()
    assert batch.max_size_in_bytes == 256 * 1024
    for number in range(100):
        batch.add_message(ServiceBusMessage(str(number), application_properties={"n": number}))
    await world.sender.send_messages(batch, timeout=WAIT_S)
    peeked = await world.receiver.peek_messages(max_message_count=3, sequence_number=1)
    assert [(str(one), one.state) for one in peeked] == [(str(n), ServiceBusMessageState.ACTIVE) for n in range(3)]
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < 100:
        got += await world.receiver.receive_messages(max_message_count=100, max_wait_time=WAIT_S)
    assert [str(one) for one in got] == [str(number) for number in range(100)]
    for one in got:
        await world.receiver.complete_message(one)


async def test_peek_shows_other_states_and_nothing_gives_an_empty_list(world: World) -> None:
    assert await world.receiver.peek_messages(sequence_number=1) == []
    await world.sender.schedule_messages(ServiceBusMessage("x"), datetime.now(UTC) + timedelta(hours=1))
    (peeked,) = await world.receiver.peek_messages(sequence_number=1)
    assert peeked.state == ServiceBusMessageState.SCHEDULED
    assert peeked.sequence_number is not None
    await world.sender.cancel_scheduled_messages(peeked.sequence_number)
