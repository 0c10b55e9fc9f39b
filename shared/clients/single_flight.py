"""One piece of work for many waiters: it goes on while at least one of them waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Work that has started. A cancelled waiter leaves the others alone; the last one to leave ends the work."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._task = asyncio.create_task(work)
        self._waiters = 0
        self._abandoned = False

    @property
    def over(self) -> bool:
        """Too late to join."""
        return self._abandoned or self._task.done()

    async def join(self) -> T:
        """Wait for the result. Raises what the work raises."""
        self._waiters += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiters -= 1
            if not self._waiters and not self._task.done():
                self._abandoned = True
                self._task.cancel()


class SingleFlight(Generic[T]):
    """Starts the work at the first call; calls until its end share it."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._flight: Flight[T] | None = None

    def join(self) -> Awaitable[T]:
        """Wait for the work that is under way, or for a new one. Raises what the work raises."""
        if self._flight is None or self._flight.over:
            self._flight = Flight(self._work())
        return self._flight.join()
