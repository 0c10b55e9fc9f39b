"""Clock, lanes and telemetry: what every piece of work needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.change import Lane
from shared.errors import Reason


class Clock(Protocol):
    """Time, injected."""

    def now(self) -> datetime:
        """UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...


@dataclass(frozen=True)
class Outgoing:
    """A message to send. `message_id` is the broker's duplicate key; `enqueue_at` None: at once."""

    body: bytes
    message_id: str
    enqueue_at: datetime | None = None
    properties: Mapping[str, str | int | float] = field(default_factory=dict)


class Bus(Protocol):
    """The lanes."""

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """Returns when they are durable. Raises `BusUnavailable` otherwise; some may have been sent."""
        ...


class Telemetry(Protocol):
    """What the bridge says of itself: ids, names and numbers only."""

    def counted(self, what: str, **numbers: int | str) -> None:
        """What a timer's run or a way in did."""
        ...

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        """Somebody should look."""
        ...


class BusUnavailableError(Exception):
    """The broker did not take a message."""
