"""An event loop whose time passes only when everybody waits: hours of a history cost milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class StuckError(AssertionError):
    """Nothing is left that could ever happen, but the history has not ended."""


class _NoWaiting(selectors.SelectSelector):
    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError("every task waits for another")
        self.skipped_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is the virtual one, in seconds since `EPOCH`."""

    def __init__(self) -> None:
        self._waiting = _NoWaiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.skipped_s


class VirtualClock:
    """The `Clock` port on the running loop."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def play(history: Coroutine[Any, Any, T]) -> T:
    """Run one history from the epoch to its end."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(history)
    finally:
        if leftovers := asyncio.all_tasks(loop):
            for task in leftovers:
                task.cancel()
            loop.run_until_complete(asyncio.wait(leftovers))
        loop.close()
