"""What is remembered of opt-outs: the fake and the real table must not differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.data.tables.aio import TableServiceClient

from shared.domain.change import RecordKey
from shared.domain.optout import Said
from shared.domain.recollection import Recollection
from shared.ports.optouts import Recollections
from shared.stores.memory import MemoryRecollections
from shared.stores.recollections import TableRecollections

KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 21, 12, 0, 1, 234567, tzinfo=UTC)


@pytest.fixture(params=["memory", "table"])
def recollections(request: pytest.FixtureRequest, table_name: str) -> Recollections:
    if request.param == "memory":
        return MemoryRecollections()
    return TableRecollections(request.getfixturevalue("service"), table_name)


async def test_what_was_never_stored_is_empty(recollections: Recollections) -> None:
    assert await recollections.get(KEY) == Recollection(KEY)


async def test_what_is_stored_is_read(recollections: Recollections) -> None:
    stored = await recollections.put(Recollection(KEY, person_at=NOW, said={"a": Said(True, NOW)}))
    assert stored is not None
    assert await recollections.get(KEY) == stored
    again = await recollections.put(replace(stored, person_at=None))
    assert again is not None
    assert (await recollections.get(KEY)).person_at is None


async def test_the_slower_of_two_is_told(recollections: Recollections) -> None:
    first = await recollections.put(Recollection(KEY, based_on="1"))
    assert await recollections.put(Recollection(KEY, based_on="2")) is None
    assert first is not None
    assert await recollections.put(replace(first, based_on="3")) is not None
    assert await recollections.put(replace(first, based_on="4")) is None
    assert (await recollections.get(KEY)).based_on == "3"


async def test_a_table_that_was_removed_is_made_again(service: TableServiceClient, table_name: str) -> None:
    store = TableRecollections(service, table_name)
    await store.put(Recollection(KEY, based_on="1"))
    await service.delete_table(table_name)
    with pytest.raises(Exception, match="404"):
        await store.get(KEY)
    assert await store.get(KEY) == Recollection(KEY)
