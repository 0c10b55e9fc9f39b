"""Which records are whose children, on Azure Table Storage: an entity a pair, in the parent's partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.stores.storage_calls import READ_RETRIES, Table, reading


class TableFamily:
    """Implements `shared.ports.Family`. Every write may be repeated, so all of them raise Retry, never Uncertain."""

    def __init__(self, service: TableServiceClient, name: str = "family") -> None:
        self._table = Table(service, name)

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """Durable when it returns; again is as good as once. Raises Retry."""
        table = await self._table.ready()
        for parent in parents:
            async with reading():
                entity = {"PartitionKey": _text(parent), "RowKey": _text(child)}
                await table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """The inverse. Raises Retry."""
        table = await self._table.ready()
        for parent in parents:
            async with reading():
                await table.delete_entity(_text(parent), _text(child))

    async def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """In no order. Raises Retry."""
        table = await self._table.ready()
        pages = table.query_entities(
            "PartitionKey eq @parent",
            parameters={"parent": _text(parent)},
            select=["RowKey"],
            retry_total=READ_RETRIES,
        ).by_page()
        while True:
            async with reading():
                page = await anext(pages, None)
                if page is None:
                    return
                children = [_key(entity["RowKey"]) async for entity in page]
            for child in children:
                yield child


def _text(key: RecordKey) -> str:
    return f"{key.table}|{key.id}"


def _key(text: str) -> RecordKey:
    table, _, record_id = text.partition("|")
    return RecordKey(table, record_id)
