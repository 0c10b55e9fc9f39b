"""Entities of many records at once: of each partition one range of its keys, in as few requests as that allows."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableEntity

from shared.domain.change import RecordKey
from shared.stores.ledger_entity import address
from shared.stores.storage_calls import READ_RETRIES, Table, reading

T = TypeVar("T")
READS_AT_ONCE = 32
# A range may hold records that nobody asked for. A request of its own costs more than so many of them.
MOST_FOR_ONE = 8
MOST_IN_ANSWER = 1000  # of storage
CONDITION = "PartitionKey eq @partition and RowKey ge @first and RowKey le @last"


async def entity_at(table: Table, partition: str, row_key: str) -> TableEntity | None:
    """One entity; None: there is none. Raises Retry."""
    client = await table.ready()
    async with reading():
        try:
            return await client.get_entity(partition, row_key, retry_total=READ_RETRIES)
        except ResourceNotFoundError as error:
            table.heed(error)
            return None


async def entities_of(table: Table, keys: Iterable[RecordKey]) -> Mapping[RecordKey, TableEntity]:
    """Those that there are. Raises Retry.

    Right in whatever order the records are; cheap for records that stand close together in the order of the row keys,
    as a page of Dataverse's rows does.
    """
    wanted = {address(key): key for key in keys}
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (partition, row_key), key in wanted.items():
        groups[partition, key.table].append(row_key)
    turns = asyncio.Semaphore(READS_AT_ONCE)
    found = await _all(_some(table, partition, sorted(row_keys), turns) for (partition, _), row_keys in groups.items())
    entities = (entity for some in found for entity in some)
    return {wanted[entity["PartitionKey"], entity["RowKey"]]: entity for entity in entities}


async def _some(table: Table, partition: str, row_keys: Sequence[str], turns: asyncio.Semaphore) -> list[TableEntity]:
    """Of one partition: what a first answer covers of the range, and the rest one by one. `row_keys`: sorted."""
    found: list[TableEntity] = []
    if len(row_keys) > 1:
        async with turns:
            within, end = await _range(table, partition, row_keys)
        wanted = set(row_keys)
        found = [entity for entity in within if entity["RowKey"] in wanted]
        row_keys = row_keys[bisect_right(row_keys, end) :]

    async def one(row_key: str) -> TableEntity | None:
        async with turns:
            return await entity_at(table, partition, row_key)

    singles = await _all(map(one, row_keys))
    return found + [entity for entity in singles if entity is not None]


async def _range(table: Table, partition: str, row_keys: Sequence[str]) -> tuple[list[TableEntity], str]:
    """One answer's entities, and the row key up to which nothing is missing."""
    first, last = row_keys[0], row_keys[-1]
    client = await table.ready()
    pages = client.query_entities(
        CONDITION,
        parameters={"partition": partition, "first": first, "last": last},
        results_per_page=min(MOST_IN_ANSWER, MOST_FOR_ONE * len(row_keys)),
        retry_total=READ_RETRIES,
    ).by_page()
    async with reading():
        try:
            page = await anext(pages)
        except HttpResponseError as error:
            table.heed(error)
            raise
        entities = [entity async for entity in page]
    if pages.continuation_token is None:  # type: ignore[attr-defined]  # azure-core's iterator has it
        return entities, last
    return entities, entities[-1]["RowKey"] if entities else ""


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results, in order. What the first failure leaves undone is not waited for."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
