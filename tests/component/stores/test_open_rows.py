"""No open row is ever missing from `due` and `pending`, whatever stops where; nothing stays behind for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables.aio import TableClient, TableServiceClient

from sandbox.azurite import Azurite
from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow, PrivacyRequest
from shared.stores.ledger_entity import address
from shared.stores.tables import TableLedger
from shared.stores.watches import ROWS_MAX
from tests.component.stores.found import Found
from tests.component.stores.gate import Gate, GatedTransport

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CHECK_AFTER = timedelta(minutes=10)
KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
CHECKED = LedgerRow(KEY, check_at=NOW)
ASKED = LedgerRow(KEY, pending=PrivacyRequest("p", NOW))


@dataclass
class Storage:
    """One table, seen by two processes behind a gate and by the test directly. `started`: another process."""

    gate: Gate
    one: TableLedger
    other: TableLedger
    table: TableClient
    started: Callable[[], TableLedger]

    async def found(self) -> Found:
        return await Found.now(self.table)

    def later(self, by: timedelta) -> datetime:
        self.gate.now += by
        return self.gate.now

    async def put(self, row: LedgerRow) -> LedgerRow:
        """By the first process."""
        stored = await self.one.put(row)
        assert stored is not None
        return stored


@pytest.fixture
async def world(storage: Azurite, service: TableServiceClient, table_name: str) -> AsyncIterator[Storage]:
    gate = Gate(NOW)
    async with TableServiceClient.from_connection_string(
        storage.connection_string, transport=GatedTransport(gate), retry_total=0, retry_backoff_factor=0
    ) as gated:

        def started() -> TableLedger:
            return TableLedger(gated, lambda: gate.now, table_name, watch_window_s=0)

        world = Storage(gate, started(), started(), service.get_table_client(table_name), started)
        for ledger in (world.one, world.other):
            await ledger.get(KEY)
        yield world
        await gate.open()


async def keys(rows: AsyncIterator[LedgerRow]) -> list[RecordKey]:
    return [row.key async for row in rows]


async def a_day_of(ledger: TableLedger, gate: Gate) -> None:
    """What a worker and the timer do to a few records, one thing after the other and some at once."""
    records = [RecordKey("contact", f"{number:08x}-0000-4000-8000-000000000000") for number in range(3)]
    rows = [await ledger.get(record) for record in records]
    claimed = await asyncio.gather(*(ledger.put(replace(row, check_at=gate.now + CHECK_AFTER)) for row in rows))
    first, second, third = (row for row in claimed if row is not None)
    asked = await _put(ledger, replace(first, pending=PrivacyRequest("p", gate.now)))
    await _put(ledger, replace(asked, check_at=None))
    held = await _put(ledger, replace(second, check_at=gate.now + 2 * CHECK_AFTER))
    await _put(ledger, replace(third, check_at=None))
    await _put(ledger, replace(held, check_at=None))
    ended = await _put(ledger, replace(await ledger.get(first.key), pending=None, check_at=gate.now + CHECK_AFTER))
    await _put(ledger, replace(ended, check_at=None))


async def _put(ledger: TableLedger, row: LedgerRow) -> LedgerRow:
    stored = await ledger.put(row)
    assert stored is not None
    return stored


REQUESTS = 21  # that `a_day_of` makes


@pytest.mark.parametrize("lands", [False, True])
async def test_a_process_that_stops_at_any_request_leaves_no_open_row_unfound(world: Storage, lands: bool) -> None:
    open_rows = 0
    for stop in range(REQUESTS):
        before = world.gate.passed
        world.gate.stops = lambda _what, end=before + stop: world.gate.passed >= end  # type: ignore[misc]
        working = asyncio.create_task(a_day_of(world.one, world.gate))
        held = await world.gate.next()
        if lands:
            await held.land()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        found = await world.found()
        assert found.missing() == []
        open_rows += sum(row.check_at is not None or row.pending is not None for row in found.rows)
        held.lose()
        await world.gate.open()
        world.one = world.started()
        await world.one.get(KEY)
        await _settle_all(world)
    assert open_rows > REQUESTS


async def _settle_all(world: Storage) -> None:
    """Nobody but the timer is left: long after, nothing is open, and nothing but the rows is kept."""
    for row in (await world.found()).rows:
        await _put(world.other, replace(await world.other.get(row.key), check_at=None, pending=None))
    now = world.later(timedelta(days=1))
    assert await keys(world.other.due(now)) == await keys(world.other.pending()) == []
    found = await world.found()
    assert found.watches == []
    assert found.marks == []
    for row in found.rows:
        await world.table.delete_entity(*address(row.key))


async def test_the_days_requests_are_all_of_them(world: Storage) -> None:
    before = world.gate.passed
    await a_day_of(world.one, world.gate)
    assert world.gate.passed - before == REQUESTS
    found = await world.found()
    assert (found.missing(), found.watches, len(found.marks)) == ([], [], 1)


async def test_a_mark_that_cannot_be_removed_does_not_end_the_listing(world: Storage) -> None:
    await world.put(replace(await world.put(ASKED), pending=None))
    world.later(timedelta(days=1))
    world.gate.stops = lambda what: what == "DELETE mark"
    listing = asyncio.create_task(keys(world.other.pending()))
    (await world.gate.next()).lose()
    assert await listing == []
    assert len((await world.found()).marks) == 1


@pytest.mark.parametrize("row", [CHECKED, ASKED], ids=["check", "request"])
async def test_a_row_on_its_way_is_found_when_it_has_landed(world: Storage, row: LedgerRow) -> None:
    """The timer looks in between, when there is no such row yet."""
    world.gate.stops = lambda what: what == "POST row"
    writing = asyncio.create_task(world.one.put(row))
    held = await world.gate.next()
    now = world.later(timedelta(minutes=4))
    assert await keys(world.other.due(now)) == await keys(world.other.pending()) == []
    held.give(await held.land())
    await writing
    assert await keys(world.other.due(now)) + await keys(world.other.pending()) == [KEY]


async def test_a_mark_set_anew_outlives_the_removal_of_the_old_one(world: Storage) -> None:
    settled_row = await world.put(replace(await world.put(ASKED), pending=None))
    world.later(timedelta(days=1))
    world.gate.stops = lambda what: what == "DELETE mark"
    cleaning = asyncio.create_task(keys(world.other.pending()))
    held = await world.gate.next()
    await world.put(replace(settled_row, pending=PrivacyRequest("q", NOW)))
    held.give(await held.land())
    assert await cleaning == []
    assert await keys(world.other.pending()) == [KEY]


async def test_an_applied_write_that_was_told_too_late_is_found(world: Storage) -> None:
    """The HTTP library sends a replacement again when a kept connection breaks: the second time it is refused."""
    first = await world.put(LedgerRow(KEY))
    world.gate.stops = lambda what: what == "PUT row"
    writing = asyncio.create_task(world.one.put(replace(first, check_at=NOW)))
    held = await world.gate.next()
    await held.land()
    held.give(await held.land())
    assert await writing is None
    assert await keys(world.other.due(NOW)) == [KEY]


async def test_a_late_answer_to_a_settling_write_leaves_the_next_ones_watch_alone(world: Storage) -> None:
    """Two workers of one process: the second opens the row again before the first hears that it has settled it."""
    claimed = await world.put(CHECKED)
    world.gate.stops = lambda what: what == "PUT row"
    settling = asyncio.create_task(world.one.put(replace(claimed, check_at=None)))
    held = await world.gate.next()
    answer = await held.land()
    world.gate.stops = lambda _what: False
    await world.put(replace(await world.one.get(KEY), check_at=NOW))
    held.give(answer)
    assert await settling is not None
    assert await keys(world.other.due(NOW)) == [KEY]


async def test_a_row_stays_due_until_somebody_writes_it(world: Storage) -> None:
    await world.put(CHECKED)
    for _ in range(3):
        assert await keys(world.other.due(world.later(CHECK_AFTER))) == [KEY]


async def test_a_row_given_back_its_old_check_is_found_by_it(world: Storage) -> None:
    """As a worker does that claims a row whose check is due, and releases it: the timer may have been there between."""
    await world.put(CHECKED)
    now = world.later(timedelta(hours=1))
    claimed = await world.put(replace(await world.one.get(KEY), check_at=now + CHECK_AFTER))
    assert await keys(world.other.due(now)) == []
    await world.put(replace(claimed, check_at=NOW))
    assert await keys(world.other.due(now)) == [KEY]


async def test_rows_that_ask_together_share_a_watch_which_goes_with_the_last_of_them(world: Storage) -> None:
    records = [RecordKey("contact", f"{number:08x}-0000-4000-8000-000000000000") for number in range(5)]
    rows = await asyncio.gather(*(world.put(LedgerRow(record, check_at=NOW)) for record in records))
    assert [len(watch.keys) for watch in (await world.found()).watches] == [5]
    for row in rows:
        assert len((await world.found()).watches) == 1
        await world.put(replace(row, check_at=None))
    assert (await world.found()).watches == []


async def test_rows_of_one_watch_are_each_due_at_their_own_time(world: Storage) -> None:
    hours = {RecordKey("contact", f"{hour:08x}-0000-4000-8000-000000000000"): hour for hour in (0, 1)}
    checks = {record: NOW + timedelta(hours=hour) for record, hour in hours.items()}
    rows = await asyncio.gather(*(world.put(LedgerRow(record, check_at=at)) for record, at in checks.items()))
    (watch,) = (await world.found()).watches
    assert watch.keys == tuple(checks)
    assert await keys(world.other.due(NOW)) == [rows[0].key]
    await _put(world.other, replace(rows[0], check_at=None))
    assert await keys(world.other.due(world.later(timedelta(minutes=30)))) == []
    assert await keys(world.other.due(world.later(timedelta(minutes=30)))) == [rows[1].key]


async def test_a_watch_holds_a_bounded_number_of_rows(world: Storage) -> None:
    records = [RecordKey("contact", f"{number:08x}-0000-4000-8000-000000000000") for number in range(ROWS_MAX + 1)]
    await asyncio.gather(*(world.put(LedgerRow(record, check_at=NOW)) for record in records))
    assert sorted(len(watch.keys) for watch in (await world.found()).watches) == [1, ROWS_MAX]
    assert sorted(await keys(world.other.due(NOW))) == records


async def test_a_row_put_back_with_the_check_that_it_had_costs_one_request(world: Storage) -> None:
    row = await world.put(CHECKED)
    for ledger in (world.one, world.other):
        before = world.gate.passed
        row = await _put(ledger, replace(row, generation=row.generation + 1))
        assert world.gate.passed - before == 1
    assert len((await world.found()).watches) == 1
    assert await keys(world.other.due(NOW)) == [KEY]


async def test_a_caller_that_goes_leaves_the_others_their_watch(world: Storage) -> None:
    world.gate.stops = lambda what: what == "PUT watch"
    other = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000002")
    gone, stays = (asyncio.create_task(world.one.put(LedgerRow(record, check_at=NOW))) for record in (KEY, other))
    held = await world.gate.next()
    gone.cancel()
    held.give(await held.land())
    assert await stays is not None
    assert await keys(world.other.due(NOW)) == [other]


async def test_a_watch_that_cannot_be_removed_is_left_to_the_timer(world: Storage) -> None:
    row = await world.put(CHECKED)
    world.gate.stops = lambda what: what == "DELETE watch"
    settling = asyncio.create_task(world.one.put(replace(row, check_at=None)))
    for _ in range(3):
        (await world.gate.next()).lose()
    assert await settling is not None
    await world.gate.open()
    assert len((await world.found()).watches) == 1
    assert await keys(world.other.due(world.later(timedelta(hours=1)))) == []
    assert (await world.found()).watches == []
