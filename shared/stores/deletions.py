"""How many deletions were ordered in the running hour, on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.stores.budget import TableCallCounter


class HourlyDeletions:
    """Implements `shared.ports.Deletions`. Hours are UTC; `counter` gives a Dynamics table's own, a row an hour."""

    def __init__(self, counter: Callable[[str], TableCallCounter], now: Callable[[], datetime]) -> None:
        self._counter, self._now = counter, now

    async def take(self, table: str, per_hour: int) -> bool:
        """Count one more; False: the hour's are used up. Raises Retry."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        return await self._counter(table).reserve(hour, 1, per_hour) == 1
