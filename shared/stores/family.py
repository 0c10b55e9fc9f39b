"""Which records are whose children, on Azure Table Storage: an entity a pair, in the parent's partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.stores.ledger_entity import key_of, key_text
from shared.stores.storage_calls import Table, listed, preparing


class TableFamily:
    """Implements `shared.ports.Family`. Every write may be repeated, so all of them raise Retry, never Uncertain."""

    def __init__(self, service: TableServiceClient, name: str = "family") -> None:
        self._table = Table(service, name)

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """Durable when it returns; again is as good as once. Raises Retry."""
        table = await self._table.ready()
        for parent in parents:
            async with preparing():
                entity = {"PartitionKey": key_text(parent), "RowKey": key_text(child)}
                await table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """The inverse. Raises Retry."""
        table = await self._table.ready()
        for parent in parents:
            async with preparing():
                await table.delete_entity(key_text(parent), key_text(child))

    async def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """In no order. Raises Retry."""
        async for entity in listed(self._table, "PartitionKey eq @parent", {"parent": key_text(parent)}):
            yield key_of(entity["RowKey"])
