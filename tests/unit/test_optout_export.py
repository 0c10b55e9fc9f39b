"""Campaign's export: rows, bad rows with their line, rows that are not ours, and files that are no export at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.campaign.export import BATCH, reader
from shared.domain.optout_file import BadRow, ExportBatch, ExportedRow, ExportForm, WrongFileError
from tests.unit.examples import ID

HEADER = "externalId;blackListEmail;blackListPhone"


AGREED = ExportForm()


async def batches(text: str, form: ExportForm = AGREED, after_line: int = 1) -> list[ExportBatch]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    content = text.encode()
    return [batch async for batch in reader(form)(pieces(), after_line)]


async def rows(*lines: str, form: ExportForm = AGREED) -> list[ExportedRow | BadRow]:
    found = await batches("".join(line + "\n" for line in lines), form)
    found_rows: list[ExportedRow | BadRow] = []
    for batch in found:
        found_rows += batch.rows
        found_rows += batch.bad
    return sorted(found_rows, key=lambda row: row.line)


async def test_a_row_says_what_each_opt_out_of_the_header_is() -> None:
    assert await rows(HEADER, f"{ID};true;false") == [
        ExportedRow(2, ID, {"blackListEmail": True, "blackListPhone": False})
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("Yes", True), ("false", False), ("0", False), (" no ", False)],
)
async def test_booleans_as_campaigns_extract_may_write_them(cell: str, value: bool) -> None:
    assert await rows("externalId;blackListEmail", f"{ID};{cell}") == [ExportedRow(2, ID, {"blackListEmail": value})]


async def test_columns_come_in_any_order_and_others_are_left_alone() -> None:
    header = "lastModified;ccpaOptOut;email;externalId"
    assert await rows(header, f"2026-01-01;1;ada@example.org;{ID}") == [ExportedRow(2, ID, {"ccpaOptOut": True})]


async def test_ids_are_lower_case_inside() -> None:
    (row,) = await rows(HEADER, f" {ID.upper()} ;0;0")
    assert isinstance(row, ExportedRow)
    assert row.contact_id == ID


async def test_quoted_cells_may_hold_the_delimiter() -> None:
    assert await rows("externalId;email;blackList", f'"{ID}";"a;""b""";"1"') == [
        ExportedRow(2, ID, {"blackList": True})
    ]


async def test_empty_lines_are_skipped_and_still_counted() -> None:
    assert await rows(HEADER, "", f"{ID};1;0", "  ", f"{ID};2;0") == [
        ExportedRow(3, ID, {"blackListEmail": True, "blackListPhone": False}),
        BadRow(5, "not a boolean: blackListEmail"),
    ]


@pytest.mark.parametrize("key", ["", "4711", "ada@example.org", ID[:-1], ID + "0", f"{{{ID}}}"])
async def test_profiles_that_do_not_come_from_dynamics_are_left_out(key: str) -> None:
    assert await rows(HEADER, f"{key};1;1") == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{ID};1", "not 3 cells"),
        (f"{ID};1;0;", "not 3 cells"),
        (f"{ID},1,0", "not 3 cells"),
        (f'{ID};"1;0', "not 3 cells"),
        (f'{ID};"1"x;0', "not 3 cells"),
        (f"{ID};maybe;0", "not a boolean: blackListEmail"),
        (f"{ID};;", "not a boolean: blackListEmail, blackListPhone"),
        (f"{ID};{'1' * 200_000};0", "not a boolean: blackListEmail"),
    ],
)
async def test_a_bad_row_is_named_by_line_and_problem_and_the_rest_is_read(line: str, problem: str) -> None:
    good = ExportedRow(3, ID, {"blackListEmail": True, "blackListPhone": True})
    assert await rows(HEADER, line, f"{ID};1;1") == [BadRow(2, problem), good]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "externalId",
        "blackListEmail",
        "externalId,blackListEmail",
        "externalId;blackListEmail;denyListEmail",
        "externalId;email",
        "externalid;blackListEmail",
        "externalId;blackListSomething",
        f"{ID};true",
        '"externalId;blackListEmail',
    ],
)
async def test_a_file_with_another_header_is_refused_as_a_whole(header: str) -> None:
    with pytest.raises(WrongFileError, match="header"):
        await rows(header, f"{ID};true")


async def test_a_file_without_a_line_is_refused() -> None:
    with pytest.raises(WrongFileError, match="empty"):
        await rows()


async def test_a_header_that_names_a_column_twice_is_refused() -> None:
    """Which of the two would count? One of them may be another profile's opt-out."""
    with pytest.raises(WrongFileError):
        await rows("externalId;blackListEmail;blackListEmail", f"{ID};1;0")


async def test_reading_goes_on_after_a_line() -> None:
    text = "\n".join([HEADER, *[f"{ID};1;0"] * 2000, f"{ID};0;0"])
    for after_line in (1, 2, 700, 2001, 2002, 2003):
        found = await batches(text, after_line=after_line)
        assert [row.line for batch in found for row in batch.rows] == list(range(after_line + 1, 2003))
        assert all(len(batch.rows) <= BATCH for batch in found)
        assert not found or found[-1].last_line == 2002


async def test_profiles_of_other_sources_are_counted() -> None:
    (batch,) = await batches(f"{HEADER}\n4711;1;1\n{ID};1;1\n;0;0\n")
    assert (len(batch.rows), batch.strangers, batch.bad) == (1, 2, [])


async def test_headers_delimiter_and_words_can_be_agreed_otherwise() -> None:
    form = ExportForm(
        key="CRM id",
        columns={"E-mail": "blackListEmail", "SMS": "blackListMobile"},
        delimiter="\t",
        true=frozenset({"oui"}),
        false=frozenset({"non", ""}),
    )
    found = await rows("SMS\tName\tCRM id\tE-mail", f"\tAda\t{ID}\tOui", f"true\tAda\t{ID}\tOui", form=form)
    assert found == [
        ExportedRow(2, ID, {"blackListMobile": False, "blackListEmail": True}),
        BadRow(3, "not a boolean: blackListMobile"),
    ]
    with pytest.raises(WrongFileError, match="lacks SMS"):
        await rows("CRM id\tE-mail", form=form)


async def test_what_a_later_edition_calls_deny_lists_are_the_same_attributes() -> None:
    assert await rows("externalId;denyListEmail", f"{ID};1") == [ExportedRow(2, ID, {"blackListEmail": True})]


@pytest.mark.parametrize(
    ("time_format", "text", "newest"),
    [
        ("", "2026-11-20 08:15:32.123Z", datetime(2026, 11, 20, 8, 15, 32, 123_000, tzinfo=UTC)),
        ("", "2026-11-20T08:15:32+01:00", datetime(2026, 11, 20, 7, 15, 32, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M", "20/11/2026 08:15", datetime(2026, 11, 20, 8, 15, tzinfo=UTC)),
    ],
)
async def test_times_are_checked_and_the_latest_is_told(time_format: str, text: str, newest: datetime) -> None:
    form = ExportForm(time_column="changed", time_format=time_format)
    lines = ["externalId;blackList;changed", f"{ID};1;{text}", f"{ID};1;", f"{ID};0;yesterday"]
    (batch,) = await batches("\n".join([*lines, ""]), form)
    assert [row.line for row in batch.rows] == [2, 3]
    assert batch.bad == [BadRow(4, "not a time of the agreed format")]
    assert batch.newest == newest


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=5))
async def test_no_line_stops_the_reading(lines: list[str]) -> None:
    found = await rows(HEADER, *lines)
    assert all(2 <= row.line <= len(lines) + 1 for row in found)
