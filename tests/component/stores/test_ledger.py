"""Conformance of the ledgers and the watermarks: every test here runs over the fake and over Table Storage."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.change import RecordKey
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest, Unknown
from shared.ports import Ledger, Watermarks

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
TICK = timedelta(microseconds=1)
KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
FULL = LedgerRow(
    KEY,
    state=Present("sha256:00ff"),
    witness=True,
    generation=3,
    flags=frozenset({"blackListEmail", "blackListPhone", 'a "quoted", odd \u00fc one'}),
    pending=PrivacyRequest("d365-delete-1-3", NOW - timedelta(days=1)),
    claim=Claim("00f1", NOW + timedelta(seconds=150)),
    check_at=NOW + timedelta(seconds=600),
)


def key(number: int) -> RecordKey:
    return RecordKey("contact", f"{number:08x}-0000-4000-8000-000000000000")


async def stored(ledger: Ledger, row: LedgerRow) -> LedgerRow:
    result = await ledger.put(row)
    assert result is not None
    return result


async def keys(rows: AsyncIterator[LedgerRow]) -> list[RecordKey]:
    return sorted([row.key async for row in rows])


async def test_a_record_without_a_row_was_never_seen(ledger: Ledger) -> None:
    row = await ledger.get(KEY)
    assert row == LedgerRow(KEY)
    assert row.never_seen


@pytest.mark.parametrize("state", [Present("d"), Present(""), Absent(), Unknown()])
async def test_each_state_comes_back(ledger: Ledger, state: Present | Absent | Unknown) -> None:
    await stored(ledger, LedgerRow(KEY, state))
    assert (await ledger.get(KEY)).state == state


async def test_a_row_comes_back_exactly_and_as_put_returned_it(ledger: Ledger) -> None:
    put = await stored(ledger, FULL)
    assert replace(put, etag=None) == FULL
    assert await ledger.get(KEY) == put
    assert not put.never_seen


async def test_many_rows_come_back_as_each_would(ledger: Ledger) -> None:
    there = [key(n) for n in range(0, 120, 2)] + [RecordKey("new_loyalty", KEY.id), RecordKey("contact", "no guid")]
    for record in there:
        await stored(ledger, replace(FULL, key=record, state=Present(record.id)))
    asked = [*reversed([key(n) for n in range(120)]), *there[-2:], KEY, there[0]]
    assert list(await ledger.get_many(asked)) == [await ledger.get(record) for record in asked]
    assert list(await ledger.get_many([])) == []


async def test_a_row_of_many_can_be_written(ledger: Ledger) -> None:
    for number in range(40):
        await stored(ledger, LedgerRow(key(number)))
    for row in await ledger.get_many([key(number) for number in range(40)]):
        assert await ledger.put(replace(row, state=Absent())) is not None


async def test_a_row_is_replaced_not_merged(ledger: Ledger) -> None:
    first = await stored(ledger, FULL)
    second = await stored(ledger, LedgerRow(KEY, Absent(), etag=first.etag))
    assert await ledger.get(KEY) == second
    assert second.claim is None
    assert second.pending is None
    assert second.check_at is None


async def test_times_of_other_zones_are_the_same_moment(ledger: Ledger) -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    await stored(ledger, replace(FULL, check_at=NOW.astimezone(there)))
    assert (await ledger.get(KEY)).check_at == NOW
    assert await keys(ledger.due(NOW.astimezone(there))) == [KEY]


async def test_a_second_first_write_is_too_late(ledger: Ledger) -> None:
    winner = await stored(ledger, LedgerRow(KEY, Present("1")))
    assert await ledger.put(LedgerRow(KEY, Present("2"))) is None
    assert await ledger.get(KEY) == winner


async def test_a_write_on_an_older_version_is_too_late(ledger: Ledger) -> None:
    first = await stored(ledger, FULL)
    second = await stored(ledger, replace(first, generation=4))
    for late in (replace(first, generation=5), replace(first, check_at=None, pending=None)):
        assert await ledger.put(late) is None
    assert await ledger.get(KEY) == second


async def test_a_write_on_a_row_that_is_not_there_is_too_late(ledger: Ledger) -> None:
    other = await stored(ledger, LedgerRow(key(1)))
    assert await ledger.put(LedgerRow(KEY, Present("1"), etag=other.etag)) is None
    assert (await ledger.get(KEY)).never_seen


@pytest.mark.parametrize("seen_before", [False, True])
async def test_of_many_writers_at_once_one_wins(ledger: Ledger, seen_before: bool) -> None:
    start = await stored(ledger, LedgerRow(KEY)) if seen_before else await ledger.get(KEY)
    rivals = [replace(start, claim=Claim(f"w{n}", NOW), check_at=NOW if n % 2 else None) for n in range(8)]
    results = await asyncio.gather(*(ledger.put(rival) for rival in rivals))
    winners = [result for result in results if result is not None]
    assert len(winners) == 1
    assert await ledger.get(KEY) == winners[0]
    assert await keys(ledger.due(NOW)) == ([KEY] if winners[0].check_at else [])


async def test_writers_that_read_again_lose_nothing(ledger: Ledger) -> None:
    async def count_up() -> None:
        while (row := await ledger.get(KEY)) is not None:
            if await ledger.put(replace(row, generation=row.generation + 1)) is not None:
                return

    await asyncio.gather(*(count_up() for _ in range(6)))
    assert (await ledger.get(KEY)).generation == 6


async def test_records_of_two_tables_with_one_id_are_two_rows(ledger: Ledger) -> None:
    other = RecordKey("new_loyalty", KEY.id)
    await stored(ledger, replace(FULL, state=Present("contact")))
    await stored(ledger, replace(FULL, key=other, state=Present("loyalty")))
    assert (await ledger.get(KEY)).state == Present("contact")
    assert (await ledger.get(other)).state == Present("loyalty")
    assert await keys(ledger.pending()) == [KEY, other]


async def test_due_means_at_that_moment_or_before(ledger: Ledger) -> None:
    moments = {key(1): NOW - TICK, key(2): NOW, key(3): NOW + TICK, key(4): None}
    for record, check_at in moments.items():
        await stored(ledger, LedgerRow(record, check_at=check_at))
    assert await keys(ledger.due(NOW)) == [key(1), key(2)]
    assert await keys(ledger.due(NOW - 2 * TICK)) == []
    assert await keys(ledger.due(NOW + TICK)) == [key(1), key(2), key(3)]


async def test_due_and_pending_give_rows_that_can_be_written(ledger: Ledger) -> None:
    put = await stored(ledger, FULL)
    assert [row async for row in ledger.due(NOW + timedelta(hours=1))] == [put]
    assert [row async for row in ledger.pending()] == [put]
    done = await stored(ledger, replace(put, check_at=None))
    assert await keys(ledger.due(NOW + timedelta(hours=1))) == []
    assert await keys(ledger.pending()) == [KEY]
    await stored(ledger, replace(done, pending=None))
    assert await keys(ledger.pending()) == []


async def test_rows_may_be_written_while_they_are_listed(ledger: Ledger) -> None:
    records = [key(n) for n in range(20)]
    for record in records:
        await stored(ledger, LedgerRow(record, check_at=NOW))
    listed = []
    async for row in ledger.due(NOW):
        listed.append(row.key)
        await stored(ledger, replace(row, check_at=NOW + timedelta(minutes=10)))
    assert sorted(listed) == records
    assert await keys(ledger.due(NOW)) == []


async def test_a_row_settled_meanwhile_is_not_listed(ledger: Ledger) -> None:
    rows = {record: await stored(ledger, LedgerRow(record, check_at=NOW)) for record in (key(1), key(2))}
    listing = ledger.due(NOW)
    first = await anext(listing)
    (other,) = rows.keys() - {first.key}
    await stored(ledger, replace(rows[other], check_at=None))
    assert await keys(listing) == []


async def test_a_long_random_history_leaves_the_lists_true(ledger: Ledger) -> None:
    draw = random.Random(20261121)
    now, model = NOW, dict[RecordKey, LedgerRow]()
    for step in range(120):
        now += timedelta(seconds=draw.randrange(60))
        record = key(draw.randrange(12))
        held = model.get(record, LedgerRow(record))
        row = replace(
            held if draw.random() < 0.8 else replace(held, etag=draw.choice([None, held.etag])),
            generation=step,
            check_at=now + timedelta(seconds=draw.randrange(-300, 300)) if draw.random() < 0.5 else None,
            pending=PrivacyRequest(f"p{step}", now) if draw.random() < 0.3 else None,
        )
        result = await ledger.put(row)
        assert (result is None) == (row.etag != held.etag)
        model[record] = result or held
        if step % 30 == 29:
            assert await keys(ledger.due(now)) == sorted(
                k for k, r in model.items() if r.check_at and r.check_at <= now
            )
            assert await keys(ledger.pending()) == sorted(k for k, r in model.items() if r.pending)


async def test_a_watermark_is_unknown_until_written(watermarks: Watermarks) -> None:
    assert await watermarks.read("changes/contact") is None
    await watermarks.write("changes/contact", "919042!08/22/2026 08:10:44")
    await watermarks.write("changes/contact", "919043!08/22/2026 08:20:44")
    assert await watermarks.read("changes/contact") == "919043!08/22/2026 08:20:44"
    assert await watermarks.read("changes/account") is None


async def test_an_empty_value_is_not_an_unknown_one(watermarks: Watermarks) -> None:
    await watermarks.write("position", "")
    assert await watermarks.read("position") == ""


async def test_names_may_hold_any_characters_and_stay_apart(watermarks: Watermarks) -> None:
    names = [
        "a/b",
        "a\\b",
        "a#b",
        "a?b",
        "a%2Fb",
        "a=2Fb",
        "a b",
        "a+b",
        "a'b",
        "A/B",
        "\u00fc\u2028\U0001f600",
        "a\x00b",
        "~",
    ]
    for name in names:
        await watermarks.write(name, f"value of {name!r}")
    assert [await watermarks.read(name) for name in names] == [f"value of {name!r}" for name in names]
