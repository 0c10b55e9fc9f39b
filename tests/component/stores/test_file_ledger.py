"""The file ledger: the fake and the real one do the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.optout_file import FileRecord, FileState, RemoteFile
from shared.ports import FileLedger
from shared.stores.file_ledger import TableFileLedger
from shared.stores.memory import MemoryFileLedger

NOW = datetime(2026, 11, 20, 8, 15, 32, 123_456, tzinfo=UTC)
FILE = RemoteFile("recipients 100%#1/\u00fc?.txt", 3_000_000_000, NOW.replace(microsecond=0))
RECORD = FileRecord(FILE, first_seen=NOW)


@pytest.fixture(params=["memory", "tables"])
def ledger(request: pytest.FixtureRequest, table_name: str) -> FileLedger:
    if request.param == "memory":
        return MemoryFileLedger()
    return TableFileLedger(request.getfixturevalue("service"), table_name)


async def test_a_record_comes_back_as_it_was_put(ledger: FileLedger) -> None:
    whole = replace(
        RECORD,
        state=FileState.REFUSED,
        rows=1,
        strangers=2,
        bad_rows=3,
        newest=NOW,
        line=4,
        hints=5,
        finished_at=NOW,
        problem="the header lacks externalId",
    )
    assert await ledger.get(FILE) is None
    for record in (RECORD, whole, RECORD):
        await ledger.put(record)
        assert await ledger.get(FILE) == record


async def test_another_size_or_time_is_another_file(ledger: FileLedger) -> None:
    await ledger.put(RECORD)
    assert await ledger.get(replace(FILE, size=1)) is None
    assert await ledger.get(replace(FILE, modified_at=FILE.modified_at + timedelta(seconds=1))) is None


async def test_all_are_listed_by_the_time_they_were_first_seen(ledger: FileLedger) -> None:
    records = [
        FileRecord(replace(FILE, name=f"{number}.csv"), first_seen=NOW + timedelta(hours=number)) for number in range(3)
    ]
    for record in reversed(records):
        await ledger.put(record)
    assert await ledger.all() == records


async def test_a_deletion_may_be_repeated(ledger: FileLedger) -> None:
    await ledger.put(RECORD)
    for _ in range(2):
        await ledger.delete(RECORD)
    assert await ledger.all() == []
