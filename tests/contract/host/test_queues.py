"""Service Bus triggers against the sandbox's own broker, through the unmodified SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessage as Message
from azure.functions.servicebus import ServiceBusMessageInConverter
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

from sandbox.host import Host
from sandbox.service_bus import Broker, QueueSettings
from sandbox.service_bus import start as start_broker
from tests.contract.host.conftest import StartHost, soon

pytestmark = pytest.mark.timeout(60)

QUEUES = [
    QueueSettings(name="work", max_delivery_count=3),
    QueueSettings(name="short", lock_duration_s=2, max_delivery_count=3),
]

# A message says by its body what shall happen to it.
APP = """
seen, gate = [], asyncio.Event()

async def work(msg: func.ServiceBusMessage) -> None:
    seen.append(msg)
    command = msg.get_body()
    if command == b"wait":
        await gate.wait()
    elif command.startswith(b"sleep "):
        await asyncio.sleep(float(command[6:]))
    elif command == b"fail" or (command == b"fail once" and msg.delivery_count == 1):
        raise ValueError("told to")

@app.service_bus_queue_trigger(arg_name="msg", queue_name="%QUEUE%", connection="Bus", data_type=func.DataType.BINARY)
async def handler(msg: func.ServiceBusMessage, context: func.Context) -> None:
    await work(msg)
"""


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    running = await start_broker(QUEUES)
    yield running
    await running.stop()


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
async def sender(client: ServiceBusClient) -> AsyncIterator[ServiceBusSender]:
    async with client.get_queue_sender("work") as sender:
        yield sender


def second(queue: str) -> str:
    return f"""
others = []
@app.service_bus_queue_trigger(arg_name="msg", queue_name="{queue}", connection="Bus", data_type=func.DataType.BINARY)
async def other(msg: func.ServiceBusMessage) -> None:
    others.append(msg)
