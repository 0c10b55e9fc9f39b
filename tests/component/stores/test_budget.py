"""The count of engine calls on a real table: several processes, lost answers, a table that is gone."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest
from azure.data.tables.aio import TableServiceClient

from sandbox.azurite import Azurite
from shared.errors import Reason, Retry, Uncertain
from shared.stores.budget import TableCallCounter
from shared.stores.storage_calls import table_service
from tests.component.stores.relay import Answers, relay_to

DAY = date(2026, 3, 1)


async def test_a_day_is_counted_up_to_its_budget_and_beyond_it_for_who_has_none(
    service: TableServiceClient, table_name
):
    counter = TableCallCounter(service, table_name)
    assert [await counter.reserve(DAY, 100, 250) for _ in range(4)] == [100, 100, 50, 0]
    assert await counter.reserve(DAY, 100, None) == 100
    await counter.give_back(DAY, 30)
    assert await counter.counted(DAY) == 320
    assert await counter.counted(date(2026, 3, 2)) == 0


async def test_several_at_once_never_reserve_more_than_there_is(service: TableServiceClient, table_name):
    counters = [TableCallCounter(service, table_name) for _ in range(4)]

    async def drain(counter: TableCallCounter) -> int:
        total = 0
        while granted := await counter.reserve(DAY, 10, 95):
            total += granted
        return total

    assert sum(await asyncio.gather(*map(drain, counters))) == 95


class CounterThatHasRead(TableCallCounter):
    """Knows the row already: only its write is on the line."""

    known: tuple[int, str | None] = (0, None)

    async def _read(self, day: date) -> tuple[int, str | None]:
        return self.known


async def test_a_lost_answer_counts_the_block_and_is_no_open_question(storage: Azurite, service, table_name):
    direct = TableCallCounter(service, table_name)
    await direct.reserve(DAY, 1, None)
    async with relay_to(storage.table_port) as relay:
        behind = storage.connection_string.replace(f":{storage.table_port}/", f":{relay.port}/")
        async with table_service(behind) as client:
            counter = CounterThatHasRead(client, table_name)
            await counter._table.ready()
            counter.known = await direct._read(DAY)
            relay.requests.clear()
            relay.answers = Answers.CUT
            with pytest.raises(Retry) as caught:
                await counter.reserve(DAY, 100, None)
    assert not isinstance(caught.value, Uncertain)
    assert caught.value.reason is Reason.LEDGER_UNREACHABLE
    assert relay.requests == ["POST"]
    assert await direct.counted(DAY) == 101


async def test_a_table_that_was_deleted_is_made_again_at_the_next_call(service: TableServiceClient, table_name):
    counter = TableCallCounter(service, table_name)
    await counter.reserve(DAY, 1, None)
    await service.delete_table(table_name)
    with pytest.raises(Retry):
        await counter.reserve(DAY, 1, None)
    assert await counter.reserve(DAY, 2, None) == 2
