"""How many engine calls were reserved on each day, on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableServiceClient

from shared.errors import Reason, Retry
from shared.stores.storage_calls import LOST_RACE, READ_RETRIES, Table, error_code, reading

# Each lost race means that another process got its block: of four that ask all the time, one in 6,000 loses so often.
TRIES = 30


class TableCallCounter:
    """Implements `shared.clients.budget.CallCounter`: one row a day, changed only under its ETag.

    The rows stay: they are the history of what was used, a few bytes a day. A write whose answer is lost may count
    calls that nobody makes, never the other way round.
    """

    def __init__(self, service: TableServiceClient, name: str = "calls", partition: str = "campaign") -> None:
        self._table, self._partition = Table(service, name), partition

    async def reserve(self, day: date, calls: int, budget: int | None) -> int:
        """Count as many of the calls as the budget still holds (None: all), and say how many. Raises Retry."""

        def granted(counted: int) -> int:
            return calls if budget is None else max(0, min(calls, budget - counted))

        return await self._add(day, granted)

    async def give_back(self, day: date, calls: int) -> None:
        """Take calls off the count that were reserved and not made. Raises Retry."""
        await self._add(day, lambda counted: -min(calls, counted))

    async def counted(self, day: date) -> int:
        """The calls reserved on that day, less those given back. Raises Retry."""
        return (await self._read(day))[0]

    async def _add(self, day: date, change: Callable[[int], int]) -> int:
        for _ in range(TRIES):
            counted, etag = await self._read(day)
            difference = change(counted)
            if not difference or await self._write(day, counted + difference, etag):
                return difference
        raise Retry(Reason.LEDGER_RACE, f"the count of {day} changed {TRIES} times in a row")

    async def _read(self, day: date) -> tuple[int, str | None]:
        table = await self._table.ready()
        async with reading():
            try:
                entity = await table.get_entity(self._partition, day.isoformat(), retry_total=READ_RETRIES)
            except ResourceNotFoundError:
                return 0, None
        return int(entity["calls"]), entity.metadata["etag"]

    async def _write(self, day: date, calls: int, etag: str | None) -> bool:
        """False: somebody was faster. A transaction, because it travels as a POST, which no library sends twice."""
        table = await self._table.ready()
        entity: dict[str, Any] = {"PartitionKey": self._partition, "RowKey": day.isoformat(), "calls": calls}
        guard = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
        async with reading():  # not `writing`: to the call that waits for its block an open write is just a lost block
            try:
                await table.submit_transaction([("create", entity) if etag is None else ("update", entity, guard)])
            except TableTransactionError as error:
                self._table.heed(error)
                if error_code(error) in LOST_RACE:
                    return False
                raise
        return True
