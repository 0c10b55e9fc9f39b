"""The file ledger on Azure Table Storage: one entity for each file seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.domain.optout_file import FileRecord, FileState, RemoteFile
from shared.stores.storage_calls import READ_RETRIES, Table, reading, writing

PARTITION = "file"


class TableFileLedger:
    """Implements `shared.ports.FileLedger`. A file a day: all of them are one small partition."""

    def __init__(self, service: TableServiceClient, name: str = "optoutfiles") -> None:
        self._table = Table(service, name)

    async def get(self, file: RemoteFile) -> FileRecord | None:
        """None: never seen. Raises Retry."""
        table = await self._table.ready()
        async with reading():
            try:
                entity = await table.get_entity(PARTITION, _key(file), retry_total=READ_RETRIES)
            except ResourceNotFoundError:
                return None
        return _record(entity)

    async def put(self, record: FileRecord) -> None:
        """Overwrites. Raises Retry, Uncertain."""
        table = await self._table.ready()
        async with writing():
            await table.submit_transaction([("upsert", _entity(record), {"mode": UpdateMode.REPLACE})])

    async def delete(self, record: FileRecord) -> None:
        """Nothing happens if it is gone. Raises Retry, Uncertain."""
        table = await self._table.ready()
        async with writing():
            await table.delete_entity(PARTITION, _key(record.file))

    async def all(self) -> Sequence[FileRecord]:
        """The first seen first. Raises Retry."""
        table = await self._table.ready()
        found: list[FileRecord] = []
        pages = table.query_entities(f"PartitionKey eq '{PARTITION}'", retry_total=READ_RETRIES).by_page()
        while True:
            async with reading():
                page = await anext(pages, None)
                if page is None:
                    return sorted(found, key=lambda record: (record.first_seen, record.file.name))
                found += [_record(entity) async for entity in page]


def _key(file: RemoteFile) -> str:
    """Percent encoding with `=`: keys may not hold / \\ # ?, and a percent sign is decoded twice on the way."""
    return quote(file.identity, safe="").replace("%", "=")


def _entity(record: FileRecord) -> dict[str, Any]:
    """A property that is None is left out. Times as text: a table's own have another precision and time zone rules."""
    file = record.file
    values = {
        "name": file.name,
        "size": str(file.size),  # a table's plain integers end at 2 GiB
        "modified_at": file.modified_at.isoformat(),
        "first_seen": record.first_seen.isoformat(),
        "state": record.state.value,
        "rows": record.rows,
        "strangers": record.strangers,
        "bad_rows": record.bad_rows,
        "newest": _text(record.newest),
        "line": record.line,
        "hints": record.hints,
        "finished_at": _text(record.finished_at),
        "problem": record.problem,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    return {"PartitionKey": PARTITION, "RowKey": _key(file), **kept}


def _record(entity: Mapping[str, Any]) -> FileRecord:
    file = RemoteFile(entity["name"], int(entity["size"]), datetime.fromisoformat(entity["modified_at"]))
    return FileRecord(
        file=file,
        first_seen=datetime.fromisoformat(entity["first_seen"]),
        state=FileState(entity["state"]),
        rows=entity["rows"],
        strangers=entity["strangers"],
        bad_rows=entity["bad_rows"],
        newest=_time(entity.get("newest")),
        line=entity["line"],
        hints=entity["hints"],
        finished_at=_time(entity.get("finished_at")),
        problem=entity["problem"],
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
