"""What a queue does with messages over time: locks, delivery counts, schedules, expiry, duplicates, dead letters.

No sockets and no real clock: time comes from the function given, and `advance` applies what has fallen due.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sandbox.service_bus.amqp.messages import Message, with_properties
from sandbox.service_bus.duplicates import DuplicateHistory
from sandbox.service_bus.entry import Counts, Delivery, Entry, State
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.indexed_heap import IndexedHeap
from sandbox.service_bus.locks import Locks
from sandbox.service_bus.sequence_order import SequenceOrder
from sandbox.service_bus.settings import QueueSettings
from sandbox.service_bus.store import Store

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
_NEVER_MS = 2**62


class Queue:
    """One queue. `clock` gives milliseconds since 1970 UTC; `on_change` hears of every change."""

    def __init__(
        self,
        settings: QueueSettings,
        clock: Callable[[], int],
        store: Store,
        on_change: Callable[[Queue], None] = lambda _: None,
        *,
        is_dead_letters: bool = False,
    ) -> None:
        self.settings = settings
        self.address = settings.name.lower() + (DEAD_LETTER_SUFFIX if is_dead_letters else "")
        self.dead_letters = None if is_dead_letters else Queue(settings, clock, store, on_change, is_dead_letters=True)
        self._clock = clock
        self._store = store
        self._on_change = on_change
        self._entries: dict[int, Entry] = {}
        self._order = SequenceOrder(self._entries)
        self._ready: IndexedHeap[int] = IndexedHeap()
        self._scheduled: IndexedHeap[int] = IndexedHeap()
        self._expiring: IndexedHeap[int] = IndexedHeap()
        self._locks = Locks(_ms(settings.lock_duration_s))
        stored = store.load(self.address)
        self._last_sequence = max([stored.last_sequence, *(entry.sequence for entry in stored.entries)])
        self._history = DuplicateHistory(self.address, _ms(settings.duplicate_window_s), store, stored.history)
        for entry in stored.entries:
            self._place(entry)

    # Sending

    def enqueue(self, messages: Sequence[Message]) -> list[int]:
        """Sequence numbers of the messages, in order; all are taken or none.

        A message whose scheduled time lies ahead waits for it. A duplicate gets a number and is dropped. Raises
        BrokerError for a message that is too large.
        """
        limit = self.settings.max_message_bytes
        if any(len(message.raw) > limit for message in messages):
            raise BrokerError(Condition.MESSAGE_TOO_LARGE, f"a message in {self.address} has at most {limit} bytes")
        self.advance()
        return [self._accept(message) for message in messages]

    def cancel(self, sequences: Iterable[int]) -> None:
        """Deletes scheduled messages. Raises BrokerError, and deletes none, if one is not scheduled (any more)."""
        self.advance()
        wanted = list(sequences)
        for sequence in wanted:
            if sequence not in self._scheduled:
                raise BrokerError(Condition.MESSAGE_NOT_FOUND, f"no scheduled message has the number {sequence}")
        for sequence in wanted:
            self._remove(sequence)

    # Receiving

    @property
    def has_ready(self) -> bool:
        """Whether a receiver would get a message now; `advance` first."""
        return len(self._ready) > 0

    def receive(self, *, delete: bool = False) -> Delivery | None:
        """The next message, locked or deleted; None if there is none."""
        self.advance()
        sequence = self._ready.pop()
        return None if sequence is None else self._hand_out(sequence, delete=delete)

    def receive_deferred(self, sequences: Iterable[int], *, delete: bool = False) -> list[Delivery]:
        """Deferred messages by number. Raises BrokerError, and hands out none, if one is not there or locked."""
        self.advance()
        wanted = list(sequences)
        for sequence in wanted:
            entry = self._entries.get(sequence)
            if entry is None or entry.state is not State.DEFERRED or sequence in self._locks:
                raise BrokerError(Condition.MESSAGE_NOT_FOUND, f"no deferred message has the number {sequence}")
        return [self._hand_out(sequence, delete=delete) for sequence in wanted]

    def peek(self, from_sequence: int, count: int) -> list[bytes]:
        """Up to `count` messages of any state from this number on, in order and without a lock."""
        self.advance()
        return [self._entries[number].peeked() for number in islice(self._order.since(from_sequence), count)]

    # Settling; each raises BrokerError if the lock is gone

    def complete(self, token: uuid.UUID) -> None:
        """Deletes the message."""
        self._remove(self._unlock(token).sequence)

    def release(self, token: uuid.UUID) -> None:
        """Gives the message back as if it had not been delivered."""
        self._make_available(self._unlock(token))

    def abandon(self, token: uuid.UUID, properties: Mapping[str, Any] | None = None) -> None:
        """Gives the message back and counts the delivery; the last one allowed makes it a dead letter."""
        self._take_back(_modified(self._unlock(token), properties))

    def defer(self, token: uuid.UUID, properties: Mapping[str, Any] | None = None) -> None:
        """Sets the message aside: from now on it is received by its sequence number only."""
        entry = _modified(self._unlock(token), properties)
        self._make_available(replace(entry, delivery_count=entry.delivery_count + 1, state=State.DEFERRED))

    def dead_letter(self, token: uuid.UUID, properties: Mapping[str, Any]) -> None:
        """Moves the message to the dead-letter sub-queue with these application properties added."""
        if self.dead_letters is None:
            raise BrokerError(Condition.NOT_ALLOWED, "a message in a dead-letter queue cannot be dead-lettered again")
        self._bury(self._unlock(token), properties)

    def renew(self, token: uuid.UUID) -> int:
        """Starts the lock anew and returns its end."""
        self.advance()
        until_ms = self._locks.renew(token, self._clock())
        self._on_change(self)
        return until_ms

    # Time

    def advance(self) -> None:
        """Applies everything that has fallen due by now."""
        now_ms = self._clock()
        while (sequence := self._scheduled.pop(now_ms)) is not None:
            self._activate(self._entries[sequence], now_ms)
        while (sequence := self._locks.pop_expired(now_ms)) is not None:
            self._take_back(self._entries[sequence])
        while (sequence := self._expiring.pop(now_ms)) is not None:
            if sequence not in self._locks:
                self._expire(self._entries[sequence])
        self._history.forget(now_ms)

    def next_due_ms(self) -> int | None:
        """When `advance` will have something to do that a receiver could notice."""
        times = (self._scheduled.first(), self._locks.first_end(), self._expiring.first())
        return min((time for time in times if time is not None), default=None)

    def counts(self) -> Counts:
        """How many messages there are by now."""
        self.advance()
        deferred = sum(entry.state is State.DEFERRED for entry in self._entries.values())
        locked_deferred = sum(self._entries[sequence].state is State.DEFERRED for sequence in self._locks)
        return Counts(
            active=len(self._ready),
            scheduled=len(self._scheduled),
            deferred=deferred - locked_deferred,
            locked=len(self._locks),
            dead=len(self.dead_letters._entries) if self.dead_letters else 0,
        )

    # Inside

    def _accept(self, message: Message) -> int:
        now_ms = self._clock()
        sequence = self._next_sequence()
        if self._history.saw(message.message_id, now_ms):
            return sequence
        entry = Entry(sequence, sequence, message, now_ms, _NEVER_MS, message.scheduled_ms or 0, State.SCHEDULED)
        if entry.due_ms > now_ms:
            self._store.put(self.address, entry)
            self._place(entry)
        else:
            self._make_available(self._active(entry, now_ms))
        return sequence

    def _activate(self, entry: Entry, now_ms: int) -> None:
        """Service Bus numbers a scheduled message anew when its time comes, so it joins at the end of the queue."""
        self._remove(entry.sequence)
        self._make_available(self._active(replace(entry, sequence=self._next_sequence()), now_ms))

    def _active(self, entry: Entry, now_ms: int) -> Entry:
        own_ms = entry.message.ttl_ms
        ttl_ms = _ms(self.settings.ttl_s)
        expires_ms = now_ms + (ttl_ms if own_ms is None else min(own_ms, ttl_ms))
        return replace(entry, state=State.ACTIVE, enqueued_ms=now_ms, expires_ms=expires_ms)

    def _next_sequence(self) -> int:
        self._last_sequence += 1
        self._store.set_last_sequence(self.address, self._last_sequence)
        return self._last_sequence

    def _hand_out(self, sequence: int, *, delete: bool) -> Delivery:
        entry = self._entries[sequence]
        if delete:
            self._remove(sequence)
            return Delivery(entry)
        token, until_ms = self._locks.lock(sequence, self._clock())
        self._on_change(self)
        return Delivery(entry, token, until_ms)

    def _unlock(self, token: uuid.UUID) -> Entry:
        self.advance()
        return self._entries[self._locks.unlock(token)]

    def _take_back(self, entry: Entry) -> None:
        counted = replace(entry, delivery_count=entry.delivery_count + 1)
        if self.dead_letters is not None and counted.delivery_count >= self.settings.max_delivery_count:
            self._bury(counted, _reason("MaxDeliveryCountExceeded", "the message was delivered too often"))
        else:
            self._make_available(counted)

    def _make_available(self, entry: Entry) -> None:
        """Stores an entry that is not locked and lets it be received, unless its time to live is over."""
        if entry.expires_ms <= self._clock():
            self._expire(entry)
        else:
            self._store.put(self.address, entry)
            self._place(entry)

    def _expire(self, entry: Entry) -> None:
        if self.settings.dead_letter_on_expiry:
            self._bury(entry, _reason("TTLExpiredException", "the message outlived its time to live"))
        else:
            self._remove(entry.sequence)

    def _bury(self, entry: Entry, properties: Mapping[str, Any]) -> None:
        assert self.dead_letters is not None, "nothing leaves a dead-letter queue by itself"
        self._remove(entry.sequence)
        moved = replace(_modified(entry, properties), state=State.ACTIVE, expires_ms=_NEVER_MS)
        self.dead_letters._make_available(moved)

    def _place(self, entry: Entry) -> None:
        if entry.sequence not in self._entries:
            self._order.add(entry.sequence)
        self._entries[entry.sequence] = entry
        if entry.state is State.SCHEDULED:
            self._scheduled.put(entry.sequence, entry.due_ms)
        else:
            self._expiring.put(entry.sequence, entry.expires_ms)
        if entry.state is State.ACTIVE:
            self._ready.put(entry.sequence, entry.sequence)
        self._on_change(self)

    def _remove(self, sequence: int) -> None:
        self._entries.pop(sequence, None)
        for heap in (self._ready, self._scheduled, self._expiring):
            heap.discard(sequence)
        self._store.delete(self.address, sequence)
        self._on_change(self)


def _reason(reason: str, description: str) -> dict[str, Any]:
    return {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}


def _modified(entry: Entry, properties: Mapping[str, Any] | None) -> Entry:
    return replace(entry, message=with_properties(entry.message, properties)) if properties else entry


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
