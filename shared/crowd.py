"""The turns under way in this process: how many there are, which reads heed, and how many there may be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared import priority
from shared.errors import Reason, Retry
from shared.priority import Priority

# So many are always let in: enough to find out how fast Campaign is.
ROOM_LEAST = 32
# So long somebody waits for room. A page and then its last row may both wait, and all of it must fit into a function.
PATIENCE_S = 10.0


class Crowd:
    """`room`: how many turns are served soon enough; None: any number. `busy`: why those come back who find none.

    Opt-outs and deletions are let in at once; a resync's rows after everybody else. Belongs to the event loop of its
    first member.
    """

    def __init__(self, room: Callable[[], int] | None = None, busy: Reason = Reason.CAMPAIGN_BUSY) -> None:
        self._room, self._busy = room, busy
        self._sizes = dict.fromkeys(Priority, 0)
        self._waiting: dict[Priority, deque[asyncio.Future[None]]] = {each: deque() for each in Priority}

    @property
    def size(self) -> int:
        """Of those with whom the work under way shares its reads: a resync's rows only with each other."""
        last = self._sizes[Priority.LAST]
        return last if priority.current() is Priority.LAST else sum(self._sizes.values()) - last

    @asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        """A turn, from before its first read to its end. Raises Retry where there is no room for too long."""
        mine = priority.current()
        await self._enter(mine)
        try:
            yield
        finally:
            self._sizes[mine] -= 1
            self._let_in()

    async def _enter(self, mine: Priority) -> None:
        if mine is Priority.FIRST or self._has_room():
            self._sizes[mine] += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting[mine].append(place)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await place
        except BaseException as error:
            self._leave_line(place, mine)
            if isinstance(error, TimeoutError):
                raise Retry(self._busy, "no room for another turn") from None
            raise

    def _leave_line(self, place: asyncio.Future[None], mine: Priority) -> None:
        """Its place may have been given in the very moment in which it gave up: the next one has it then."""
        if place.done() and not place.cancelled():
            self._sizes[mine] -= 1
            self._let_in()

    def _let_in(self) -> None:
        for each, line in self._waiting.items():
            while line and self._has_room():
                place = line.popleft()
                if not place.done():
                    place.set_result(None)
                    self._sizes[each] += 1

    def _has_room(self) -> bool:
        return self._room is None or sum(self._sizes.values()) < max(ROOM_LEAST, self._room())
