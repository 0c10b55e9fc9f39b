"""A message in a queue, and a message on its way to a receiver."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import IntEnum

from sandbox.service_bus.amqp.messages import Message, Stamp, stamped


class State(IntEnum):
    """State of a stored message; the numbers are those of the annotation `x-opt-message-state`."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in a queue. Times are milliseconds since 1970 UTC; `due_ms` counts only while it is scheduled."""

    sequence: int
    enqueue_sequence: int
    message: Message
    enqueued_ms: int
    expires_ms: int
    due_ms: int = 0
    state: State = State.ACTIVE
    delivery_count: int = 0

    def peeked(self) -> bytes:
        """The message as it is shown without a lock, with its state."""
        return stamped(self.message, self._stamp(state=int(self.state)))

    def delivered(self, locked_until_ms: int | None) -> bytes:
        """The message as a receiver gets it."""
        return stamped(self.message, self._stamp(locked_until_ms=locked_until_ms))

    def _stamp(self, *, locked_until_ms: int | None = None, state: int | None = None) -> Stamp:
        return Stamp(
            self.delivery_count, self.sequence, self.enqueued_ms, self.enqueue_sequence, locked_until_ms, state
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed out. Without a token it is already deleted (receive-and-delete)."""

    entry: Entry
    token: uuid.UUID | None = None
    locked_until_ms: int | None = None

    def encoded(self) -> bytes:
        """The message as the receiver sees it."""
        return self.entry.delivered(self.locked_until_ms)


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages by what is happening to them; each is counted once. `dead` counts the dead-letter sub-queue."""

    active: int
    scheduled: int
    deferred: int
    locked: int
    dead: int
