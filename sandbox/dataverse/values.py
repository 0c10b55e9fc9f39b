"""Column values: what the API accepts, how SQLite keeps it, what the API shows and how a person reads it."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sandbox.dataverse.errors import ApiError, bad_payload, out_of_range, too_long
from sandbox.dataverse.schema import CHOICES, TEXTS, Attribute, Behavior, Kind, Table

Json = Any  # whatever a JSON document may hold
Stored = str | int | float | None
Row = dict[str, Any]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGERS = {Kind.INTEGER: ("Edm.Int32", 2**31), Kind.BIGINT: ("Edm.Int64", 2**63)}
_FIRST_YEAR = 1753
_NUMBERS = frozenset({Kind.DECIMAL, Kind.DOUBLE, Kind.MONEY})


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def guid(text: str) -> str:
    """The canonical (lower-case) form. Raises ValueError when it is none."""
    if not is_guid(text):
        raise ValueError(f"not a GUID: {text!r}")
    return str(UUID(text))


def parse(table: Table, column: Attribute, value: Json) -> Stored:
    """Turn a JSON value into its stored form.

    An empty text is kept as null, as the platform does. Raises ApiError 400 for a wrong type, a text that is too
    long, a number out of range or an unknown choice.
    """
    if value is None or (value == "" and column.kind in (*TEXTS, Kind.MULTISELECT)):
        return None
    if column.kind in TEXTS:
        return _parse_text(table, column, value)
    if column.kind is Kind.BOOLEAN:
        return int(_expect(table, column, value, bool, "Edm.Boolean"))
    if column.kind in CHOICES:
        return _parse_choice(table, column, value)
    if column.kind is Kind.MULTISELECT:
        return _parse_choices(table, column, value)
    if column.kind in _INTEGERS:
        return _parse_integer(table, column, value)
    if column.kind in _NUMBERS:
        return _parse_number(table, column, value)
    if column.kind is Kind.DATETIME:
        return _parse_date(table, column, value)
    return _parse_guid(table, column, value)


def _wrong_type(table: Table, column: Attribute, value: Json, edm: str) -> ApiError:
    shown = "" if isinstance(value, dict | list) else f" '{value}'"
    text = f"Cannot convert the literal{shown} to the expected type '{edm}' (property '{column.name}')."
    return bad_payload(table.entity_set, text)


def _expect(table: Table, column: Attribute, value: Json, kind: type, edm: str) -> Json:
    if type(value) is not kind:
        raise _wrong_type(table, column, value, edm)
    return value


def _parse_text(table: Table, column: Attribute, value: Json) -> str:
    _expect(table, column, value, str, "Edm.String")
    if len(value) > column.max_length:
        raise too_long(table.name, column.name, column.max_length)
    return str(value)


def _parse_choice(table: Table, column: Attribute, value: Json) -> int:
    _expect(table, column, value, int, "Edm.Int32")
    if column.option(value) is None:
        accepted = ",".join(str(option.value) for option in column.options)
        raise out_of_range(table.name, column.name, value, accepted)
    return int(value)


def _parse_choices(table: Table, column: Attribute, value: Json) -> str | None:
    parts = [part.strip() for part in _expect(table, column, value, str, "Edm.String").split(",")]
    if not all(re.fullmatch(r"-?\d+", part) for part in parts):
        raise _wrong_type(table, column, value, "Edm.String")
    chosen = {_parse_choice(table, column, int(part)) for part in parts}
    return ",".join(str(number) for number in sorted(chosen))


def _parse_integer(table: Table, column: Attribute, value: Json) -> int:
    edm, bound = _INTEGERS[column.kind]
    _expect(table, column, value, int, edm)
    if not -bound <= value < bound:
        raise _wrong_type(table, column, value, edm)
    return int(_within(table, column, value))


def _parse_number(table: Table, column: Attribute, value: Json) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _wrong_type(table, column, value, "Edm.Double" if column.kind is Kind.DOUBLE else "Edm.Decimal")
    return round(float(_within(table, column, value)), column.precision)


def _within(table: Table, column: Attribute, value: float) -> float:
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise out_of_range(table.name, column.name, value, f"{low}..{high}")
    return value


def _parse_date(table: Table, column: Attribute, value: Json) -> str:
    date_only = column.behavior is Behavior.DATE_ONLY
    edm = "Edm.Date" if date_only else "Edm.DateTimeOffset"
    _expect(table, column, value, str, edm)
    try:
        return read_day(value) if date_only else read_moment(value)
    except ValueError:
        raise _wrong_type(table, column, value, edm) from None


def read_day(text: str) -> str:
    """A calendar day, kept as written: no time zone may move it. Raises ValueError."""
    return date.fromisoformat(text).isoformat() if len(text) == len("2025-01-31") else _not_a_date(text)


def read_moment(text: str) -> str:
    """An instant in UTC cut to whole seconds; a text without an offset is meant as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"before the first moment that the platform keeps: {text!r}")
    return show_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _not_a_date(text: str) -> str:
    raise ValueError(f"not a calendar day: {text!r}")


def show_moment(moment: datetime) -> str:
    """`2025-01-31T12:00:00Z`: seconds are the finest the platform keeps."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_guid(table: Table, column: Attribute, value: Json) -> str:
    try:
        return guid(_expect(table, column, value, str, "Edm.Guid"))
    except ValueError:
        raise _wrong_type(table, column, value, "Edm.Guid") from None


def show(column: Attribute, stored: Json) -> Json:
    """The JSON value of a stored one."""
    if stored is None:
        return None
    return bool(stored) if column.kind is Kind.BOOLEAN else stored


def formatted(column: Attribute, stored: Json) -> str | None:
    """The text that a user interface in US English would show; None where there is none."""
    if stored is None:
        return None
    if column.kind is Kind.BOOLEAN or column.kind in CHOICES:
        option = column.option(int(stored))
        return option.label if option else None
    if column.kind is Kind.MULTISELECT:
        labels = (column.option(int(part)) for part in str(stored).split(","))
        return "; ".join(option.label for option in labels if option)
    return _formatted_scalar(column, stored)


def _formatted_scalar(column: Attribute, stored: Json) -> str | None:
    if column.kind is Kind.MONEY:
        return f"${stored:,.{column.precision}f}"
    if column.kind in (Kind.DECIMAL, Kind.DOUBLE):
        return f"{stored:,.{column.precision}f}"
    if column.kind in _INTEGERS:
        return f"{stored:,}"
    if column.kind is Kind.DATETIME:
        return _formatted_date(column, str(stored))
    return None


def _formatted_date(column: Attribute, stored: str) -> str:
    moment = datetime.fromisoformat(stored)
    shown = f"{moment.month}/{moment.day}/{moment.year}"
    if column.behavior is Behavior.DATE_ONLY:
        return shown
    return f"{shown} {moment.strftime('%I:%M %p').lstrip('0')}"
