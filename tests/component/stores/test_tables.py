"""What only the real stores can show: lost answers, a store that is down, a table that is deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient

from sandbox.azurite import Azurite
from shared.domain.change import RecordKey
from shared.domain.ledger import Claim, LedgerRow, Present, PrivacyRequest
from shared.errors import Outcome, Reason, Retry, Uncertain
from shared.stores import storage_calls
from shared.stores.clock import SystemClock
from shared.stores.ledger_entity import PARTITIONS, partition_of
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger, TableWatermarks
from tests.component.stores.relay import Answers, Relay, relay_to

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")


@dataclass
class Line:
    """A ledger behind a relay, and the same table seen directly."""

    relay: Relay
    ledger: TableLedger
    direct: TableLedger
    watermarks: TableWatermarks


@pytest.fixture
async def line(storage: Azurite, service: TableServiceClient, table_name: str) -> AsyncIterator[Line]:
    async with relay_to(storage.table_port) as relay:
        behind = storage.connection_string.replace(f":{storage.table_port}/", f":{relay.port}/")
        async with table_service(behind) as client:
            ledger = TableLedger(client, SystemClock().now, table_name)
            await ledger.get(KEY)
            relay.requests.clear()
            direct = TableLedger(service, SystemClock().now, table_name)
            yield Line(relay, ledger, direct, TableWatermarks(client, table_name + "w"))


async def test_a_first_write_whose_answer_is_lost_is_uncertain_sent_once_and_may_be_applied(line: Line) -> None:
    line.relay.answers = Answers.CUT
    with pytest.raises(Uncertain) as raised:
        await line.ledger.put(LedgerRow(KEY, Present("1")))
    assert raised.value.reason is Reason.LEDGER_UNREACHABLE
    assert line.relay.requests == ["POST"]
    assert (await line.direct.get(KEY)).state == Present("1")


async def test_a_row_is_not_written_while_its_watch_or_mark_is_not_certain(line: Line) -> None:
    line.relay.answers = Answers.CUT
    for row in (LedgerRow(KEY, check_at=NOW), LedgerRow(KEY, pending=PrivacyRequest("p", NOW))):
        with pytest.raises(Retry) as raised:
            await line.ledger.put(row)
        assert not isinstance(raised.value, Uncertain)
    assert set(line.relay.requests) == {"PUT"}
    assert (await line.direct.get(KEY)).never_seen


async def test_the_repetition_of_an_applied_write_is_told_too_late_and_its_token_tells_whose_it_was(line: Line) -> None:
    row = LedgerRow(KEY, claim=Claim("mine", NOW))
    line.relay.answers = Answers.CUT
    with pytest.raises(Uncertain):
        await line.ledger.put(row)
    line.relay.answers = Answers.PASS
    assert await line.ledger.put(row) is None
    found = await line.ledger.get(KEY)
    assert found.claim == Claim("mine", NOW)
    assert await line.ledger.put(replace(found, claim=None)) is not None


async def test_a_replacement_whose_answer_is_lost_is_applied_once_whatever_the_http_library_repeats(line: Line) -> None:
    first = await line.ledger.put(LedgerRow(KEY))
    assert first is not None
    line.relay.answers = Answers.CUT
    with suppress(Uncertain):
        assert await line.ledger.put(replace(first, state=Present("1"))) is None
    line.relay.answers = Answers.PASS
    found = await line.direct.get(KEY)
    assert found.state == Present("1")
    assert await line.ledger.put(replace(first, state=Present("2"))) is None
    assert await line.direct.get(KEY) == found


async def test_no_answer_at_all_ends_in_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_calls, "CALL_TIMEOUT_S", 0.2)
    line.relay.answers = Answers.SWALLOW
    with pytest.raises(Uncertain):
        await line.ledger.put(LedgerRow(KEY))
    with pytest.raises(Retry) as raised:
        await line.ledger.get(KEY)
    assert not isinstance(raised.value, Uncertain)


async def test_a_read_is_repeated_by_the_library(line: Line) -> None:
    line.relay.answers = Answers.CUT
    with pytest.raises(Retry) as raised:
        await line.ledger.get(KEY)
    assert not isinstance(raised.value, Uncertain)
    assert len(line.relay.requests) > storage_calls.READ_RETRIES
    assert set(line.relay.requests) == {"GET"}


def neighbour(number: int) -> RecordKey:
    """In the order of the row keys."""
    return RecordKey("contact", f"00000000-0000-0000-0000-{number:012x}")


async def test_a_page_of_neighbours_is_one_request_a_partition(line: Line) -> None:
    keys = [neighbour(number) for number in range(100)]
    for key in keys[::2]:
        await line.direct.put(LedgerRow(key, Present(key.id)))
    rows = await line.ledger.get_many(keys)
    assert [row.state for row in rows[::2]] == [Present(key.id) for key in keys[::2]]
    assert all(row.never_seen for row in rows[1::2])
    assert line.relay.requests == ["GET"] * len(PARTITIONS)


async def test_rows_far_from_each_other_cost_one_answer_more_and_none_is_missed(line: Line) -> None:
    alike = [key for key in map(neighbour, range(3000)) if partition_of(key) == "0"][:60]
    for key in alike:
        await line.direct.put(LedgerRow(key, Present(key.id)))
    asked = [*alike[::30], neighbour(10**6), alike[-1]]
    rows = await line.ledger.get_many(asked)
    assert [row.state for row in rows] == [(await line.direct.get(key)).state for key in asked]
    assert len(line.relay.requests) <= 1 + len(asked)


async def test_an_answer_that_says_there_is_more_covers_what_it_holds(line: Line) -> None:
    alike = [key for key in map(neighbour, range(3000)) if partition_of(key) == "0"][:60]
    for key in alike:
        await line.direct.put(LedgerRow(key, Present(key.id)))
    first, second, *_, last = alike
    rows = await line.ledger.get_many([last, first, second])
    assert [row.state for row in rows] == [Present(key.id) for key in (last, first, second)]
    assert line.relay.requests == ["GET", "GET"], "three keys are worth 24 entities: the last one is read alone"


async def test_many_rows_of_an_unreachable_store_end_in_retry(line: Line) -> None:
    line.relay.answers = Answers.CUT
    with pytest.raises(Retry) as raised:
        await line.ledger.get_many([neighbour(number) for number in range(20)])
    assert raised.value.reason is Reason.LEDGER_UNREACHABLE


async def test_lists_of_an_unreachable_store_end_in_retry(line: Line) -> None:
    line.relay.answers = Answers.CUT
    for rows in (line.ledger.due(NOW), line.ledger.pending()):
        with pytest.raises(Retry) as raised:
            await anext(rows)
        assert raised.value.reason is Reason.LEDGER_UNREACHABLE


async def test_a_watermark_whose_answer_is_lost_is_uncertain(line: Line) -> None:
    await line.watermarks.write("position", "1")
    line.relay.requests.clear()
    line.relay.answers = Answers.CUT
    with pytest.raises(Uncertain):
        await line.watermarks.write("position", "2")
    assert line.relay.requests == ["POST"]


async def test_a_store_that_is_down_is_a_retry_before_the_table_is_known_to_exist() -> None:
    down = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a;"
    async with table_service(down) as client:
        for call in (
            TableLedger(client, SystemClock().now).get(KEY),
            TableLedger(client, SystemClock().now).put(LedgerRow(KEY)),
        ):
            with pytest.raises(Outcome) as raised:
                await call
            assert type(raised.value) is Retry


async def test_wrong_credentials_are_a_retry_that_names_the_answer(storage: Azurite) -> None:
    wrong = storage.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    async with table_service(wrong) as client:
        with pytest.raises(Retry, match="HTTP 403") as raised:
            await TableLedger(client, SystemClock().now).get(KEY)
    assert type(raised.value) is Retry


async def test_a_table_deleted_meanwhile_is_a_retry_and_then_made_anew(
    service: TableServiceClient, table_name: str
) -> None:
    ledger = TableLedger(service, SystemClock().now, table_name)
    for call in (ledger.get, lambda key: ledger.put(LedgerRow(key))):
        await ledger.get(KEY)
        await service.delete_table(table_name)
        with pytest.raises(Retry, match="TableNotFound"):
            await call(KEY)
        assert (await ledger.get(KEY)).never_seen


async def test_what_storage_refuses_for_another_reason_is_not_hidden(
    service: TableServiceClient, table_name: str
) -> None:
    with pytest.raises(HttpResponseError):
        await TableWatermarks(service, table_name).write("position", "x" * 40_000)
