"""What the ledger's table holds, as stored, and which open rows its watches and marks would miss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from azure.data.tables.aio import TableClient

from shared.domain.ledger import LedgerRow
from shared.stores import pending_marks, watches
from shared.stores.ledger_entity import PARTITIONS, from_entity, key_at
from shared.stores.pending_marks import Mark
from shared.stores.watches import Watch


@dataclass
class Found:
    """All entities at one moment."""

    rows: list[LedgerRow] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @classmethod
    async def now(cls, table: TableClient) -> Self:
        found = cls()
        async for entity in table.list_entities():
            if entity["PartitionKey"] == watches.PARTITION:
                found.watches.append(Watch.read(entity))
            elif entity["PartitionKey"] == pending_marks.PARTITION:
                found.marks.append(Mark.read(entity))
            else:
                assert entity["PartitionKey"] in PARTITIONS
                found.rows.append(from_entity(key_at(entity["RowKey"]), entity, "e"))
        return found

    def missing(self) -> list[str]:
        """Open rows that `due` or `pending` would not find."""
        marked = {mark.key for mark in self.marks}
        unmarked = [f"{row.key} pending" for row in self.rows if row.pending is not None and row.key not in marked]
        return unmarked + [f"{row.key} due" for row in self.rows if row.check_at is not None and not self._watched(row)]

    def _watched(self, row: LedgerRow) -> bool:
        return any(row.key in watch.keys and watch.covers(row.check_at) for watch in self.watches)
