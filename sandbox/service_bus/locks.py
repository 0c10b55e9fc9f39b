"""Peek-locks: who may settle a message, and until when. They live in memory, so a restart frees all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.indexed_heap import IndexedHeap


class Locks:
    """Locks of one queue by token; times are milliseconds."""

    def __init__(self, duration_ms: int) -> None:
        self._duration_ms = duration_ms
        self._sequences: dict[uuid.UUID, int] = {}
        self._locked: set[int] = set()
        self._ends: IndexedHeap[uuid.UUID] = IndexedHeap()

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._locked

    def __iter__(self) -> Iterator[int]:
        return iter(self._locked)

    def __len__(self) -> int:
        return len(self._locked)

    def lock(self, sequence: int, now_ms: int) -> tuple[uuid.UUID, int]:
        """A new token for the message and the end of its lock."""
        token, until_ms = uuid.uuid4(), now_ms + self._duration_ms
        self._sequences[token] = sequence
        self._locked.add(sequence)
        self._ends.put(token, until_ms)
        return token, until_ms

    def renew(self, token: uuid.UUID, now_ms: int) -> int:
        """The new end. Raises BrokerError if the lock is gone."""
        self._check(token)
        self._ends.put(token, now_ms + self._duration_ms)
        return now_ms + self._duration_ms

    def unlock(self, token: uuid.UUID) -> int:
        """Ends the lock and returns the message's number. Raises BrokerError if the lock is gone."""
        self._check(token)
        self._ends.discard(token)
        return self._free(token)

    def pop_expired(self, now_ms: int) -> int | None:
        """Ends one lock whose time is over and returns the message's number; None if there is none."""
        token = self._ends.pop(now_ms)
        return None if token is None else self._free(token)

    def first_end(self) -> int | None:
        """When the next lock ends."""
        return self._ends.first()

    def _free(self, token: uuid.UUID) -> int:
        sequence = self._sequences.pop(token)
        self._locked.discard(sequence)
        return sequence

    def _check(self, token: uuid.UUID) -> None:
        if token not in self._sequences:
            raise BrokerError(
                Condition.MESSAGE_LOCK_LOST, "the lock has expired, or the message was settled or never locked"
            )
