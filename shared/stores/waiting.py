"""Opt-out hints that wait in Service Bus, wherever that may be: looked at, never taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from shared.domain.change import Lane
from shared.ports import BusUnavailableError
from shared.stores.letter import Box, from_message, number_of
from shared.stores.service_bus import close_quietly

PAGE = 250
STEP_TIMEOUT_S = 15.0
PLACES = ((Lane.OPTOUT, None), (Lane.OPTOUT, ServiceBusSubQueue.DEAD_LETTER), (Lane.PARKED, None))


class QueuedOptOuts:
    """Implements `shared.ports.optouts.WaitingOptOuts`. The client stays the caller's."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client

    async def bodies(self) -> AsyncIterator[bytes]:
        """The lane (scheduled messages, too), its dead letters, and what of it was parked."""
        for queue, sub_queue in PLACES:
            async for message in self._messages(queue, sub_queue):
                letter = from_message(Box(queue, "parked"), message)
                if letter.lane is Lane.OPTOUT:
                    yield letter.body

    async def _messages(
        self, queue: Lane, sub_queue: ServiceBusSubQueue | None
    ) -> AsyncIterator[ServiceBusReceivedMessage]:
        receiver = self._client.get_queue_receiver(queue, sub_queue=sub_queue)
        try:
            first = 1
            while page := await _page(receiver, queue, first):
                for message in page:
                    yield message
                first = number_of(page[-1]) + 1
        finally:
            await close_quietly(receiver, queue)


async def _page(receiver: ServiceBusReceiver, queue: Lane, first: int) -> Sequence[ServiceBusReceivedMessage]:
    """The client library can wait for ever, and raises a wide range of types."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            return await receiver.peek_messages(max_message_count=PAGE, sequence_number=first)
    except Exception as error:
        raise BusUnavailableError(f"{queue}: {type(error).__name__}") from error
