"""Reads that wait at the same moment share one request, which stays open for a few ms, and while others run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from shared.clients.single_flight import Flight

T = TypeVar("T")
Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]


class _Batch(Generic[T]):
    """Keys that are collected until the batch is sent."""

    def __init__(self, fetch: Fetch[T], window_s: float, turns: asyncio.Semaphore) -> None:
        self._fetch, self._window_s, self._turns = fetch, window_s, turns
        self._full = asyncio.Event()
        self._open = True
        self._keys: dict[str, None] = {}
        self._flight = Flight(self._run())

    def accepts(self, key: str, limit: int) -> bool:
        """Whether the key's read may still join: it must not be asked for after the batch was sent."""
        return self._open and not self._flight.over and (key in self._keys or len(self._keys) < limit)

    async def read(self, key: str, limit: int) -> T | None:
        """Raises what the fetch raises."""
        self._keys[key] = None
        if len(self._keys) >= limit:
            self._full.set()
        return (await self._flight.join()).get(key)

    async def _run(self) -> Mapping[str, T]:
        with contextlib.suppress(TimeoutError):  # the usual end of the window
            await asyncio.wait_for(self._full.wait(), self._window_s)
        async with self._turns:
            self._open = False
            return await self._fetch(list(self._keys))


class Loader(Generic[T]):
    """Joins single reads. A waiter that is cancelled leaves the others alone; a failed fetch fails them all.

    While `at_once` fetches are under way the next batch stays open: the slower the source, and the more wait, the more
    of them share a request.
    """

    def __init__(self, fetch: Fetch[T], *, window_s: float, limit: Callable[[], int], at_once: int) -> None:
        self._fetch, self._window_s, self._limit = fetch, window_s, limit
        self._turns = asyncio.Semaphore(at_once)
        self._batch: _Batch[T] | None = None

    async def read(self, key: str) -> T | None:
        """The value as it is at some moment after this call; None if there is none. Raises what the fetch raises."""
        limit = self._limit()
        if self._batch is None or not self._batch.accepts(key, limit):
            self._batch = _Batch(self._fetch, self._window_s, self._turns)
        return await self._batch.read(key, limit)
