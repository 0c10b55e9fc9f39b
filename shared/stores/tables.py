"""The sync ledger and the watermarks on Azure Table Storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableErrorCode, TableTransactionError, UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.stores.ledger_entity import (
    OPEN_PREFIX,
    PARTITIONS,
    address,
    from_entity,
    is_open,
    key_of_open,
    open_entity,
    time_text,
    to_entity,
)
from shared.stores.storage_calls import READ_RETRIES, Table, error_code, reading, writing

# Storage's words for "the row is not the one that you read".
LOST_RACE = frozenset(
    {
        TableErrorCode.ENTITY_ALREADY_EXISTS,
        TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED,
        TableErrorCode.CONDITION_NOT_MET,
        TableErrorCode.RESOURCE_NOT_FOUND,
        TableErrorCode.ENTITY_NOT_FOUND,
    }
)
Operation = tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class _Version:
    """What `LedgerRow.etag` holds for this store: storage's ETag, and whether the row had an open entity."""

    etag: str
    open: bool

    def __str__(self) -> str:
        return f"{'open' if self.open else 'rest'} {self.etag}"

    @classmethod
    def parse(cls, text: str) -> _Version:
        mark, _, etag = text.partition(" ")
        return cls(etag, mark == "open")


class TableLedger:
    """Implements `shared.ports.Ledger`: one entity a record, guarded by its ETag, in 16 partitions.

    A row that waits (for a check, or for the end of a privacy request) has a second, small *open* entity in the same
    partition, written and removed in one transaction with the row. Storage applies both or none, so whatever crashes
    where, an open row is never missing from `due` and `pending`, and these read 16 short ranges of keys. Searching the
    rows themselves would need no second entity, but read all of them: at 30 million, half an hour, every few minutes.

    Reads are repeated by the SDK; writes are not. Every write is a transaction, even of one entity: it travels as a
    POST, and any other method the HTTP library repeats by itself when a kept connection breaks.
    """

    def __init__(self, service: TableServiceClient, name: str = "ledger") -> None:
        self._table = Table(service, name)

    async def get(self, key: RecordKey) -> LedgerRow:
        """A never-seen row where there is none. Raises Retry."""
        table = await self._table.ready()
        partition, row_key = address(key)
        async with reading():
            try:
                entity = await table.get_entity(partition, row_key, retry_total=READ_RETRIES)
            except ResourceNotFoundError as error:
                self._check_table(error)
                return LedgerRow(key)
        row = from_entity(key, entity, etag="")
        return replace(row, etag=str(_Version(entity.metadata["etag"] or "", is_open(row))))

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """The stored row, or None if `row.etag` is not the stored one's. Raises Retry, Uncertain.

        A write that is answered with None may, after a fault in between, still be the one that was applied: the
        protocol's steps 4 and 11 read the row again.
        """
        read = _Version.parse(row.etag) if row.etag is not None else None
        unmark = read is not None and read.open and not is_open(row)
        try:
            return await self._store(row, read, unmark=unmark)
        except _UnmarkedError:
            # Somebody removed the open entity by hand. The transaction was refused whole, so this is no repetition.
            return await self._store(row, read, unmark=False)

    async def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        """In no order. A row changed meanwhile is shown as it is now, or not at all. Raises Retry."""
        condition = "check_at le @now"
        async for row in self._open_rows(condition, {"now": time_text(now)}):
            if row.check_at is not None and row.check_at <= now:
                yield row

    async def pending(self) -> AsyncIterator[LedgerRow]:
        """In no order; one read a row. Raises Retry."""
        async for row in self._open_rows("pending eq true", {}):
            if row.pending is not None:
                yield row

    async def _store(self, row: LedgerRow, read: _Version | None, *, unmark: bool) -> LedgerRow | None:
        table = await self._table.ready()
        operations = _operations(row, read, unmark=unmark)
        async with writing():
            try:
                metadata = await table.submit_transaction(operations)
            except TableTransactionError as error:
                self._check_table(error)
                if unmark and error.index == 1 and error.status_code == 404:
                    raise _UnmarkedError from error
                if error_code(error) in LOST_RACE:
                    return None
                raise
        return replace(row, etag=str(_Version(metadata[0]["etag"], is_open(row))))

    async def _open_rows(self, condition: str, parameters: dict[str, str]) -> AsyncIterator[LedgerRow]:
        for partition in PARTITIONS:
            async for key in self._open_keys(partition, condition, parameters):
                yield await self.get(key)

    async def _open_keys(self, partition: str, condition: str, values: dict[str, str]) -> AsyncIterator[RecordKey]:
        table = await self._table.ready()
        pages = table.query_entities(
            f"PartitionKey eq @partition and RowKey ge @first and {condition}",
            parameters={"partition": partition, "first": OPEN_PREFIX, **values},
            select=["RowKey"],
            retry_total=READ_RETRIES,
        ).by_page()
        while True:
            async with reading():
                page = await anext(pages, None)
                if page is None:
                    return
                keys = [key_of_open(entity["RowKey"]) async for entity in page]
            for key in keys:
                yield key

    def _check_table(self, error: ResourceNotFoundError | TableTransactionError) -> None:
        if error_code(error) == TableErrorCode.TABLE_NOT_FOUND:
            self._table.forget()
            raise error


class _UnmarkedError(Exception):
    """The open entity that a transaction wanted to remove is not there."""


def _operations(row: LedgerRow, read: _Version | None, *, unmark: bool) -> list[Operation]:
    """The row first: the position in a transaction's error tells which of the two was refused."""
    operations: list[Operation] = [_row_operation(row, read)]
    if is_open(row):
        operations.append(("upsert", open_entity(row), {"mode": UpdateMode.REPLACE}))
    elif unmark:
        operations.append(("delete", open_entity(row)))
    return operations


def _row_operation(row: LedgerRow, read: _Version | None) -> Operation:
    if read is None:
        return ("create", to_entity(row))
    guard = {"mode": UpdateMode.REPLACE, "etag": read.etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", to_entity(row), guard)


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
        """Overwrites. Raises Retry, Uncertain."""
        table = await self._table.ready()
        entity = {"PartitionKey": self.PARTITION, "RowKey": _key_text(name), "value": value}
        async with writing():
            await table.submit_transaction([("upsert", entity, {"mode": UpdateMode.REPLACE})])


def _key_text(name: str) -> str:
    """Percent encoding with `=`: keys may not hold / \\ # ?, and a percent sign is decoded twice on the way."""
    return quote(name, safe="").replace("%", "=")
