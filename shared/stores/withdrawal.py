"""Taking chosen letters out of their queue, page by page, though the broker hands out from the front only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError

from shared.domain.change import Lane
from shared.ports import BusUnavailableError
from shared.stores.letter import Box, DeadLetter, from_message, number_of

logger = logging.getLogger(f"bridge.{__name__}")

STEP_TIMEOUT_S = 15.0
LAST_WAIT_S = 2.0
# So many letters that were not chosen are kept locked and given back at the end; the following ones are deferred.
MOST_HELD = 500

PAGE = 100
Settle = Callable[[ServiceBusReceivedMessage], Awaitable[None]]


@dataclass(frozen=True)
class Take:
    """Which letters of a box: those that are wanted, up to the sequence number `last`, at most `most` of them.

    `deferred`: whether to look for letters that are handed out by number only, which means to look through the box.
    `page`: how many are locked at a time.
    """

    box: Box
    wanted: Callable[[DeadLetter], bool]
    last: int
    deferred: bool = False
    most: int | None = None
    page: int = PAGE

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of them."""
        return letter.sequence_number <= self.last and self.wanted(letter)


class Withdrawal:
    """One way through one box, with a receiver of its own. Raises BusUnavailableError from every method.

    What is not wanted lies in the way. Some is held under its lock and given back at the end; where that would be too
    much to hold, or takes longer than a lock, it is *deferred*: it stays in its box, is shown as before, and is handed
    out by its number from then on. So memory stays flat, and a hundred thousand others cannot hide one letter.
    """

    def __init__(self, receiver: ServiceBusReceiver, take: Take) -> None:
        self._receiver = receiver
        self._take = take
        self._box = take.box
        self._taken: dict[int, ServiceBusReceivedMessage] = {}
        self._held: dict[int, ServiceBusReceivedMessage] = {}

    async def open(self) -> None:
        """Before the first page; else its wait would pay for the opening."""
        async with bounded(self._box.queue):
            await self._receiver.__aenter__()

    async def pages(self, size: int) -> AsyncGenerator[list[DeadLetter], None]:
        """The letters to take, locked; a page may be empty. Remove each page before the next."""
        while True:
            async with bounded(self._box.queue):
                found = await self._receiver.receive_messages(max_message_count=size, max_wait_time=LAST_WAIT_S)
            letters = [self._taken_in(message) for message in found]
            await self._put_aside(one.sequence_number for one in letters if not self._take.takes(one))
            yield [letter for letter in letters if self._take.takes(letter)]
            if all(letter.sequence_number > self._take.last for letter in letters):
                return

    async def deferred(self, numbers: Sequence[int]) -> list[DeadLetter]:
        """Those of the numbers that can be had, locked: all, or none while one is gone or held by another."""
        async with bounded(self._box.queue):
            try:
                found = await self._receiver.receive_deferred_messages(list(numbers))
            except MessageNotFoundError:
                return []
        return [self._taken_in(message) for message in found]

    async def remove(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Those that are gone now for certain. The rest had lost its lock, and is there again."""
        complete = self._receiver.complete_message
        return [one for one in letters if await self._settle(complete, self._taken.pop(one.sequence_number))]

    async def give_back(self) -> None:
        """At once, instead of when locks end. It counts as a delivery; only `parked` has a limit, a very high one."""
        try:
            for message in (*self._taken.values(), *self._held.values()):
                await self._settle(self._receiver.abandon_message, message)
        except BusUnavailableError as error:
            logger.info("messages become visible again when their locks end: %s", error)

    def _taken_in(self, message: ServiceBusReceivedMessage) -> DeadLetter:
        self._taken[number_of(message)] = message
        return from_message(self._box, message)

    async def _put_aside(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            message = self._taken.pop(number)
            if len(self._held) < MOST_HELD and number not in self._held:
                self._held[number] = message
            else:
                self._held.pop(number, None)  # met again: its lock ended, and it would come back every minute
                await self._settle(self._receiver.defer_message, message)

    async def _settle(self, settle: Settle, message: ServiceBusReceivedMessage) -> bool:
        """False: its lock had ended, and it is handed out again."""
        async with bounded(self._box.queue):
            try:
                await settle(message)
            except MessageLockLostError:
                return False
        return True


@asynccontextmanager
async def bounded(queue: Lane) -> AsyncIterator[None]:
    """The client library can wait for ever, and raises a wide range of types."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            yield
    except Exception as error:
        raise BusUnavailableError(f"{queue}: {type(error).__name__}") from error
