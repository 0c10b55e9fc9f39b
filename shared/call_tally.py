"""How many engine calls a piece of work made: the work opens a tally, the client adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class CallTally:
    """Calls made so far, also those that failed."""

    calls: int = 0


_current: ContextVar[CallTally | None] = ContextVar("call_tally", default=None)


def add() -> None:
    """One more call of the work under way; nothing happens where nobody counts."""
    tally = _current.get()
    if tally is not None:
        tally.calls += 1


@contextmanager
def counting() -> Iterator[CallTally]:
    """The calls made inside, also by tasks started inside."""
    tally = CallTally()
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)
