"""The daily budget of engine calls: every call is counted; when they are spent only urgent ones still go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Protocol

from shared import priority
from shared.clients.calls import NotSentError, Request, Response, Sender
from shared.errors import Outcome, Reason, Retry
from shared.priority import Priority

logger = logging.getLogger(f"bridge.{__name__}")

BLOCK = 100
# Of the day's calls a resync may use so much: the rest is for what people change meanwhile.
SHARE_OF_LAST = 0.8
# What was refused during a day comes back over this time, not all at once.
SPREAD_S = 1800.0


class CallCounter(Protocol):
    """The calls reserved on one UTC day, by all processes together."""

    async def reserve(self, day: date, calls: int, budget: int | None) -> int:
        """Count as many of the calls as the budget still holds (None: all), and say how many. Raises Retry."""
        ...

    async def give_back(self, day: date, calls: int) -> None:
        """Take calls off the count that were reserved and not made. Raises Retry."""
        ...


@dataclass
class _Reserved:
    """What this process may still call on `day`. `beyond`: over the budget, for urgent calls only.

    `spent_for_last`: what is left is not for a resync.
    """

    day: date
    within: int = 0
    beyond: int = 0
    spent: bool = False
    spent_for_last: bool = False


class CallBudget:
    """At most `per_day` calls a UTC day, all processes together; urgent ones come on top when those are spent.

    Calls are reserved from `counter` in blocks: a process that dies loses the rest of its block. Only reserving waits
    for storage.
    """

    def __init__(
        self, counter: CallCounter, per_day: int, now: Callable[[], datetime], random: Random, *, block: int = BLOCK
    ) -> None:
        self._counter, self._per_day, self._block = counter, per_day, block
        self._now, self._random = now, random
        self._reserved = _Reserved(date.min)
        self._reserving = asyncio.Lock()

    async def charge(self) -> date:
        """Take one call; the day it counts for. Raises Retry: BUDGET_SPENT until the next day, or storage is away.

        Storage that is away refuses no urgent call: it stays uncounted, which is logged.
        """
        if (day := self._taken()) is not None:
            return day
        async with self._reserving:
            while (day := self._taken()) is None:
                try:
                    await self._reserve(self._reserved)
                except Retry as outcome:
                    if not _urgent():
                        raise
                    logger.warning("an urgent call is made and not counted: %s", outcome)
                    return self._reserved.day
            return day

    def refund(self, day: date) -> None:
        """A call charged for that day was not sent after all."""
        if day == self._reserved.day:
            if self._reserved.spent:
                self._reserved.beyond += 1
            else:
                self._reserved.within += 1

    async def close(self) -> None:
        """Give back what is left of the block. If that fails it stays counted, which is logged."""
        reserved, self._reserved = self._reserved, _Reserved(date.min)
        if not (left := reserved.within + reserved.beyond):
            return
        try:
            await self._counter.give_back(reserved.day, left)
        except Outcome as outcome:
            logger.warning("%d calls stay counted though they were not made: %s", left, outcome)

    def _taken(self) -> date | None:
        """The day, if a call was at hand. Raises Retry(BUDGET_SPENT)."""
        today = self._now().astimezone(UTC).date()
        if self._reserved.day != today:
            self._reserved = _Reserved(today)
        reserved = self._reserved
        if reserved.spent_for_last and priority.current() is Priority.LAST:
            raise self._refusal()
        if reserved.within:
            reserved.within -= 1
        elif _urgent() and reserved.beyond:
            reserved.beyond -= 1
        elif reserved.spent and not _urgent():
            raise self._refusal()
        else:
            return None
        return today

    async def _reserve(self, reserved: _Reserved) -> None:
        if priority.current() is Priority.LAST:
            share = int(self._per_day * SHARE_OF_LAST)
            reserved.within = await self._counter.reserve(reserved.day, self._block, share)
            reserved.spent_for_last = not reserved.within
        elif not reserved.spent:
            reserved.within = await self._counter.reserve(reserved.day, self._block, self._per_day)
            reserved.spent = not reserved.within
        if reserved.spent and _urgent():
            reserved.beyond = await self._counter.reserve(reserved.day, self._block, None)

    def _refusal(self) -> Retry:
        now = self._now().astimezone(UTC)
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        after_s = (midnight - now).total_seconds() + self._random.uniform(0, SPREAD_S)
        return Retry(Reason.BUDGET_SPENT, f"{self._per_day} calls on {now.date()}", after_s=after_s)


class BudgetedSender:
    """Implements `Sender`: what the budget allows, `sender` sends."""

    def __init__(self, sender: Sender, budget: CallBudget) -> None:
        self._sender, self._budget = sender, budget

    async def send(self, request: Request, timeout_s: float) -> Response:
        """Raises Retry(BUDGET_SPENT), and what `sender` raises. `timeout_s` counts from here."""
        ends_at = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(ends_at):
                day = await self._budget.charge()
        except TimeoutError:
            raise NotSentError("no call could be reserved in time") from None
        try:
            return await self._sender.send(request, ends_at - asyncio.get_running_loop().time())
        except NotSentError:
            self._budget.refund(day)
            raise


def _urgent() -> bool:
    return priority.current() is Priority.FIRST
