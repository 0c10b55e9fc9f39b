"""How many deletions were ordered in the running hour, on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.stores.budget import TableCallCounter


class HourlyDeletions:
    """Implements `shared.ports.Deletions`. Hours are UTC; `counter` keeps a row for each, in a table of its own."""

    def __init__(self, counter: TableCallCounter, now: Callable[[], datetime]) -> None:
        self._counter, self._now = counter, now

    async def take(self, per_hour: int) -> bool:
        """Count one more; False: the hour's are used up. Raises Retry."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        return await self._counter.reserve(hour, 1, per_hour) == 1
