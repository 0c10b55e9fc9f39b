"""How urgent the work under way is: the engine says it for a lane, the clients heed it where calls wait for a turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Priority(Enum):
    """In the order in which calls get their turn.

    `FIRST`: opt-outs and deletions. They wait behind nothing else, and the call budget never refuses them. `LAST`: a
    resync. It waits behind everything else, and the call budget leaves a share to the others.
    """

    FIRST = "first"
    NORMAL = "normal"
    LAST = "last"


_current: ContextVar[Priority] = ContextVar("priority", default=Priority.NORMAL)


def current() -> Priority:
    """That of the work under way; tasks started inside have it, too."""
    return _current.get()


@contextmanager
def of(priority: Priority) -> Iterator[None]:
    """The calls made inside have this priority."""
    token = _current.set(priority)
    try:
        yield
    finally:
        _current.reset(token)