"""


def settings(broker: Broker, queue: str = "work") -> dict[str, str]:
    return {"QUEUE": queue, "Bus": broker.connection_string}


def is_empty(broker: Broker, queue: str = "work") -> bool:
    counts = broker.counts()[queue]
    return counts["active"] == counts["locked"] == 0


async def test_message_arrives_with_its_metadata_and_is_completed(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    host = await start_host(APP, settings(broker))
    await sender.send_messages(
        ServiceBusMessage(
            b'{"DeliveryCount": "x", "CorrelationId": "the body\'s"}',
            message_id="m-1",
            correlation_id="c-1",
            content_type="application/json",
            subject="s-1",
            to="t-1",
            reply_to="r-1",
            time_to_live=timedelta(hours=1),
            application_properties={"text": "ä", "number": 7, "flag": True},
        )
    )
    await soon(lambda: host.app_module.seen and is_empty(broker))
    (message,) = host.app_module.seen
    assert type(message).__module__ == "azure.functions.servicebus"
    assert message.get_body() == b'{"DeliveryCount": "x", "CorrelationId": "the body\'s"}'
    assert (message.message_id, message.correlation_id) == ("m-1", "c-1")
    assert (message.content_type, message.subject, message.label) == ("application/json", "s-1", "s-1")
    assert (message.to, message.reply_to) == ("t-1", "r-1")
    assert message.delivery_count == 1
    assert message.sequence_number == 1
    assert message.lock_token
    assert message.application_properties == {"text": "ä", "number": 7, "flag": True}
    assert message.user_properties == message.application_properties
    assert message.enqueued_time_utc.tzinfo is None
    age = datetime.now(UTC) - message.enqueued_time_utc.replace(tzinfo=UTC)
    assert timedelta(seconds=-1) < age < timedelta(seconds=30)
    assert message.expires_at_utc == message.enqueued_time_utc + timedelta(hours=1)
    assert message.metadata["MessageId"] == "m-1"
    assert_equals_what_the_converter_makes(message)
    assert (message.scheduled_enqueue_time_utc, message.locked_until, message.session_id) == (None, None, None)
    assert host.invoker.statistics["handler"].invocations == 1
    assert broker.counts()["work"]["dead"] == 0


async def test_exception_means_redelivery_and_in_the_end_the_dead_letter_queue(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    host = await start_host(APP, settings(broker))
    await sender.send_messages([ServiceBusMessage(b"fail", message_id="a"), ServiceBusMessage(b"fail once")])
    await soon(lambda: broker.counts()["work"]["dead"] == 1 and is_empty(broker))
    deliveries = [(m.get_body(), m.delivery_count) for m in host.app_module.seen]
    assert sorted(deliveries) == [(b"fail", 1), (b"fail", 2), (b"fail", 3), (b"fail once", 1), (b"fail once", 2)]
    assert host.invoker.statistics["handler"].failures == 4


async def test_the_dead_letter_queue_can_be_a_trigger(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    host = await start_host(APP + second("%QUEUE%/$DeadLetterQueue"), settings(broker))
    await sender.send_messages(ServiceBusMessage(b"fail"))
    await soon(lambda: host.app_module.others)
    (message,) = host.app_module.others
    assert message.get_body() == b"fail"
    assert message.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"


async def test_several_in_flight_up_to_max_concurrent_calls(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    host = await start_host(APP, settings(broker), host_json={"extensions": {"serviceBus": {"maxConcurrentCalls": 3}}})
    await sender.send_messages([ServiceBusMessage(b"wait") for _ in range(5)])
    await soon(lambda: host.invoker.in_flight == 3)
    await asyncio.sleep(0.3)
    assert host.invoker.in_flight == 3
    host.app_module.gate.set()
    await soon(lambda: is_empty(broker))
    assert len(host.app_module.seen) == 5


async def test_a_receiver_takes_several_messages_of_a_backlog_and_all_together_no_more_than_may_be_in_flight(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    await sender.send_messages([ServiceBusMessage(b"wait") for _ in range(60)])
    await asyncio.sleep(0.6)  # what came just now is no backlog
    host = await start_host(APP, settings(broker), host_json={"extensions": {"serviceBus": {"maxConcurrentCalls": 40}}})
    await soon(lambda: host.invoker.in_flight == 32, 20)  # 16 receivers of two each
    await asyncio.sleep(0.3)
    assert host.invoker.in_flight == 32
    host.app_module.gate.set()
    await soon(lambda: is_empty(broker), 20)
    assert len(host.app_module.seen) == 60


async def test_two_queues_do_not_hold_each_other_up(
    broker: Broker, start_host: StartHost, client: ServiceBusClient
) -> None:
    source = APP + second("short")
    host = await start_host(
        source, settings(broker), host_json={"extensions": {"serviceBus": {"maxConcurrentCalls": 1}}}
    )
    async with client.get_queue_sender("work") as slow, client.get_queue_sender("short") as quick:
        await slow.send_messages(ServiceBusMessage(b"wait"))
        await soon(lambda: host.app_module.seen)
        await quick.send_messages([ServiceBusMessage(b"x") for _ in range(3)])
        await soon(lambda: len(host.app_module.others) == 3)
    host.app_module.gate.set()


async def test_a_lock_is_renewed_while_the_call_lasts(
    broker: Broker, start_host: StartHost, client: ServiceBusClient
) -> None:
    host = await start_host(APP, settings(broker, "short"))
    async with client.get_queue_sender("short") as sender:
        await sender.send_messages(ServiceBusMessage(b"sleep 5"))
        await soon(lambda: host.app_module.seen)
        await soon(lambda: is_empty(broker, "short"))
    assert [m.delivery_count for m in host.app_module.seen] == [1]
    assert host.invoker.statistics["handler"].failures == 0


async def test_renewal_ends_at_the_configured_limit(
    broker: Broker, start_host: StartHost, client: ServiceBusClient
) -> None:
    host = await start_host(
        APP,
        settings(broker, "short"),
        host_json={"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "00:00:00"}}},
    )
    async with client.get_queue_sender("short") as sender:
        await sender.send_messages(ServiceBusMessage(b"wait"))
        await soon(lambda: len(host.app_module.seen) == 2)
    assert [m.delivery_count for m in host.app_module.seen] == [1, 2]
    host.app_module.gate.set()
    await soon(lambda: is_empty(broker, "short"))


async def test_a_function_timeout_abandons(broker: Broker, start_host: StartHost, sender: ServiceBusSender) -> None:
    host = await start_host(APP, settings(broker), host_json={"functionTimeout": "00:00:00.2"})
    await sender.send_messages(ServiceBusMessage(b"wait"))
    await soon(lambda: broker.counts()["work"]["dead"] == 1)
    assert [m.delivery_count for m in host.app_module.seen] == [1, 2, 3]


async def test_stop_lets_calls_finish_and_leaves_no_task_and_no_lock(
    broker: Broker, start_host: StartHost, sender: ServiceBusSender
) -> None:
    tasks = asyncio.all_tasks()
    host = await start_host(APP, settings(broker), host_json={"extensions": {"serviceBus": {"prefetchCount": 20}}})
    await sender.send_messages([ServiceBusMessage(b"sleep 0.5") for _ in range(40)])
    await soon(lambda: host.invoker.in_flight)
    await host.stop()
    counts = broker.counts()["work"]
    done = host.invoker.statistics["handler"].invocations
    assert 0 < done < 40
    assert counts["active"] == 40 - done
    assert counts["locked"] == 0
    assert {task for task in asyncio.all_tasks() - tasks if "receiver" in task.get_name()} == set()


async def test_drain_stops_receiving(broker: Broker, start_host: StartHost, sender: ServiceBusSender) -> None:
    host = await start_host(APP, settings(broker))
    await sender.send_messages(ServiceBusMessage(b"x"))
    await soon(lambda: host.app_module.seen)
    host.drain()
    await asyncio.sleep(0.7)
    await sender.send_messages(ServiceBusMessage(b"y"))
    await asyncio.sleep(0.5)
    assert len(host.app_module.seen) == 1
    assert broker.counts()["work"]["active"] == 1


async def test_recovers_when_the_broker_goes_away_and_returns(start_host: StartHost, tmp_path: Path) -> None:
    store = tmp_path / "bus.db"
    broker = await start_broker(QUEUES, store=store)
    host = await start_host(APP, settings(broker))
    for name in ("before", "after"):
        if name == "after":
            await broker.stop()
            await asyncio.sleep(1.5)
            broker = await start_broker(QUEUES, port=broker.port, store=store)
        async with (
            ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
            client.get_queue_sender("work") as sender,
        ):
            await sender.send_messages(ServiceBusMessage(name.encode()))
        await soon(partial(was_seen, host, name.encode()), seconds=20)
    await host.stop()
    await broker.stop()


async def test_starts_before_the_broker(broker: Broker, start_host: StartHost) -> None:
    port, text = broker.port, broker.connection_string
    await broker.stop()
    host = await start_host(APP, {"QUEUE": "work", "Bus": text})
    await asyncio.sleep(0.5)
    again = await start_broker(QUEUES, port=port)
    async with (
        ServiceBusClient.from_connection_string(text, retry_total=0) as client,
        client.get_queue_sender("work") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(b"x"))
    await soon(lambda: host.app_module.seen, seconds=20)
    await host.stop()
    await again.stop()


def assert_equals_what_the_converter_makes(message: Message) -> None:
    """Read the same metadata with the library's own converter, as Azure's worker does, and compare every property."""
    assert message.metadata is not None
    metadata = {
        name: Datum(value, "string") if isinstance(value, str) else Datum(json.dumps(value), "json")
        for name, value in message.metadata.items()
    }
    expected = ServiceBusMessageInConverter.decode_single_message(
        Datum(message.get_body(), "bytes"), trigger_metadata=metadata
    )
    names = [name for name, value in vars(Message).items() if isinstance(value, property)]
    assert len(names) > 20
    for name in set(names) - {"force_persistence"}:
        assert getattr(message, name) == getattr(expected, name), name


def was_seen(host: Host, body: bytes) -> bool:
    return body in [message.get_body() for message in host.app_module.seen]
