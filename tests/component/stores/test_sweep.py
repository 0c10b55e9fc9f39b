"""Conformance of what the sweep keeps: every test here runs over the fake and over Table Storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.change import RecordKey
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.sweep import Phase, Position
from shared.ports import Ledger
from shared.ports.sweep import LedgerPages, OptOutNote, OptOutNotes, Positions, Tallies, Tally
from shared.stores import sweep as stores
from shared.stores.clock import SystemClock
from shared.stores.memory import MemoryLedger
from shared.stores.sweep_memory import MemoryLedgerPages, MemoryOptOutNotes, MemoryPositions, MemoryTallies
from shared.stores.tables import TableLedger

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")


@dataclass
class Kept:
    positions: Positions
    notes: OptOutNotes
    tallies: Tallies
    ledger: Ledger
    pages: LedgerPages


@pytest.fixture(params=["memory", "tables"])
def kept(request: pytest.FixtureRequest, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(stores, "ROWS_PER_PAGE", 2)
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(MemoryPositions(), MemoryOptOutNotes(), MemoryTallies(), ledger, MemoryLedgerPages(ledger, 2))
        return
    service = request.getfixturevalue("service")
    yield Kept(
        stores.TablePositions(service, table_name + "p"),
        stores.TableOptOutNotes(service, table_name + "n"),
        stores.TableTallies(service, table_name + "t"),
        TableLedger(service, SystemClock().now, table_name),
        stores.TableLedgerPages(service, table_name),
    )


async def test_a_position_comes_back_and_is_written_by_who_read_it_last(kept: Kept) -> None:
    assert await kept.positions.read("contact") == Position("contact")
    first = await kept.positions.write(Position("contact", Phase.BEGIN, "https://x/?a=b&c='d'", began_at=NOW))
    assert first is not None
    assert await kept.positions.read("contact") == first
    second = await kept.positions.write(replace(first, phase=Phase.FOLLOW, page=None, token="t", token_at=NOW))
    assert second is not None
    assert await kept.positions.read("contact") == second
    assert await kept.positions.write(replace(first, page="late")) is None
    assert await kept.positions.write(Position("contact")) is None
    assert await kept.positions.read("contact") == second
    assert await kept.positions.read("vehicle") == Position("vehicle")


async def test_a_note_of_an_older_row_changes_nothing(kept: Kept) -> None:
    assert await kept.notes.read_many([KEY]) == {}
    await kept.notes.note(OptOutNote(KEY, "one", NOW))
    await kept.notes.note(OptOutNote(KEY, "older", NOW - timedelta(seconds=1)))
    assert await kept.notes.read_many([KEY]) == {KEY: "one"}
    await kept.notes.note(OptOutNote(KEY, "same second", NOW))
    await kept.notes.note(OptOutNote(KEY, "two", NOW + timedelta(seconds=1)))
    assert await kept.notes.read_many([KEY]) == {KEY: "two"}


async def test_tallies_are_by_kind_table_and_day(kept: Kept) -> None:
    today, before = date(2026, 11, 21), date(2026, 11, 1)
    for what, table, day in (
        ("repaired", "contact", today),
        ("repaired", "contact", today),
        ("repaired", "contact", before),
        ("repaired", "vehicle", today),
        ("failed_job", "contact", today),
    ):
        await kept.tallies.add(what, table, day)
    assert sorted(await kept.tallies.since("repaired", date(2026, 11, 2)), key=lambda tally: tally.table) == [
        Tally("repaired", "contact", today, 2),
        Tally("repaired", "vehicle", today, 1),
    ]
    assert len(await kept.tallies.since("repaired", before)) == 3


async def test_the_ledger_from_end_to_end_shows_each_row_of_the_table_once(kept: Kept) -> None:
    keys = [RecordKey("contact", f"{number:08x}-0000-4000-8000-000000000000") for number in range(25)]
    for key in keys:
        await kept.ledger.put(LedgerRow(key, Absent() if key.id.startswith("0000000a") else Present("d")))
    await kept.ledger.put(LedgerRow(RecordKey("contacts", keys[0].id), Present("d")))
    await kept.ledger.put(LedgerRow(RecordKey("vehicle", keys[0].id), Present("d")))
    seen: list[LedgerRow] = []
    cursor: str | None = None
    while True:
        rows, cursor = await kept.pages.page("contact", cursor)
        assert len(rows) <= 2
        seen += rows
        if cursor is None:
            break
    assert sorted(row.key for row in seen) == keys
    assert sum(isinstance(row.state, Absent) for row in seen) == 1
