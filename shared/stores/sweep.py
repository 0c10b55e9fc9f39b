"""What the sweep keeps, on Azure Table Storage: positions, notes on opt-outs, tallies; and the ledger's pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.domain.sweep import Phase, Position
from shared.errors import Reason, Retry
from shared.ports.sweep import Digests, OptOutNote, Tally
from shared.stores.budget import TableCallCounter
from shared.stores.ledger_entity import PARTITIONS, address, from_entity, key_at, time_text
from shared.stores.ranges import entities_of, entity_at
from shared.stores.storage_calls import (
    LOST_RACE,
    READ_RETRIES,
    Table,
    error_code,
    listed,
    reading,
    writing,
    written,
)

Entity = dict[str, Any]
ROWS_PER_PAGE = 500
TRIES = 10


async def _stored(table: Table, entity: Entity, etag: str | None) -> str | None:
    """The new ETag, or None where somebody was faster. Raises Retry, Uncertain."""
    client = await table.ready()
    async with writing():
        try:
            return await written(client, entity, etag)
        except HttpResponseError as error:
            table.heed(error)
            if error_code(error) in LOST_RACE:
                return None
            raise


class TablePositions:
    """Implements `shared.ports.sweep.Positions`: an entity a Dynamics table, changed only under its ETag."""

    PARTITION = "position"

    def __init__(self, service: TableServiceClient, name: str = "sweep") -> None:
        self._table = Table(service, name)

    async def read(self, table: str) -> Position:
        """A beginning where nothing is stored. Raises Retry."""
        entity = await entity_at(self._table, self.PARTITION, table)
        if entity is None:
            return Position(table)
        return replace(_position(table, entity), etag=str(entity.metadata["etag"]))

    async def write(self, position: Position) -> Position | None:
        """As stored, or None if somebody was faster. Raises Retry, Uncertain."""
        moments = {"token_at": position.token_at, "began_at": position.began_at}
        columns = {
            "phase": str(position.phase),
            "page": position.page,
            "token": position.token,
            **{name: time_text(moment) for name, moment in moments.items() if moment is not None},
        }
        entity = {name: value for name, value in columns.items() if value is not None}
        key = {"PartitionKey": self.PARTITION, "RowKey": position.table}
        etag = await _stored(self._table, {**key, **entity}, position.etag)
        return None if etag is None else replace(position, etag=etag)


class TableOptOutNotes:
    """Implements `shared.ports.sweep.OptOutNotes`: an entity a contact; ids, a hash and a time."""

    def __init__(self, service: TableServiceClient, name: str = "agreed") -> None:
        self._table = Table(service, name)

    async def read_many(self, records: Collection[RecordKey]) -> Digests:
        """Without the records of which nothing was noted. Raises Retry."""
        found = await entities_of(self._table, records)
        return {record: str(entity["digest"]) for record, entity in found.items()}

    async def note(self, note: OptOutNote) -> None:
        """Unless it is there, or one of a later row. Raises Retry.

        It is written before anything is read: most notes are of a profile that was just made, and the first.
        """
        partition, row_key = address(note.record)
        at = time_text(note.modified_on)
        entity = {"PartitionKey": partition, "RowKey": row_key, "digest": note.digest, "at": at}
        etag: str | None = None
        for _ in range(TRIES):
            if await _stored(self._table, entity, etag) is not None:
                return
            known = await entity_at(self._table, partition, row_key)
            if known is not None and (known["digest"] == note.digest or _moment(known["at"]) > note.modified_on):
                return
            etag = None if known is None else str(known.metadata["etag"])
        raise Retry(Reason.LEDGER_RACE, f"{note.record}: noted by others {TRIES} times in a row")


class TableTallies:
    """Implements `shared.ports.sweep.Tallies`: an entity a day, as the counter of engine calls keeps it."""

    def __init__(self, service: TableServiceClient, name: str = "tallies") -> None:
        self._service, self._name = service, name
        self._table = Table(service, name)

    async def add(self, what: str, table: str, day: date) -> None:
        """One more. Raises Retry."""
        await TableCallCounter(self._service, self._name, f"{what}|{table}").reserve(day, 1, None)

    async def since(self, what: str, day: date) -> Sequence[Tally]:
        """By table and day. Raises Retry."""
        condition = "PartitionKey ge @first and PartitionKey lt @last and RowKey ge @day"
        parameters = {"first": f"{what}|", "last": f"{what}}}", "day": day.isoformat()}
        return [_tally(entity) async for entity in listed(self._table, condition, parameters)]


class TableLedgerPages:
    """Implements `shared.ports.sweep.LedgerPages`: partition after partition, in the order of the row keys."""

    def __init__(self, service: TableServiceClient, name: str = "ledger") -> None:
        self._table = Table(service, name)

    async def page(self, table: str, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """`after`: partition and last row key of the page before. Raises Retry."""
        partition, _, last = (after or f"{PARTITIONS[0]} ").partition(" ")
        condition = "PartitionKey eq @partition and RowKey gt @after and RowKey lt @end"
        parameters = {"partition": partition, "after": last or f"{table}|", "end": f"{table}}}"}
        client = await self._table.ready()
        query = client.query_entities(
            condition, parameters=parameters, results_per_page=ROWS_PER_PAGE, retry_total=READ_RETRIES
        )
        entities: list[Any] = []
        async with reading():
            async for page in query.by_page():  # storage may answer with an empty page and go on
                entities = [entity async for entity in page]
                if entities:
                    break
        rows = [from_entity(key_at(entity["RowKey"]), entity, etag="") for entity in entities]
        if entities:
            return rows, f"{partition} {entities[-1]['RowKey']}"
        following = PARTITIONS[PARTITIONS.index(partition) + 1 :]
        return rows, f"{following[0]} " if following else None


def _position(table: str, entity: Mapping[str, Any]) -> Position:
    return Position(
        table,
        Phase(entity["phase"]),
        entity.get("page"),
        entity.get("token"),
        _moment(entity["token_at"]) if "token_at" in entity else None,
        _moment(entity["began_at"]) if "began_at" in entity else None,
    )


def _tally(entity: Mapping[str, Any]) -> Tally:
    what, _, table = str(entity["PartitionKey"]).partition("|")
    return Tally(what, table, date.fromisoformat(entity["RowKey"]), int(entity["calls"]))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
