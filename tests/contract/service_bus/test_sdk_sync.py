"""The SDK's blocking client works as its asyncio client does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from sandbox.service_bus import Broker, QueueSettings, start

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Runs in a thread of its own, as the client blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(start([QueueSettings("q1")]), loop).result(5)
    yield running
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_send_settle_peek_and_replay(broker: Broker) -> None:
    with (
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("q1") as sender,
        client.get_queue_receiver("q1") as receiver,
        client.get_queue_receiver("q1", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead,
    ):
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(4)], timeout=5)
        assert [str(one) for one in receiver.peek_messages(4)] == ["0", "1", "2", "3"]
        settle = (receiver.complete_message, receiver.abandon_message, receiver.dead_letter_message)
        for action in settle:
            (got,) = receiver.receive_messages(max_message_count=1, max_wait_time=5)
            action(got)
        (abandoned_again,) = receiver.receive_messages(max_message_count=1, max_wait_time=5)
        receiver.renew_message_lock(abandoned_again)
        receiver.defer_message(abandoned_again)
        (letter,) = dead.receive_messages(max_message_count=1, max_wait_time=5)
        assert str(letter) == "1"
        dead.complete_message(letter)
    assert broker.counts()["q1"] == {"active": 1, "scheduled": 0, "deferred": 1, "locked": 0, "dead": 0}
