"""Conformance of the families: every test here runs over the fake and over Table Storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.ports import Family
from shared.stores.family import TableFamily

OWNER = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
OTHER = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000002")
VEHICLE = RecordKey("new_vehicle", "5a1c1c1e-0000-4000-8000-000000000003")


def vehicle(number: int) -> RecordKey:
    return RecordKey("new_vehicle", f"{number:08x}-0000-4000-8000-000000000000")


async def listed(children: AsyncIterator[RecordKey]) -> list[RecordKey]:
    return sorted([child async for child in children])


async def test_a_parent_nobody_joined_has_no_children(family: Family) -> None:
    assert await listed(family.children(OWNER)) == []


async def test_joining_again_is_as_good_as_once(family: Family) -> None:
    for _ in range(3):
        await family.join(VEHICLE, [OWNER])
    assert await listed(family.children(OWNER)) == [VEHICLE]


async def test_a_child_may_have_several_parents_and_leave_one(family: Family) -> None:
    await family.join(VEHICLE, [OWNER, OTHER])
    await family.leave(VEHICLE, [OWNER])
    assert await listed(family.children(OWNER)) == []
    assert await listed(family.children(OTHER)) == [VEHICLE]


async def test_leaving_whom_it_never_joined_is_nothing(family: Family) -> None:
    await family.leave(VEHICLE, [OWNER, OTHER])
    await family.join(VEHICLE, [OTHER])
    await family.leave(VEHICLE, [OWNER])
    assert await listed(family.children(OTHER)) == [VEHICLE]


async def test_no_parents_is_no_change(family: Family) -> None:
    await family.join(VEHICLE, [])
    await family.leave(VEHICLE, [])
    assert await listed(family.children(OWNER)) == []


async def test_children_of_several_tables_and_of_one_id_are_told_apart(family: Family) -> None:
    children = [RecordKey(table, VEHICLE.id) for table in ("new_lease", "new_vehicle")]
    for child in children:
        await family.join(child, [OWNER])
    await family.join(OWNER, [RecordKey("account", OWNER.id)])
    assert await listed(family.children(OWNER)) == children
    assert await listed(family.children(RecordKey("new_vehicle", OWNER.id))) == []


async def test_a_middle_generation_is_a_child_and_a_parent(family: Family) -> None:
    visit = RecordKey("new_servicevisit", VEHICLE.id)
    await family.join(VEHICLE, [OWNER])
    await family.join(visit, [VEHICLE])
    assert await listed(family.children(OWNER)) == [VEHICLE]
    assert await listed(family.children(VEHICLE)) == [visit]


async def test_many_join_at_once(family: Family) -> None:
    children = [vehicle(number) for number in range(40)]
    await asyncio.gather(*(family.join(child, [OWNER]) for child in children))
    assert await listed(family.children(OWNER)) == children


async def test_a_child_may_leave_while_they_are_listed(family: Family) -> None:
    children = [vehicle(number) for number in range(10)]
    for child in children:
        await family.join(child, [OWNER])
    seen = []
    async for child in family.children(OWNER):
        seen.append(child)
        await family.leave(child, [OWNER])
    assert sorted(seen) == children
    assert await listed(family.children(OWNER)) == []


async def test_more_children_than_a_page_holds(family: Family) -> None:
    """Table Storage answers 1000 entities at a time."""
    children = [vehicle(number) for number in range(1001)]
    for start in range(0, len(children), 100):
        await asyncio.gather(*(family.join(child, [OWNER]) for child in children[start : start + 100]))
    assert await listed(family.children(OWNER)) == children


async def test_another_process_finds_them(service: TableServiceClient, table_name: str) -> None:
    first, second = TableFamily(service, table_name), TableFamily(service, table_name)
    await first.join(VEHICLE, [OWNER])
    assert await listed(second.children(OWNER)) == [VEHICLE]
