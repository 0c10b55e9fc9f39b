"""Conformance of the runs and of the lists of ids: every test here runs over the fakes and over storage."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables.aio import TableServiceClient

from sandbox.azurite import Azurite
from shared.domain.resync import Ending, Partition, Run, RunState, Scope, Slice
from shared.ports.resyncs import IdLists, Resyncs
from shared.stores.id_lists import BlobIdLists
from shared.stores.mappings import blob_service
from shared.stores.memory_resyncs import MemoryIdLists, MemoryResyncs
from shared.stores.resyncs import TableResyncs

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SCOPE = Scope("contact", "{column: a_b, is: equals, value: 1}", "a_b eq 1", frozenset({"a_b"}), NOW, None)
RUN = Run("20260304-050607-00aa11", SCOPE, "m1", 3, "somebody", NOW, 250, 2.5, 1000)
IDS = [str(uuid.UUID(int=number)) for number in range(5)]
PART = Partition(
    RUN.id,
    2,
    Slice(NOW - timedelta(days=1), NOW),
    page=3,
    position="contacts?$skiptoken=x",
    settled=frozenset(IDS[:2]),
    at_work=frozenset(IDS[2:]),
    counts=Counter({(Ending.SETTLED, "written"): 7, (Ending.PARKED, "refused_value"): 1}),
    calls=9,
    looks_first=True,
    moved_at=NOW,
)


@pytest.fixture(params=["memory", "tables"])
def resyncs(request: pytest.FixtureRequest, table_name: str) -> Resyncs:
    if request.param == "memory":
        return MemoryResyncs()
    service: TableServiceClient = request.getfixturevalue("service")
    return TableResyncs(service, table_name)


@pytest.fixture(params=["memory", "blobs"])
async def id_lists(request: pytest.FixtureRequest, storage: Azurite) -> AsyncIterator[IdLists]:
    if request.param == "memory":
        yield MemoryIdLists()
        return
    async with blob_service(storage.connection_string) as service:
        yield BlobIdLists(service, f"ids-{uuid.uuid4().hex}")


async def test_what_is_not_there(resyncs: Resyncs) -> None:
    assert await resyncs.run("none") is None
    assert await resyncs.partition("none", 0) is None
    assert (list(await resyncs.runs()), list(await resyncs.partitions("none"))) == ([], [])


@pytest.mark.parametrize(
    "run", [RUN, replace(RUN, create_first=True), Run("r2", Scope("new_vehicle", ids=4), "m1", 1, "somebody", NOW)]
)
async def test_a_run_comes_back_as_it_was(resyncs: Resyncs, run: Run) -> None:
    stored = await resyncs.put_run(run)
    assert stored is not None
    read = await resyncs.run(run.id)
    assert read == stored
    assert replace(stored, etag=None) == run


@pytest.mark.parametrize("part", [PART, Partition(RUN.id, 0, Slice(first=3, last=9))])
async def test_a_partition_comes_back_as_it_was(resyncs: Resyncs, part: Partition) -> None:
    stored = await resyncs.put_partition(part)
    assert stored is not None
    assert await resyncs.partition(part.run, part.number) == stored
    assert replace(stored, etag=None) == part


async def test_only_who_read_the_last_version_may_write(resyncs: Resyncs) -> None:
    first = await resyncs.put_run(RUN)
    assert first is not None
    assert await resyncs.put_run(RUN) is None, "there is one of that name"
    second = await resyncs.put_run(replace(first, state=RunState.PAUSED))
    assert second is not None
    assert await resyncs.put_run(replace(first, state=RunState.CANCELLED)) is None
    part = await resyncs.put_partition(PART)
    assert part is not None
    assert await resyncs.put_partition(replace(part, page=4)) is not None
    assert await resyncs.put_partition(replace(part, page=5)) is None


async def test_runs_the_last_begun_first_and_partitions_by_number(resyncs: Resyncs) -> None:
    for hours in (1, 3, 2):
        await resyncs.put_run(replace(RUN, id=f"r{hours}", started_at=NOW + timedelta(hours=hours)))
    for number in (10, 2, 0):
        await resyncs.put_partition(replace(PART, number=number))
    await resyncs.put_partition(replace(PART, run="another"))
    assert [run.id for run in await resyncs.runs()] == ["r3", "r2", "r1"]
    assert [one.number for one in await resyncs.partitions(RUN.id)] == [0, 2, 10]


async def test_any_part_of_a_list_of_ids(id_lists: IdLists) -> None:
    await id_lists.store("r1", IDS)
    await id_lists.store("r1", IDS)
    assert list(await id_lists.read("r1", 0, 2)) == IDS[:2]
    assert list(await id_lists.read("r1", 3, 2)) == IDS[3:]
    assert list(await id_lists.read("r1", 5, 0)) == []
