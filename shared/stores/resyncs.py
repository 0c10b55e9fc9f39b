"""Resyncs on Azure Table Storage: an entity a run, all in one partition, and one for each of a run's partitions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient

from shared.domain.resync import Ending, Partition, Run, RunState, Scope, Slice
from shared.stores.storage_calls import LOST_RACE, READ_RETRIES, Table, error_code, listed, reading, writing, written

RUNS = "run"
Entity = dict[str, Any]


class TableResyncs:
    """Implements `shared.ports.resyncs.Resyncs`. Reads raise Retry, writes also Uncertain."""

    def __init__(self, service: TableServiceClient, name: str = "resyncs") -> None:
        self._table = Table(service, name)

    async def run(self, run_id: str) -> Run | None:
        """None: there is none."""
        entity = await self._get(RUNS, run_id)
        return None if entity is None else replace(run_of(entity), etag=entity["etag"])

    async def runs(self) -> Sequence[Run]:
        """The last begun first; without their ETags."""
        found = [run_of(entity) async for entity in listed(self._table, "PartitionKey eq @key", {"key": RUNS})]
        return sorted(found, key=lambda run: run.started_at, reverse=True)

    async def put_run(self, run: Run) -> Run | None:
        """None: somebody was faster."""
        etag = await self._put(run_entity(run), run.etag)
        return None if etag is None else replace(run, etag=etag)

    async def partition(self, run_id: str, number: int) -> Partition | None:
        """None: there is none."""
        entity = await self._get(f"part|{run_id}", f"{number:05}")
        return None if entity is None else replace(partition_of(entity), etag=entity["etag"])

    async def partitions(self, run_id: str) -> Sequence[Partition]:
        """By number; without their ETags."""
        found = listed(self._table, "PartitionKey eq @key", {"key": f"part|{run_id}"})
        return sorted([partition_of(entity) async for entity in found], key=lambda one: one.number)

    async def put_partition(self, partition: Partition) -> Partition | None:
        """None: somebody was faster."""
        etag = await self._put(partition_entity(partition), partition.etag)
        return None if etag is None else replace(partition, etag=etag)

    async def _get(self, partition: str, row: str) -> Entity | None:
        table = await self._table.ready()
        async with reading():
            try:
                entity = await table.get_entity(partition, row, retry_total=READ_RETRIES)
            except ResourceNotFoundError as error:
                self._table.heed(error)
                return None
        return {**entity, "etag": entity.metadata["etag"]}

    async def _put(self, entity: Entity, etag: str | None) -> str | None:
        table = await self._table.ready()
        async with writing():
            try:
                return await written(table, entity, etag)
            except HttpResponseError as error:
                self._table.heed(error)
                if error_code(error) in LOST_RACE:
                    return None
                raise


def run_entity(run: Run) -> Entity:
    """Without the columns that have nothing to say."""
    scope = run.scope
    return _kept(
        {
            "PartitionKey": RUNS,
            "RowKey": run.id,
            "table": scope.table,
            "filter": scope.filter,
            "condition": scope.condition,
            "lookups": json.dumps(sorted(scope.lookups)),
            "since": _text(scope.since),
            "ids": scope.ids,
            "mapping": run.mapping,
            "partitions": run.partitions,
            "by": run.by,
            "started_at": _text(run.started_at),
            "page_rows": run.page_rows,
            "per_second": run.per_second,
            "rows": run.rows,
            "create_first": run.create_first or None,
            "state": run.state.value,
            "epoch": run.epoch,
            "ended_at": _text(run.ended_at),
        }
    )


def run_of(entity: Mapping[str, Any]) -> Run:
    """The inverse, without its ETag."""
    scope = Scope(
        table=entity["table"],
        filter=entity.get("filter"),
        condition=entity.get("condition"),
        lookups=frozenset(json.loads(entity["lookups"])),
        since=_time(entity.get("since")),
        ids=entity.get("ids"),
    )
    return Run(
        id=entity["RowKey"],
        scope=scope,
        mapping=entity["mapping"],
        partitions=entity["partitions"],
        by=entity["by"],
        started_at=datetime.fromisoformat(entity["started_at"]),
        page_rows=entity["page_rows"],
        per_second=entity.get("per_second"),
        rows=entity.get("rows"),
        create_first=entity.get("create_first", False),
        state=RunState(entity["state"]),
        epoch=entity["epoch"],
        ended_at=_time(entity.get("ended_at")),
    )


def partition_entity(partition: Partition) -> Entity:
    """Ids as 16 bytes each: a page of 4,000 would still fit into one column."""
    return _kept(
        {
            "PartitionKey": f"part|{partition.run}",
            "RowKey": f"{partition.number:05}",
            "start": _text(partition.slice.start),
            "end": _text(partition.slice.end),
            "first": partition.slice.first,
            "last": partition.slice.last,
            "page": partition.page,
            "position": partition.position,
            "done": partition.done,
            "settled": _packed(partition.settled),
            "at_work": _packed(partition.at_work),
            "counts": json.dumps([[ending, slug, rows] for (ending, slug), rows in sorted(partition.counts.items())]),
            "calls": partition.calls,
            "looks_first": partition.looks_first or None,
            "moved_at": _text(partition.moved_at),
        }
    )


def partition_of(entity: Mapping[str, Any]) -> Partition:
    """The inverse, without its ETag."""
    return Partition(
        run=entity["PartitionKey"].removeprefix("part|"),
        number=int(entity["RowKey"]),
        slice=Slice(_time(entity.get("start")), _time(entity.get("end")), entity["first"], entity["last"]),
        page=entity["page"],
        position=entity.get("position"),
        done=entity["done"],
        settled=_unpacked(entity.get("settled", b"")),
        at_work=_unpacked(entity.get("at_work", b"")),
        counts=Counter({(Ending(ending), slug): rows for ending, slug, rows in json.loads(entity["counts"])}),
        calls=entity["calls"],
        looks_first=entity.get("looks_first", False),
        moved_at=_time(entity.get("moved_at")),
    )


def _kept(values: Entity) -> Entity:
    return {name: value for name, value in values.items() if value is not None}


def _packed(ids: Collection[str]) -> bytes | None:
    return b"".join(UUID(one).bytes for one in sorted(ids)) if ids else None


def _unpacked(packed: bytes) -> frozenset[str]:
    return frozenset(str(UUID(bytes=packed[at : at + 16])) for at in range(0, len(packed), 16))


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
