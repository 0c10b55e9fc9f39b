"""A broker with the SDK objects that all tests of a module share, because opening one costs half a second."""

from __future__ import annotations

from dataclasses import dataclass

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from sandbox.service_bus import Broker

WAIT_S = 5.0
EMPTY = {"active": 0, "scheduled": 0, "deferred": 0, "locked": 0, "dead": 0}


@dataclass(frozen=True)
class World:
    broker: Broker
    client: ServiceBusClient
    sender: ServiceBusSender
    receiver: ServiceBusReceiver
    dead: ServiceBusReceiver

    async def send(self, *messages: ServiceBusMessage) -> None:
        await self.sender.send_messages(list(messages) if len(messages) > 1 else messages[0], timeout=WAIT_S)

    async def receive(self) -> ServiceBusReceivedMessage:
        (message,) = await self.receiver.receive_messages(max_message_count=1, max_wait_time=WAIT_S)
        return message

    def counts(self) -> dict[str, int]:
        return self.broker.counts()["q1"]
