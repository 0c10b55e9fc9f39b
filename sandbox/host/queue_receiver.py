"""One receiver of a queue and its endless round: receive some messages, run the function on each, settle them.

While messages are worked on, more are received only where many wait. The SDK's connection reads in slices of 0.2 s
under one lock, so a completion beside a receive that finds nothing would wait for its slices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from sandbox.host.functions import Function
from sandbox.host.invocation import Invoker, Outcome
from sandbox.host.queue_messages import decode_message
from sandbox.host.timer_state import Clock

_log = logging.getLogger(__name__)
RECEIVE_SLICE_S = 0.5
_OPEN_LIMIT_S = 30.0
_SETTLE_LIMIT_S = 60.0
_CLOSE_LIMIT_S = 5.0
_SHORTEST_RENEWAL_PAUSE_S = 0.1
# A message that waited so long in the queue was not alone. Only then more are asked for: the SDK waits 0.2 s for the
# second one of two, and what comes after that stays locked until the receiver looks again.
_BACKLOG_S = 0.5


@dataclass(frozen=True)
class Work:
    """What every receiver of one trigger shares. `connect` makes an unopened receiver.

    `at_once`: the most messages that one receiver works on at a time.
    """

    function: Function
    invoker: Invoker
    connect: Callable[[], ServiceBusReceiver]
    max_lock_renewal: timedelta
    now: Clock
    at_once: int = 1


async def serve(work: Work, *, keep_going: Callable[[bool], bool], busy: Callable[[bool], None]) -> None:
    """Open a receiver, serve messages until `keep_going` says no, close it.

    `keep_going(idle)` is asked before every receive; `idle` says that the last one brought nothing. `busy` is told True
    when messages have arrived and False when all are settled. Whatever the SDK raises when the broker or the connection
    goes away passes through.
    """
    receiver = work.connect()
    calls = _Calls(work, receiver, busy)
    try:
        async with asyncio.timeout(_OPEN_LIMIT_S):
            await receiver.__aenter__()
        idle, count = False, 1
        while keep_going(idle):
            messages = await receiver.receive_messages(max_message_count=count, max_wait_time=RECEIVE_SLICE_S)
            idle = not messages
            backlog = len(messages) == count and calls.waited_s(messages[-1]) > _BACKLOG_S
            calls.begin(messages)
            await calls.until(work.at_once // 2 if backlog else 0)
            count = min(2 * count if backlog else 1, work.at_once - calls.under_way)
    finally:
        try:
            await calls.until(0)
        finally:
            await _close(receiver)


class _Calls:
    """The function's calls for one receiver's messages."""

    def __init__(self, work: Work, receiver: ServiceBusReceiver, busy: Callable[[bool], None]) -> None:
        self._work, self._busy = work, busy
        self._delivery = _Delivery(work, receiver)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> int:
        """Not settled yet."""
        return len(self._tasks)

    def waited_s(self, message: ServiceBusReceivedMessage) -> float:
        """In the queue, until now."""
        enqueued_at = message.enqueued_time_utc
        return 0.0 if enqueued_at is None else (self._work.now() - enqueued_at.replace(tzinfo=UTC)).total_seconds()

    def begin(self, messages: Sequence[ServiceBusReceivedMessage]) -> None:
        """One call for each."""
        self._tasks |= {asyncio.create_task(self._delivery.handle(message)) for message in messages}
        if messages:
            self._busy(True)

    async def until(self, left: int) -> None:
        """No more than `left` are under way. Raises what a call's handling raises."""
        while len(self._tasks) > left:
            done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        if not self._tasks:
            self._busy(False)


class _Delivery:
    """What happens to a message between its arrival on a receiver and its settlement."""

    def __init__(self, work: Work, receiver: ServiceBusReceiver) -> None:
        self._work = work
        self._receiver = receiver

    async def handle(self, message: ServiceBusReceivedMessage) -> None:
        work = self._work
        call = asyncio.create_task(
            work.invoker.invoke(work.function, lambda: decode_message(message), "New Service Bus message detected.")
        )
        await self._keep_locked(message, call)
        await self._settle(message, await call)

    async def _keep_locked(self, message: ServiceBusReceivedMessage, call: asyncio.Task[Outcome]) -> None:
        """Wait for the call and meanwhile renew the lock at half of its remaining life, up to the configured limit."""
        until = self._work.now() + self._work.max_lock_renewal
        while not call.done():
            pause_s = self._renewal_pause_s(message)
            if self._work.now() + timedelta(seconds=pause_s) > until:
                await asyncio.wait({call})
                return
            await asyncio.wait({call}, timeout=pause_s)
            if not call.done() and not await self._renew(message):
                await asyncio.wait({call})
                return

    def _renewal_pause_s(self, message: ServiceBusReceivedMessage) -> float:
        locked_until = message.locked_until_utc
        if locked_until is None:
            return _SHORTEST_RENEWAL_PAUSE_S
        left_s = (locked_until.replace(tzinfo=UTC) - self._work.now()).total_seconds()
        return max(left_s / 2, _SHORTEST_RENEWAL_PAUSE_S)

    async def _renew(self, message: ServiceBusReceivedMessage) -> bool:
        """Return False when the lock is gone for good."""
        try:
            async with asyncio.timeout(_SETTLE_LIMIT_S):
                await self._receiver.renew_message_lock(message)
        except MessageLockLostError:
            _log.warning("%s: the lock of a message was lost during its call", self._work.function.name)
            return False
        except (ServiceBusError, AzureError, OSError, TimeoutError) as error:
            _log.warning("%s: a lock could not be renewed (%s)", self._work.function.name, type(error).__name__)
        return True

    async def _settle(self, message: ServiceBusReceivedMessage, outcome: Outcome) -> None:
        settle = self._receiver.complete_message if outcome.error is None else self._receiver.abandon_message
        try:
            async with asyncio.timeout(_SETTLE_LIMIT_S):
                await settle(message)
        except (ServiceBusError, AzureError, OSError, TimeoutError, ValueError) as error:
            # The broker still holds the message and delivers it again when its lock ends.
            _log.warning(
                "%s: a message could not be %s (%s) and will be delivered again",
                self._work.function.name,
                "completed" if outcome.error is None else "abandoned",
                type(error).__name__,
            )


async def _close(receiver: ServiceBusReceiver) -> None:
    # On a dead connection closing fails in many ways, and none of them matters any more.
    with contextlib.suppress(ServiceBusError, AzureError, OSError, TimeoutError, ValueError, AttributeError):
        async with asyncio.timeout(_CLOSE_LIMIT_S):
            await receiver.close()
