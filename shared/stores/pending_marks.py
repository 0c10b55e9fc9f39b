"""Marks of the ledger rows that have a pending privacy request: one entity a row, durable before the row itself is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import UpdateMode

from shared.domain.change import RecordKey
from shared.errors import Outcome
from shared.stores.ledger_entity import key_of, key_text, time_text
from shared.stores.storage_calls import LOST_RACE, READ_RETRIES, Table, error_code, listed, preparing

logger = logging.getLogger(f"bridge.{__name__}")

PARTITION = "pending"
# A row is written within seconds of its mark. An hour is generous, as a mark without a row costs one read a minute.
LANDED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Mark:
    """As stored: this row may have a pending request."""

    key: RecordKey
    marked_at: datetime
    etag: str

    def landed(self, now: datetime) -> bool:
        """The row that was to be written under it has been, or never will be."""
        return self.marked_at + LANDED_AFTER <= now

    @classmethod
    def read(cls, entity: Any) -> Self:  # noqa: ANN401 - the SDK's entity: a mapping with metadata
        """From a listing."""
        marked_at = datetime.fromisoformat(entity["marked_at"])
        return cls(key_of(entity["RowKey"]), marked_at, entity.metadata["etag"])


class PendingMarks:
    """Of one ledger table. `now` gives UTC."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self._table, self._now = table, now

    async def set(self, key: RecordKey) -> None:
        """Returns when the mark is durable: only then may the row be written. Raises Retry."""
        entity = {"PartitionKey": PARTITION, "RowKey": key_text(key), "marked_at": time_text(self._now())}
        async with preparing():
            table = await self._table.ready()
            await table.upsert_entity(entity, mode=UpdateMode.REPLACE, retry_total=READ_RETRIES)

    async def all(self) -> AsyncIterator[Mark]:
        """Raises Retry."""
        async for entity in listed(self._table, f"PartitionKey eq '{PARTITION}'", {}):
            yield Mark.read(entity)

    async def remove(self, mark: Mark) -> None:
        """Unless it was set again since it was listed. A failure is logged only: `all` will show the mark again."""
        try:
            async with preparing():
                await self._delete(mark)
        except Outcome as outcome:
            logger.info("the mark of %s stays until a later ledger check: %s", mark.key, outcome)

    async def _delete(self, mark: Mark) -> None:
        table = await self._table.ready()
        row_key, unchanged = key_text(mark.key), MatchConditions.IfNotModified
        try:
            await table.delete_entity(PARTITION, row_key, etag=mark.etag, match_condition=unchanged)
        except HttpResponseError as error:
            if error_code(error) not in LOST_RACE:
                raise
