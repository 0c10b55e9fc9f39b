"""Reads that wait at the same moment share one request; the more turns are under way, the longer it stays open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from shared.clients.single_flight import Flight

T = TypeVar("T")
Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]
# While a batch is open turns end without a read, so that fewer are awaited; and somebody urgent may have joined.
LOOK_AGAIN_S = 0.005


class _Batch(Generic[T]):
    """Keys that are collected until the batch is sent; `limit` is the most that it takes."""

    def __init__(
        self, fetch: Fetch[T], limit: int, window_s: float, crowd: Callable[[], int], turns: asyncio.Semaphore
    ) -> None:
        self._fetch, self._limit, self._window_s, self._crowd, self._turns = fetch, limit, window_s, crowd, turns
        self._leaves_at = _time() + window_s * max(1, crowd())
        self._joined = asyncio.Event()
        self._open = True
        self._keys: dict[str, None] = {}
        self._flight = Flight(self._run())

    def accepts(self, key: str) -> bool:
        """Whether the key's read may still join: it must not be asked for after the batch was sent."""
        return self._open and not self._flight.over and (key in self._keys or len(self._keys) < self._limit)

    async def read(self, key: str, *, urgent: bool) -> T | None:
        """Raises what the fetch raises."""
        self._keys[key] = None
        if urgent:
            self._leaves_at = min(self._leaves_at, _time() + self._window_s)
        if self._enough():
            self._joined.set()
        return (await self._flight.join()).get(key)

    def _enough(self) -> bool:
        return len(self._keys) >= self._limit or 0 < self._crowd() <= len(self._keys)

    async def _run(self) -> Mapping[str, T]:
        while (left_s := self._leaves_at - _time()) > 0 and not self._enough():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), min(left_s, LOOK_AGAIN_S))
        async with self._turns:
            self._open = False
            return await self._fetch(list(self._keys))


class Loader(Generic[T]):
    """Joins single reads. A waiter that is cancelled leaves the others alone; a failed fetch fails them all.

    A batch stays open for one window for each turn under way (`crowd`; 0: not known), for one only once somebody
    urgent has joined, and not at all once every turn has; but always while `at_once` fetches are under way. So a turn
    alone does not wait, and the more there are, and the slower the source, the more of them share a request.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        window_s: float,
        limit: Callable[[], int],
        at_once: int,
        crowd: Callable[[], int] = lambda: 0,
    ) -> None:
        self._fetch, self._window_s, self._limit, self._crowd = fetch, window_s, limit, crowd
        self._turns = asyncio.Semaphore(at_once)
        self._batch: _Batch[T] | None = None

    async def read(self, key: str, *, urgent: bool = False) -> T | None:
        """The value as it is at some moment after this call; None if there is none. Raises what the fetch raises."""
        if self._batch is None or not self._batch.accepts(key):
            self._batch = _Batch(self._fetch, self._limit(), self._window_s, self._crowd, self._turns)
        return await self._batch.read(key, urgent=urgent)


def _time() -> float:
    return asyncio.get_running_loop().time()
