"""Watches: small entities that name the ledger rows whose check will be due, durable before the rows themselves are.

Rows that ask within the same few milliseconds share one watch, so that a row costs a part of a request only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import uuid4

from azure.data.tables import UpdateMode

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.errors import Outcome
from shared.stores.ledger_entity import Entity, key_of, key_text, time_text
from shared.stores.storage_calls import READ_RETRIES, Table, listed, preparing

logger = logging.getLogger(f"bridge.{__name__}")

# One partition takes 2,000 requests a second; a watch makes two in its life, and serves several rows.
PARTITION = "watch"
ROWS_MAX = 100
WINDOW_S = 0.005
# A row that follows its announcement is written within seconds, or its process has died: no function runs for longer
# than four minutes. From then on what an announcement names and is not there will not come.
LANDED_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Watch:
    """As stored: these rows may be waiting for a check at some time from `first` to `latest`."""

    name: str
    keys: tuple[RecordKey, ...]
    first: datetime
    latest: datetime
    announced_at: datetime

    def covers(self, check_at: datetime | None) -> bool:
        """Whether a row that it names needs this watch to be found. May say so of a row that has another one, too."""
        return check_at is not None and self.first <= check_at <= self.latest

    def landed(self, now: datetime) -> bool:
        """Every row that was to be written under it has been, or never will be."""
        return self.announced_at + LANDED_AFTER <= now

    def entity(self) -> Entity:
        """Sorted by the first check: those that are due are one range of keys."""
        return {
            "PartitionKey": PARTITION,
            "RowKey": self.name,
            "rows": json.dumps([key_text(key) for key in self.keys]),
            "first": time_text(self.first),
            "latest": time_text(self.latest),
            "announced_at": time_text(self.announced_at),
        }

    @classmethod
    def read(cls, entity: Mapping[str, Any]) -> Self:
        """The inverse of `entity`."""
        times = (datetime.fromisoformat(entity[name]) for name in ("first", "latest", "announced_at"))
        return cls(entity["RowKey"], tuple(key_of(text) for text in json.loads(entity["rows"])), *times)


class Announcement:
    """A watch in the making, and then the count of the rows that still need it; this process alone knows that."""

    def __init__(self) -> None:
        self.name = ""
        self.asked: list[tuple[RecordKey, datetime]] = []
        self.held = 0
        self.stored: asyncio.Task[None]

    def add(self, key: RecordKey, check_at: datetime) -> None:
        """The same row may ask twice: two workers, of whom one will lose."""
        self.asked.append((key, check_at))
        self.held += 1

    @property
    def latest(self) -> datetime:
        """The last check that it announces."""
        return max(check_at for _, check_at in self.asked)

    def watch(self, now: datetime) -> Watch:
        """What is stored; it has its name from now on."""
        first = min(check_at for _, check_at in self.asked)
        self.name = f"{_sortable(first)}|{uuid4().hex}"
        keys = tuple(dict.fromkeys(key for key, _ in self.asked))
        return Watch(self.name, keys, first, self.latest, announced_at=now)


class Watches:
    """Of one ledger table. `now` gives UTC.

    What was announced here and is over is removed here, at once. What a crash, a lost race or another process leaves
    behind, `remove` is for.
    """

    def __init__(self, table: Table, now: Callable[[], datetime], *, window_s: float) -> None:
        self._table, self._now, self._window_s = table, now, window_s
        self._open: Announcement | None = None
        # By the row's version: whoever writes over that very version knows that nobody else relies on the watch.
        self._relied_on: dict[tuple[RecordKey, str | None], Announcement] = {}

    async def announce(self, key: RecordKey, check_at: datetime) -> Announcement:
        """Returns when the watch is durable: only then may the row be written. Raises Retry."""
        self._forget_old()
        announcement = self._open
        if announcement is None or len(announcement.asked) >= ROWS_MAX:
            announcement = self._open = Announcement()
            announcement.stored = asyncio.create_task(self._store(announcement))
        announcement.add(key, check_at)
        await asyncio.shield(announcement.stored)
        return announcement

    async def written(self, over: str | None, row: LedgerRow, by: Announcement | None) -> None:
        """`row` was stored over the version with that ETag, for which `by` was announced (None: nothing new).

        Removes the watch that was needed for no row but this one's last version.
        """
        before = self._relied_on.pop((row.key, over), None)
        after = (by or before) if row.check_at is not None else None
        if after is not None:
            self._relied_on[row.key, row.etag] = after
        if before is not None and before is not after:
            await self._release(before)

    async def begun(self, now: datetime) -> AsyncIterator[Watch]:
        """Those of whose rows one may be due. Raises Retry."""
        condition = f"PartitionKey eq '{PARTITION}' and RowKey le @last"
        async for entity in listed(self._table, condition, {"last": f"{_sortable(now)}~"}):
            yield Watch.read(entity)

    async def remove(self, name: str) -> None:
        """It may be gone already. A failure concerns no row and is logged only: `begun` will show the watch again."""
        try:
            async with preparing():
                table = await self._table.ready()
                await table.delete_entity(PARTITION, name, retry_total=READ_RETRIES)
        except Outcome as outcome:
            logger.info("watch %s stays until a later ledger check: %s", name, outcome)

    async def _store(self, announcement: Announcement) -> None:
        await asyncio.sleep(self._window_s)
        if self._open is announcement:
            self._open = None
        async with preparing():
            table = await self._table.ready()
            entity = announcement.watch(self._now()).entity()
            await table.upsert_entity(entity, mode=UpdateMode.REPLACE, retry_total=READ_RETRIES)

    async def _release(self, announcement: Announcement) -> None:
        announcement.held -= 1
        if not announcement.held:
            await self.remove(announcement.name)

    def _forget_old(self) -> None:
        """Rows that others settle never come back here; once their checks are due, `begun` shows their watch."""
        now = self._now()
        while self._relied_on and self._relied_on[oldest := next(iter(self._relied_on))].latest < now:
            del self._relied_on[oldest]


def _sortable(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
