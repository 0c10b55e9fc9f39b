"""Messages that wait for a person: listing, replaying and discarding what is dead-lettered or parked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from shared.domain.change import Lane
from shared.ports import Bus, BusUnavailableError
from shared.stores.letter import DeadLetter, Place, copy_of, from_message, lane_of, number_of
from shared.stores.service_bus import close_quietly

logger = logging.getLogger(f"bridge.{__name__}")

PAGE = 100
STEP_TIMEOUT_S = 15.0
LAST_WAIT_S = 2.0


@dataclass(frozen=True)
class Removal:
    """Which letters left their queue, and which were not found there: gone already, or locked by another tool."""

    removed: tuple[DeadLetter, ...]
    left: tuple[DeadLetter, ...]


class DeadLetters:
    """Dead-letter sub-queues of the lanes, and the queue `parked`. Raises BusUnavailableError from every method.

    Copies go through `bus`, which confirms them. Links for looking are kept open, since opening one takes half a
    second and closing it another: call `close` at the end. The client stays the caller's.
    """

    def __init__(self, client: ServiceBusClient, bus: Bus) -> None:
        self._client = client
        self._bus = bus
        self._open: dict[tuple[Lane, Place], ServiceBusReceiver] = {}

    async def close(self) -> None:
        """Close the links; a later call opens them again."""
        receivers, self._open = self._open, {}
        await asyncio.gather(*(close_quietly(receiver, queue) for (queue, _), receiver in receivers.items()))

    def dead(self, lane: Lane) -> AsyncIterator[DeadLetter]:
        """What the broker gave up in a lane, oldest first. Only looks: nothing is locked or counted."""
        return self._peek(lane, "dead")

    def parked(self) -> AsyncIterator[DeadLetter]:
        """What the engine parked, oldest first. Only looks: nothing is locked or counted."""
        return self._peek(Lane.PARKED, "parked")

    async def replay(self, letters: Iterable[DeadLetter]) -> Removal:
        """Send a copy of each to its lane, and only when all are durable remove the letters. At least once.

        A copy has the id `ID:replayN`: Service Bus drops a known id in silence for as long as it remembers it, which
        also makes a replay that is interrupted and repeated within that time send each copy once. The copy's
        properties `replay_of` and `replays` say where it comes from. Raises NotReplayableError before anything is sent.
        """
        chosen = sorted(letters, key=lambda letter: (lane_of(letter), letter.sequence_number))
        for lane, group in groupby(chosen, key=lane_of):
            copies = [copy_of(letter) for letter in group]
            for start in range(0, len(copies), PAGE):
                await self._bus.send(lane, copies[start : start + PAGE])
        return await self.discard(chosen)

    async def discard(self, letters: Iterable[DeadLetter]) -> Removal:
        """Remove letters without a copy.

        Service Bus can only remove a message that it has handed out, and hands out from the front: what lies before
        the chosen ones is locked on the way and given back at the end. That may fail in part after a minute, when the
        locks run out; then the rest is `left`, and can be asked for again.
        """
        places: dict[tuple[Lane, Place], dict[int, DeadLetter]] = {}
        for letter in letters:
            places.setdefault((letter.queue, letter.place), {})[letter.sequence_number] = letter
        gone = await asyncio.gather(*(self._remove(*where, wanted.keys()) for where, wanted in places.items()))
        removed: list[DeadLetter] = []
        left: list[DeadLetter] = []
        for found, wanted in zip(gone, places.values(), strict=True):
            for number, letter in wanted.items():
                (removed if number in found else left).append(letter)
        return Removal(tuple(removed), tuple(left))

    async def _peek(self, queue: Lane, place: Place) -> AsyncIterator[DeadLetter]:
        first = 1
        while page := await self._page(queue, place, first):
            for message in page:
                yield from_message(queue, place, message)
            first = number_of(page[-1]) + 1

    async def _page(self, queue: Lane, place: Place, first: int) -> Sequence[ServiceBusReceivedMessage]:
        if (queue, place) not in self._open:
            self._open[queue, place] = self._receiver(queue, place)
        try:
            async with _bounded(queue):
                return await self._open[queue, place].peek_messages(max_message_count=PAGE, sequence_number=first)
        except BusUnavailableError:
            await close_quietly(self._open.pop((queue, place)), queue)
            raise

    async def _remove(self, queue: Lane, place: Place, wanted: Set[int]) -> set[int]:
        gone: set[int] = set()
        held: dict[int, ServiceBusReceivedMessage] = {}
        receiver = self._receiver(queue, place)
        try:
            async with _bounded(queue):
                await receiver.__aenter__()  # else the first wait below would pay for the opening
            while len(gone) < len(wanted):
                async with _bounded(queue):
                    page = await receiver.receive_messages(max_message_count=PAGE, max_wait_time=LAST_WAIT_S)
                if not page or number_of(page[0]) in held:  # the end, or round again: the first locks ran out
                    break
                held |= {number_of(message): message for message in page}
                for number in held.keys() & wanted:
                    async with _bounded(queue):
                        await receiver.complete_message(held.pop(number))
                    gone.add(number)
            await _give_back(receiver, queue, held.values())
        finally:
            await close_quietly(receiver, queue)
        return gone

    def _receiver(self, queue: Lane, place: Place) -> ServiceBusReceiver:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if place == "dead" else None
        return self._client.get_queue_receiver(queue, sub_queue=sub_queue)


async def _give_back(receiver: ServiceBusReceiver, queue: Lane, messages: Iterable[ServiceBusReceivedMessage]) -> None:
    """At once, instead of when the locks end. It counts as a delivery; only `parked` has a limit, a very high one."""
    try:
        for message in messages:
            async with _bounded(queue):
                await receiver.abandon_message(message)
    except BusUnavailableError as error:
        logger.info("messages become visible again when their locks end: %s", error)


@asynccontextmanager
async def _bounded(queue: Lane) -> AsyncIterator[None]:
    """The client library can wait for ever, and raises a wide range of types."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            yield
    except Exception as error:
        raise BusUnavailableError(f"{queue}: {type(error).__name__}") from error
