"""Messages that wait for a person: listing, replaying and discarding what is dead-lettered or parked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from shared.domain.change import Lane
from shared.ports import Bus, BusUnavailableError, Outgoing
from shared.stores.letter import Box, DeadLetter, Place, body_of, from_message, number_of
from shared.stores.service_bus import close_quietly
from shared.stores.withdrawal import PAGE, Take, Withdrawal, bounded

Live = Place | None  # None: the messages of a lane itself, which nobody gave up


@dataclass(frozen=True)
class Copy:
    """What a replay sends, and where to."""

    lane: Lane
    message: Outgoing


class DeadLetters:
    """Dead-letter sub-queues of the lanes, and the queue `parked`. Raises BusUnavailableError from every method.

    Copies go through `bus`, which confirms them. Links for looking are kept open, since opening one takes half a
    second and closing it another: call `close` at the end. The client stays the caller's.
    """

    def __init__(self, client: ServiceBusClient, bus: Bus) -> None:
        self._client = client
        self._bus = bus
        self._open: dict[tuple[Lane, Live], ServiceBusReceiver] = {}

    async def close(self) -> None:
        """Close the links; a later call opens them again."""
        receivers, self._open = self._open, {}
        await asyncio.gather(*(close_quietly(receiver, queue) for (queue, _), receiver in receivers.items()))

    async def connect(self, boxes: Iterable[Box]) -> None:
        """Open the links for looking into them, all at the same time: one after the other they take many seconds."""
        await asyncio.gather(*(self._link(box.queue, box.place) for box in boxes))

    async def letters(self, box: Box, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """What lies in a box after that number, in the broker's order. Only looks: nothing is locked or counted."""
        async for message in self._peek(box.queue, box.place, after):
            yield from_message(box, message)

    async def live(self, lane: Lane) -> AsyncGenerator[tuple[str, bytes], None]:
        """Id and body of every message that a lane still works on: waiting, locked or scheduled. Only looks."""
        async for message in self._peek(lane, None, 0):
            yield str(message.message_id or ""), body_of(message)

    async def replay(
        self, take: Take, copy: Callable[[DeadLetter], Awaitable[Copy]]
    ) -> AsyncGenerator[Sequence[DeadLetter], None]:
        """Send a copy of each; when a page of copies is durable, remove its letters and give them here.

        At least once: an end between the two leaves letters whose copies were sent. Repeated within the hour for which
        a lane remembers message ids, the same copies get the same ids and the lane drops them in silence; later, a
        second copy is worked on and finds nothing to do. Close it (`aclosing`): what was locked is given back.
        """
        async with aclosing(self._pages(take)) as pages:
            async for withdrawal, page in pages:
                copies = [await copy(letter) for letter in page]
                for lane, group in groupby(sorted(copies, key=_lane), key=_lane):
                    await self._bus.send(lane, [one.message for one in group])
                yield await withdrawal.remove(page)

    async def discard(self, take: Take) -> AsyncGenerator[Sequence[DeadLetter], None]:
        """Remove letters without a copy, and give here which, page by page. Close it, as `replay`."""
        async with aclosing(self._pages(take)) as pages:
            async for withdrawal, page in pages:
                yield await withdrawal.remove(page)

    async def _pages(self, take: Take) -> AsyncGenerator[tuple[Withdrawal, list[DeadLetter]], None]:
        left = take.most
        async with self._withdrawal(take) as withdrawal:
            for source in self._sources(take, withdrawal):
                async with aclosing(source) as pages:
                    async for page in pages:
                        chosen = page[:left]
                        if chosen:
                            yield withdrawal, chosen
                        left = None if left is None else left - len(chosen)
                        if left == 0:
                            return

    def _sources(self, take: Take, withdrawal: Withdrawal) -> Iterator[AsyncGenerator[list[DeadLetter], None]]:
        size = take.page if take.most is None else min(take.page, take.most)
        if take.deferred:
            yield self._deferred(take, withdrawal, size)
        yield withdrawal.pages(size)

    async def _deferred(self, take: Take, withdrawal: Withdrawal, size: int) -> AsyncGenerator[list[DeadLetter], None]:
        numbers: list[int] = []
        async for letter in self.letters(take.box):
            if letter.deferred and take.takes(letter):
                numbers.append(letter.sequence_number)
            if len(numbers) == size:
                yield await withdrawal.deferred(numbers)
                numbers = []
        if numbers:
            yield await withdrawal.deferred(numbers)

    @asynccontextmanager
    async def _withdrawal(self, take: Take) -> AsyncIterator[Withdrawal]:
        receiver = self._receiver(take.box.queue, take.box.place)
        withdrawal = Withdrawal(receiver, take)
        try:
            await withdrawal.open()
            try:
                yield withdrawal
            finally:
                await withdrawal.give_back()
        finally:
            await close_quietly(receiver, take.box.queue)

    async def _peek(self, queue: Lane, place: Live, after: int) -> AsyncIterator[ServiceBusReceivedMessage]:
        while page := await self._page(queue, place, after + 1):
            for message in page:
                yield message
            after = number_of(page[-1])

    async def _page(self, queue: Lane, place: Live, first: int) -> Sequence[ServiceBusReceivedMessage]:
        receiver = await self._link(queue, place)
        try:
            async with bounded(queue):
                return await receiver.peek_messages(max_message_count=PAGE, sequence_number=first)
        except BusUnavailableError:
            await self._drop(queue, place)
            raise

    async def _link(self, queue: Lane, place: Live) -> ServiceBusReceiver:
        if (queue, place) not in self._open:
            self._open[queue, place] = self._receiver(queue, place)
            try:
                async with bounded(queue):
                    await self._open[queue, place].__aenter__()
            except BusUnavailableError:
                await self._drop(queue, place)
                raise
        return self._open[queue, place]

    async def _drop(self, queue: Lane, place: Live) -> None:
        await close_quietly(self._open.pop((queue, place)), queue)

    def _receiver(self, queue: Lane, place: Live) -> ServiceBusReceiver:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if place == "dead" else None
        return self._client.get_queue_receiver(queue, sub_queue=sub_queue)


def _lane(copy: Copy) -> Lane:
    return copy.lane
