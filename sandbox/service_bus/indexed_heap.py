"""A priority queue whose keys can be changed and removed."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")


class IndexedHeap(Generic[K]):
    """Keys in the order of an integer priority; equal priorities come out in the order they went in.

    Removed and changed keys stay in the heap as stale items until they surface or outnumber the live ones, so every
    operation costs O(log n) over time and memory follows the number of live keys.
    """

    def __init__(self) -> None:
        self._priorities: dict[K, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, K]] = []
        self._inserted = 0

    def __len__(self) -> int:
        return len(self._priorities)

    def __contains__(self, key: K) -> bool:
        return key in self._priorities

    def __iter__(self) -> Iterator[K]:
        return iter(self._priorities)

    def put(self, key: K, priority: int) -> None:
        """Adds the key or moves it to a new priority."""
        self._inserted += 1
        self._priorities[key] = (priority, self._inserted)
        heapq.heappush(self._heap, (priority, self._inserted, key))
        self._compact()

    def discard(self, key: K) -> None:
        """Removes the key if it is there."""
        if self._priorities.pop(key, None) is not None:
            self._compact()

    def first(self) -> int | None:
        """The lowest priority, None if empty."""
        while self._heap:
            priority, inserted, key = self._heap[0]
            if self._priorities.get(key) == (priority, inserted):
                return priority
            heapq.heappop(self._heap)
        return None

    def pop(self, limit: int | None = None) -> K | None:
        """Removes and returns the first key, None if there is none of a priority up to `limit`."""
        priority = self.first()
        if priority is None or (limit is not None and priority > limit):
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._priorities[key]
        return key

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._priorities) + 64:
            self._heap = [(*rank, key) for key, rank in self._priorities.items()]
            heapq.heapify(self._heap)
