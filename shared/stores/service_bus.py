"""The lanes on Azure Service Bus: durable sends over one connection a lane that is kept open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError

from shared.domain.change import Lane
from shared.ports import BusUnavailableError, Outgoing

logger = logging.getLogger(f"bridge.{__name__}")

SEND_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 3.0


class MessageTooLargeError(ValueError):
    """One message is larger than its lane takes; sending it again cannot help."""


def service_bus_client(
    connection_string: str | None = None, namespace: str | None = None, credential: AsyncTokenCredential | None = None
) -> ServiceBusClient:
    """A client by connection string, or by namespace (`NAME.servicebus.windows.net`) and identity.

    The caller closes it. Raises ValueError if neither is complete.
    """
    if connection_string:
        return ServiceBusClient.from_connection_string(connection_string, retry_total=1, retry_backoff_factor=0.2)
    if namespace and credential:
        return ServiceBusClient(namespace, credential, retry_total=1, retry_backoff_factor=0.2)
    raise ValueError("Service Bus: a connection string, or a namespace and a credential")


class ServiceBusLanes:
    """Implements `shared.ports.Bus`.

    Opening a sender takes half a second, so each lane keeps its own; after any failure it is replaced. A send whose
    outcome is not known counts as failed: the caller repeats it, and the lane's duplicate detection drops the second.
    The client library can wait for ever in some failures: every step has a time limit here, waiting for one's turn
    included, so that in an outage everybody has an answer soon after `timeout_s`.
    """

    def __init__(self, client: ServiceBusClient, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._senders: dict[Lane, ServiceBusSender] = {}
        self._locks = {lane: asyncio.Lock() for lane in Lane}

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """As few transfers as the lane's size limit allows. Raises BusUnavailableError, MessageTooLargeError."""
        if not messages:
            return
        try:
            async with asyncio.timeout(self._timeout_s), self._locks[lane]:
                await self._send(lane, [_message(outgoing) for outgoing in messages])
        except MessageSizeExceededError as error:
            raise MessageTooLargeError(f"{lane}: one message is larger than the queue takes") from error
        except Exception as error:  # the library and its transports raise a wide range of types
            raise BusUnavailableError(f"{lane}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the senders. The client stays open: it belongs to the caller."""
        for lane in list(self._senders):
            await self._drop(lane)

    async def _send(self, lane: Lane, messages: list[ServiceBusMessage]) -> None:
        try:
            sender = await self._sender(lane)
            if len(messages) == 1:
                await sender.send_messages(messages[0])
            else:
                await _send_batches(sender, messages)
        except BaseException:  # also when cancelled: a sender left in mid-frame cannot be used again
            await self._drop(lane)
            raise

    async def _sender(self, lane: Lane) -> ServiceBusSender:
        if lane not in self._senders:
            self._senders[lane] = self._client.get_queue_sender(lane)
            await self._senders[lane].__aenter__()
        return self._senders[lane]

    async def _drop(self, lane: Lane) -> None:
        sender = self._senders.pop(lane, None)
        if sender is not None:
            await close_quietly(sender, lane)


async def close_quietly(end: ServiceBusSender | ServiceBusReceiver, queue: Lane) -> None:
    """Close what is no longer needed: it may fail in any way or hang, and nothing depends on it."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await end.close()
    except Exception as error:  # noqa: BLE001 - the library and its transports raise a wide range of types
        logger.info("%s: closing a link: %s", queue, type(error).__name__)


async def _send_batches(sender: ServiceBusSender, messages: Iterable[ServiceBusMessage]) -> None:
    batch = await sender.create_message_batch()
    for message in messages:
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            if len(batch) == 0:
                raise
            await sender.send_messages(batch)
            batch = await sender.create_message_batch()
            batch.add_message(message)
    await sender.send_messages(batch)


def _message(outgoing: Outgoing) -> ServiceBusMessage:
    properties: Any = dict(outgoing.properties)
    return ServiceBusMessage(
        outgoing.body,
        message_id=outgoing.message_id,
        scheduled_enqueue_time_utc=outgoing.enqueue_at,
        application_properties=properties,
        content_type="application/json",
    )
