"""Delivery and tracking logs → facts: which rows are events, what is left out, and what is said of bad lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.clients.campaign import log_files
from shared.clients.campaign.log_files import LogFileReader
from shared.domain.event_log import DeliveryLog, LogForm, LogKind, TrackingLog
from shared.domain.fact import EmailEvent, Fact
from shared.domain.optout_file import WrongFileError
from shared.ports import LogBatch
from tests.unit.examples import ID

ALL = frozenset(EmailEvent)
DELIVERY, TRACKING = LogKind.DELIVERY, LogKind.TRACKING
SENT = {
    "id": "77",
    "externalId": ID,
    "campaignName": "SPRING",
    "deliveryName": "DM1",
    "eventDate": "2026-03-04 05:06:07.000Z",
    "status": "Sent",
    "failureType": "",
    "email": "somebody@example.org",
}
OPENED = {
    "id": "91",
    "externalId": ID,
    "campaignName": "SPRING",
    "deliveryName": "DM1",
    "logDate": "2026-03-04 06:06:07+01:00",
    "url-id": "1",
    "urlSource": "",
}
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PARTS = (ID, "SPRING", "DM1", AT)


def file(*rows: dict[str, str], delimiter: str = ";") -> bytes:
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    return "\n".join([*lines, ""]).encode()


async def batches(
    kind: LogKind, content: bytes, after: int = 1, form: LogForm | None = None, shown: frozenset[EmailEvent] = ALL
) -> list[LogBatch]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return [batch async for batch in LogFileReader(form or LogForm(), shown).read(kind, pieces(), after)]


async def only(kind: LogKind, content: bytes, form: LogForm | None = None) -> LogBatch:
    (batch,) = await batches(kind, content, form=form)
    return batch


async def test_a_row_that_was_sent_is_a_send() -> None:
    assert await only(DELIVERY, file(SENT)) == LogBatch(2, (Fact("delivery_log/77/send", EmailEvent.SEND, *PARTS),))


async def test_a_row_that_failed_hard_is_a_bounce_under_another_id_than_its_send() -> None:
    hard = SENT | {"status": "2", "failureType": "HARD"}
    batch = await only(DELIVERY, file(SENT, hard))
    assert [fact.id for fact in batch.facts] == ["delivery_log/77/send", "delivery_log/77/bounce"]
    assert batch.facts[1].event is EmailEvent.BOUNCE


@pytest.mark.parametrize(
    "state",
    [
        {"status": "failed", "failureType": "soft"},
        {"status": "failed", "failureType": ""},
        {"status": "pending"},
        {"status": "ignored", "failureType": "hard"},
    ],
)
async def test_other_states_are_no_event(state: dict[str, str]) -> None:
    assert await only(DELIVERY, file(SENT | state)) == LogBatch(2, skipped=1)


async def test_without_a_column_for_the_kind_of_bounce_there_are_none() -> None:
    form = LogForm(delivery_log=DeliveryLog(bounce_type=None))
    rows = {name: cell for name, cell in SENT.items() if name != "failureType"}
    assert await only(DELIVERY, file(rows, rows | {"status": "failed"}), form) == LogBatch(
        3, (Fact("delivery_log/77/send", EmailEvent.SEND, *PARTS),), skipped=1
    )


async def test_opens_and_clicks() -> None:
    clicked = OPENED | {"id": "92", "url-id": "5", "urlSource": "https://example.org/?a=1;b"}
    content = file(OPENED, clicked | {"urlSource": f'"{clicked["urlSource"]}"'})
    batch = await only(TRACKING, content)
    assert batch.facts == (
        Fact("tracking_log/91/open", EmailEvent.OPEN, *PARTS),
        Fact("tracking_log/92/click", EmailEvent.CLICK, *PARTS, clicked["urlSource"]),
    )


async def test_a_mirror_page_is_read_where_a_column_holds_it() -> None:
    form = LogForm(tracking_log=TrackingLog(mirror_page_url="mirror"))
    batch = await only(TRACKING, file(OPENED | {"mirror": "https://m.example.org/1"}, OPENED | {"mirror": ""}), form)
    assert [fact.mirror_page_url for fact in batch.facts] == ["https://m.example.org/1", None]


async def test_profiles_that_do_not_come_from_dynamics_are_strangers_and_a_contacts_id_is_lower_case() -> None:
    batch = await only(
        DELIVERY, file(SENT | {"externalId": ""}, SENT | {"externalId": "X7"}, SENT | {"externalId": f" {ID.upper()} "})
    )
    assert (batch.strangers, [fact.contact_id for fact in batch.facts]) == (2, [ID])


async def test_kinds_that_are_not_shown_are_skipped() -> None:
    (batch,) = await batches(TRACKING, file(OPENED, OPENED | {"url-id": "9"}), shown=frozenset({EmailEvent.CLICK}))
    assert ([fact.event for fact in batch.facts], batch.skipped) == ([EmailEvent.CLICK], 1)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (SENT | {"id": ""}, "id is empty"),
        (SENT | {"id": "7" * 251}, "id is longer than 250 characters"),
        (SENT | {"status": ""}, "status is empty"),
        (SENT | {"deliveryName": ""}, "deliveryName is empty"),
        (SENT | {"campaignName": "x" * 301}, "campaignName is longer than 300 characters"),
        (SENT | {"eventDate": "yesterday"}, "eventDate is not a time of the agreed format"),
        (SENT | {"eventDate": "0001-01-01T00:00:00+14:00"}, "eventDate is not a time of the agreed format"),
        (SENT | {"email": "a;b"}, "not 8 cells"),
        (SENT | {"email": '"a'}, "its quotes do not match"),
    ],
)
async def test_a_bad_line_is_named_without_its_values_and_the_others_are_read(
    row: dict[str, str], problem: str
) -> None:
    batch = await only(DELIVERY, file(SENT, row, SENT))
    assert [(bad.line, bad.problem) for bad in batch.bad] == [(3, problem)]
    assert len(batch.facts) == 2


async def test_empty_lines_are_nothing_and_the_last_line_may_lack_its_end() -> None:
    content = file(SENT).replace(b"\n", b"\n\n").rstrip(b"\n")
    assert await only(DELIVERY, content) == LogBatch(3, (Fact("delivery_log/77/send", EmailEvent.SEND, *PARTS),))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty, not even a header"),
        (b"id;status\n", "lacks campaignName, deliveryName, eventDate, externalId, failureType"),
        (file(SENT, delimiter=","), "separated by ';'"),
        (file(SENT).replace(b"email", b"id"), "the header names id twice"),
        (b'"id;status\n', "the header cannot be read"),
        (b"\xff\xfe\x00", "not utf-8 text"),
    ],
)
async def test_a_file_of_another_form_is_refused_whole(content: bytes, problem: str) -> None:
    with pytest.raises(WrongFileError) as refused:
        await batches(DELIVERY, content)
    assert problem in str(refused.value)


async def test_form_of_times_delimiter_and_encoding() -> None:
    form = LogForm(delimiter="\t", encoding="utf-16", time_format="%d/%m/%Y %H:%M:%S")
    content = file(SENT | {"eventDate": "04/03/2026 05:06:07"}, delimiter="\t").decode().encode("utf-16")
    assert (await only(DELIVERY, content, form)).facts[0].at == AT


async def test_a_batch_ends_with_a_full_message_or_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "FACTS", 2)
    monkeypatch.setattr(log_files, "LINES", 4)
    stranger = SENT | {"externalId": ""}
    content = file(SENT, SENT, SENT, stranger, stranger, stranger, SENT)
    found = await batches(DELIVERY, content)
    assert [(batch.last_line, len(batch.facts), batch.strangers) for batch in found] == [
        (3, 2, 0),
        (7, 1, 3),
        (8, 1, 0),
    ]
    for at, batch in enumerate(found):
        assert await batches(DELIVERY, content, after=batch.last_line) == found[at + 1 :]


def test_which_file_is_which_log() -> None:
    reader = LogFileReader(LogForm(), ALL)
    names = ("BroadLog_20260304.csv.gz", "d365_trackingLog_1.txt", "recipients.csv")
    assert [reader.kind_of(name) for name in names] == [DELIVERY, TRACKING, None]


def test_the_version_follows_the_form_and_nothing_else() -> None:
    form = LogForm()
    version = LogFileReader(form, ALL).version
    assert LogFileReader(LogForm(), frozenset()).version == version
    assert LogFileReader(replace(form, delimiter=","), ALL).version != version
