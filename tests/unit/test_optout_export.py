"""Campaign's export: rows, bad rows with their line, rows that are not ours, and files that are no export at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.campaign.export import read
from shared.ports import BadRow, ExportedRow, WrongFileError
from tests.unit.examples import ID

HEADER = "externalId;blackListEmail;blackListPhone"


async def rows(*lines: str) -> list[ExportedRow | BadRow]:
    async def file() -> AsyncIterator[str]:
        for line in lines:
            yield line

    return [row async for row in read(file())]


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
        (f"{ID};{'1' * 200_000};0", "not 3 cells"),
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
        "externalId;email",
        "externalid;blackListEmail",
        "externalId;blackListSomething",
        f"{ID};true",
        '"externalId;blackListEmail',
    ],
)
async def test_a_file_with_another_header_is_refused_as_a_whole(header: str) -> None:
    with pytest.raises(WrongFileError, match="externalId"):
        await rows(header, f"{ID};true")


async def test_a_file_without_a_line_is_refused() -> None:
    with pytest.raises(WrongFileError, match="empty"):
        await rows()


async def test_a_header_that_names_a_column_twice_is_refused() -> None:
    """Which of the two would count? One of them may be another profile's opt-out."""
    with pytest.raises(WrongFileError):
        await rows("externalId;blackListEmail;blackListEmail", f"{ID};1;0")


@given(st.lists(st.text(st.characters(exclude_characters="\n")), max_size=5))
async def test_no_line_stops_the_reading(lines: list[str]) -> None:
    found = await rows(HEADER, *lines)
    assert all(2 <= row.line <= len(lines) + 1 for row in found)
