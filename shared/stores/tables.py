"""The sync ledger and the watermarks on Azure Table Storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.stores.ledger_entity import address, from_entity, time_text, to_entity
from shared.stores.pending_marks import PendingMarks
from shared.stores.ranges import entities_of, entity_at
from shared.stores.storage_calls import LOST_RACE, READ_RETRIES, Table, error_code, reading, writing, written
from shared.stores.watches import WINDOW_S, Announcement, Watches


@dataclass(frozen=True)
class _Version:
    """What `LedgerRow.etag` holds for this store: storage's ETag, and what made that version of the row findable."""

    etag: str
    check_at: str
    pending: bool

    def __str__(self) -> str:
        return f"{self.check_at or '-'} {'pending' if self.pending else '-'} {self.etag}"

    @classmethod
    def of(cls, row: LedgerRow, etag: str) -> _Version:
        return cls(etag, time_text(row.check_at) if row.check_at else "", row.pending is not None)

    @classmethod
    def parse(cls, text: str) -> _Version:
        check_at, mark, etag = text.split(" ", 2)
        return cls(etag, "" if check_at == "-" else check_at, mark == "pending")


class TableLedger:
    """Implements `shared.ports.Ledger`: one entity a record, guarded by its ETag, in 16 partitions. `now` gives UTC.

    Searching the rows for those that wait (for a check, or for the end of a privacy request) would read all of them:
    at 30 million, half an hour, every few minutes. So `due` and `pending` read watches and marks, small entities that
    name such rows. They are durable before the row is written, and go only when it no longer needs them: whatever
    crashes where, no open row is missing. One too many is harmless, as the row itself is read before it is given.

    Reads are repeated by the SDK, writes of rows are not. Of these, the HTTP library repeats a replacement whose kept
    connection breaks: guarded by the ETag, the repetition of an applied one is refused.
    """

    def __init__(
        self,
        service: TableServiceClient,
        now: Callable[[], datetime],
        name: str = "ledger",
        *,
        watch_window_s: float = WINDOW_S,
    ) -> None:
        self._now = now
        self._table = Table(service, name)
        self._watches = Watches(self._table, now, window_s=watch_window_s)
        self._marks = PendingMarks(self._table, now)

    async def get(self, key: RecordKey) -> LedgerRow:
        """A never-seen row where there is none. Raises Retry."""
        return _row(key, await entity_at(self._table, *address(key)))

    async def get_many(self, keys: Sequence[RecordKey]) -> Sequence[LedgerRow]:
        """In the order of the keys. Raises Retry."""
        found = await entities_of(self._table, keys)
        return [_row(key, found.get(key)) for key in keys]

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """The stored row, or None if `row.etag` is not the stored one's. Raises Retry, Uncertain.

        A write that is answered with None may, after a fault in between, still be the one that was applied: the
        protocol's steps 4 and 11 read the row again.
        """
        read = _Version.parse(row.etag) if row.etag is not None else None
        watch = await self._watched(row, read)
        etag = await self._store(row, read)
        if etag is None:
            return None
        stored = replace(row, etag=str(_Version.of(row, etag)))
        await self._watches.written(row.etag, stored, watch)
        return stored

    async def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        """In no order. A row changed meanwhile is shown as it is now, or not at all. Raises Retry."""
        given: set[RecordKey] = set()
        async for watch in self._watches.begun(now):
            needed = False
            for key in watch.keys:
                row = await self.get(key)
                needed = needed or watch.covers(row.check_at)
                if row.check_at is not None and row.check_at <= now and key not in given:
                    given.add(key)
                    yield row
            if not needed and watch.landed(self._now()):
                await self._watches.remove(watch.name)

    async def pending(self) -> AsyncIterator[LedgerRow]:
        """In no order; one read a row. Raises Retry."""
        async for mark in self._marks.all():
            row = await self.get(mark.key)
            if row.pending is not None:
                yield row
            elif mark.landed(self._now()):
                await self._marks.remove(mark)

    async def _watched(self, row: LedgerRow, read: _Version | None) -> Announcement | None:
        """Make sure that the row will be found, if it says anything else about that than the version that was read."""
        if row.pending is not None and not (read is not None and read.pending):
            await self._marks.set(row.key)
        if row.check_at is None:
            return None
        same = time_text(row.check_at) == (read.check_at if read is not None else None)
        return None if same else await self._watches.announce(row.key, row.check_at)

    async def _store(self, row: LedgerRow, read: _Version | None) -> str | None:
        """The new ETag, or None. Raises Retry, Uncertain."""
        table = await self._table.ready()
        async with writing():
            try:
                return await written(table, to_entity(row), read.etag if read is not None else None)
            except HttpResponseError as error:
                self._table.heed(error)
                if error_code(error) in LOST_RACE:
                    return None
                raise


def _row(key: RecordKey, entity: TableEntity | None) -> LedgerRow:
    if entity is None:
        return LedgerRow(key)
    row = from_entity(key, entity, etag="")
    return replace(row, etag=str(_Version.of(row, entity.metadata["etag"] or "")))


class TableWatermarks:
    """Implements `shared.ports.Watermarks`. A name may hold any characters, up to some 300; a value up to 32,000."""

    PARTITION = "watermark"

    def __init__(self, service: TableServiceClient, name: str = "watermarks") -> None:
        self._table = Table(service, name)

    async def read(self, name: str) -> str | None:
        """None: never written. Raises Retry."""
        table = await self._table.ready()
        async with reading():
            try:
                entity = await table.get_entity(self.PARTITION, _key_text(name), retry_total=READ_RETRIES)
            except ResourceNotFoundError:
                return None
        return str(entity["value"])

    async def write(self, name: str, value: str) -> None:
        """Overwrites. Raises Retry, Uncertain.

        A transaction, because it travels as a POST, which no library sends twice.
        """
        table = await self._table.ready()
        entity = {"PartitionKey": self.PARTITION, "RowKey": _key_text(name), "value": value}
        async with writing():
            await table.submit_transaction([("upsert", entity, {"mode": UpdateMode.REPLACE})])


def _key_text(name: str) -> str:
    """Percent encoding with `=`: keys may not hold / \\ # ?, and a percent sign is decoded twice on the way."""
    return quote(name, safe="").replace("%", "=")
