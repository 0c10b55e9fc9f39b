"""Duplicate detection: which message ids a queue has seen within its window."""

from __future__ import annotations

from sandbox.service_bus.indexed_heap import IndexedHeap
from sandbox.service_bus.store import Store


class DuplicateHistory:
    """Message ids of one queue, each kept for `window_ms` from its first arrival; a window of 0 keeps none."""

    def __init__(self, queue: str, window_ms: int, store: Store, stored: dict[bytes, int]) -> None:
        self._queue = queue
        self._window_ms = window_ms
        self._store = store
        self._until: IndexedHeap[bytes] = IndexedHeap()
        for message_id, until_ms in stored.items():
            self._until.put(message_id, until_ms)

    def saw(self, message_id: bytes | None, now_ms: int) -> bool:
        """Whether the id came before; if not, it is remembered. A message without an id is never a duplicate."""
        if not self._window_ms or message_id is None:
            return False
        if message_id in self._until:
            return True
        self._until.put(message_id, now_ms + self._window_ms)
        self._store.remember(self._queue, message_id, now_ms + self._window_ms)
        return False

    def forget(self, now_ms: int) -> None:
        """Drops the ids whose window is over."""
        while (message_id := self._until.pop(now_ms)) is not None:
            self._store.forget(self._queue, message_id)
