"""One value on its way from a column's type to a field's: nothing is rounded, shifted or guessed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import Value
from shared.domain.conversion import (
    REFUSED,
    ColumnType,
    Refused,
    Target,
    TargetType,
    convert,
    moment,
    options,
    text,
)

C, T = ColumnType, TargetType
GUID = "5B6F4A1C-77D2-EF11-8EE9-000D3A4B5C6D"
ENUMERATION = Target(T.ENUMERATION, values=("male", "female", "true", "2"))


@pytest.mark.parametrize(
    ("value", "column", "target", "expected"),
    [
        # Dates: a DateOnly is what is written, whatever stands behind it; it is never shifted.
        ("1980-10-24", C.DATE, T.DATE, "1980-10-24"),
        ("1980-10-24T00:00:00+14:00", C.DATE, T.DATE, "1980-10-24"),
        ("1980-10-24", C.DATE, T.DATETIME, "1980-10-24 00:00:00.000Z"),
        ("1980-10-24", C.DATE, T.STRING, "1980-10-24"),
        ("1980-10-24", C.DATE, T.INTEGER, REFUSED),
        # Times of the user-local kind are UTC on the wire.
        ("2026-03-01T23:30:00Z", C.DATETIME, T.DATETIME, "2026-03-01 23:30:00.000Z"),
        ("2026-03-01T23:30:00.5Z", C.DATETIME, T.DATETIME, "2026-03-01 23:30:00.500Z"),
        ("2026-03-02T01:30:00+02:00", C.DATETIME, T.DATETIME, "2026-03-01 23:30:00.000Z"),
        ("2026-03-02T01:30:00+02:00", C.DATETIME, T.DATE, "2026-03-01"),
        ("2026-03-01T23:30:00Z", C.DATETIME, T.STRING, "2026-03-01 23:30:00.000Z"),
        ("2026-03-01T23:30:00Z", C.DATETIME, T.FLOAT, REFUSED),
        ("0001-01-01T00:00:00+01:00", C.DATETIME, T.DATETIME, REFUSED),
        ("soon", C.DATETIME, T.DATETIME, REFUSED),
        ("soon", C.DATETIME, T.STRING, "soon"),
        # Wall-clock times keep their digits.
        ("2026-03-01T23:30:00Z", C.DATETIME_INDEPENDENT, T.DATETIME, "2026-03-01 23:30:00.000Z"),
        ("2026-03-01T23:30:00-05:00", C.DATETIME_INDEPENDENT, T.DATETIME, "2026-03-01 23:30:00.000Z"),
        ("2026-03-01T23:30:00Z", C.DATETIME_INDEPENDENT, T.DATE, "2026-03-01"),
        ("2026-03-01T23:30:00Z", C.DATETIME_INDEPENDENT, T.STRING, "2026-03-01 23:30:00"),
        # A text that is a date is one.
        ("1980-10-24", C.STRING, T.DATE, "1980-10-24"),
        ("24.10.1980", C.STRING, T.DATE, REFUSED),
        ("20180517", C.STRING, T.DATE, REFUSED),
        (19801024, C.INTEGER, T.DATE, REFUSED),
        (19801024, C.INTEGER, T.DATETIME, REFUSED),
        # Booleans.
        (True, C.BOOLEAN, T.BOOLEAN, True),
        (False, C.BOOLEAN, T.STRING, "false"),
        (True, C.BOOLEAN, T.INTEGER, 1),
        (True, C.BOOLEAN, T.FLOAT, 1),
        (True, C.BOOLEAN, ENUMERATION, "true"),
        (False, C.BOOLEAN, ENUMERATION, REFUSED),
        (1, C.PICKLIST, T.BOOLEAN, True),
        (2, C.PICKLIST, T.BOOLEAN, REFUSED),
        ("TRUE", C.STRING, T.BOOLEAN, True),
        ("yes", C.STRING, T.BOOLEAN, REFUSED),
        # Numbers.
        (7, C.INTEGER, T.INTEGER, 7),
        (7, C.INTEGER, T.FLOAT, 7),
        (7, C.INTEGER, T.STRING, "7"),
        (922337203685477, C.MONEY, T.STRING, "922337203685477"),
        (12.0, C.MONEY, T.STRING, "12"),
        (1e16, C.DOUBLE, T.STRING, "10000000000000000"),
        (0.1, C.DECIMAL, T.STRING, "0.1"),
        (1234567.1, C.MONEY, T.STRING, "1234567.1"),
        (-0.00001, C.DECIMAL, T.STRING, "-0.00001"),
        (12.5, C.MONEY, T.FLOAT, 12.5),
        (12.5, C.MONEY, T.INTEGER, REFUSED),
        (12.0, C.MONEY, T.INTEGER, 12),
        (9007199254740993, C.BIGINT, T.INTEGER, 9007199254740993),
        (float("nan"), C.DOUBLE, T.STRING, REFUSED),
        (float("inf"), C.DOUBLE, T.FLOAT, REFUSED),
        # A text is a number only if it is written as one.
        ("42", C.STRING, T.INTEGER, 42),
        (" -42 ", C.STRING, T.INTEGER, -42),
        ("42.50", C.STRING, T.FLOAT, 42.5),
        ("42.0", C.STRING, T.INTEGER, 42),
        ("42.5", C.STRING, T.INTEGER, REFUSED),
        ("4_2", C.STRING, T.INTEGER, REFUSED),
        ("1e3", C.STRING, T.FLOAT, REFUSED),
        ("nan", C.STRING, T.FLOAT, REFUSED),
        ("1.", C.STRING, T.FLOAT, REFUSED),
        (".5", C.STRING, T.FLOAT, REFUSED),
        ("--1", C.STRING, T.INTEGER, REFUSED),
        ("٤٢", C.STRING, T.INTEGER, REFUSED),
        ("9" * 400, C.STRING, T.INTEGER, REFUSED),
        (GUID, C.UNIQUEIDENTIFIER, T.INTEGER, REFUSED),
        # Choices and references.
        (2, C.PICKLIST, T.INTEGER, 2),
        (2, C.STATUS, T.STRING, "2"),
        (2, C.PICKLIST, ENUMERATION, "2"),
        (3, C.PICKLIST, ENUMERATION, REFUSED),
        (3, C.PICKLIST, Target(T.ENUMERATION), "3"),
        ("1,2", C.MULTI_SELECT, T.STRING, "1;2"),
        ("Tea; Coffee", C.MULTI_SELECT, T.STRING, "Tea;Coffee"),
        ("1,2", C.MULTI_SELECT, None, "1;2"),
        (GUID, C.UNIQUEIDENTIFIER, T.STRING, GUID.lower()),
        (GUID, C.CUSTOMER, None, GUID.lower()),
        # Anything else.
        ("Ada", C.STRING, T.STRING, "Ada"),
        ("Ada", C.MEMO, None, "Ada"),
        ("Ada", C.STRING, T.OBJECT, REFUSED),
        (GUID, C.OTHER, T.INTEGER, GUID),
        (float("inf"), None, T.INTEGER, float("inf")),
        (None, C.DATE, T.DATE, None),
        ("", C.STRING, T.INTEGER, None),
        (0, C.INTEGER, T.STRING, "0"),
        (False, C.BOOLEAN, None, False),
    ],
)
def test_a_value_becomes_what_its_field_holds(
    value: Value, column: ColumnType | None, target: TargetType | Target | None, expected: Value | Refused
) -> None:
    found = convert(value, column, Target(target) if isinstance(target, TargetType) else target)
    assert found == expected
    assert type(found) is type(expected)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text()
    | st.datetimes().map(datetime.isoformat)
    | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
    | st.dates().map(str)
    | st.uuids().map(str)
    | st.lists(st.integers(0, 9)).map(lambda codes: ",".join(map(str, codes)))
)
TARGETS = st.none() | st.builds(Target, st.sampled_from(TargetType), st.none() | st.integers(0, 9), st.just(("a", "1")))
HELD: dict[TargetType, tuple[type, ...]] = {
    T.STRING: (str,),
    T.INTEGER: (int,),
    T.FLOAT: (int, float),
    T.BOOLEAN: (bool,),
    T.DATE: (str,),
    T.DATETIME: (str,),
    T.ENUMERATION: (str,),
    T.OBJECT: (),
}


@given(VALUES, st.none() | st.sampled_from(ColumnType), TARGETS)
def test_every_value_of_every_type_has_an_answer(
    value: Value, column: ColumnType | None, target: Target | None
) -> None:
    found = convert(value, column, target)
    if found is None or found is REFUSED or target is None or column in (None, ColumnType.OTHER):
        return
    assert isinstance(found, HELD[target.type])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    if target.type is T.DATE:
        assert isinstance(found, str)
        assert date.fromisoformat(found).isoformat() == found
    if target.type is T.ENUMERATION:
        assert found in target.values


@given(VALUES, st.sampled_from(ColumnType), st.sampled_from([T.STRING, T.DATE, T.DATETIME, T.INTEGER, T.BOOLEAN]))
def test_converting_twice_is_converting_once(value: Value, column: ColumnType, target: TargetType) -> None:
    """What was sent and read back must not look like a change."""
    once = convert(value, column, Target(target))
    if not isinstance(once, Refused) and once != "":
        assert convert(once, column, Target(target)) == once


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (True, "true"), (False, "false"), (0, "0"), (1.0, "1"), (2.5, "2.5"), (1e-12, "0"), ("x", "x")],
)
def test_values_in_words(value: Value, words: str) -> None:
    assert text(value) == words


def test_parts_of_a_multi_select_value() -> None:
    assert options("1,2") == ["1", "2"]
    assert options("Tea; Hot milk;") == ["Tea", "Hot milk"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:00:00+01:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:00:00", datetime(2026, 1, 31, 1, tzinfo=UTC)),
        ("2026-W05-1", None),
        ("2026-13-01", None),
        ("9999-12-31T23:00:00-05:00", None),
        ("", None),
    ],
)
def test_moments(written: str, expected: datetime | None) -> None:
    assert moment(written) == expected
