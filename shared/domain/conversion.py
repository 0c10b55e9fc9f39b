"""Column types, field types, and the way of one value from the one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum

from shared.domain.contact import Value


class ColumnType(StrEnum):
    """What the source's metadata calls a column's type; dates are told apart by their time-zone behaviour."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    BIGINT = "bigint"
    DECIMAL = "decimal"
    DOUBLE = "double"
    MONEY = "money"
    STRING = "string"
    MEMO = "memo"
    DATETIME = "datetime"
    DATE = "date"
    DATETIME_INDEPENDENT = "datetime_independent"
    PICKLIST = "picklist"
    STATE = "state"
    STATUS = "status"
    MULTI_SELECT = "multi_select"
    LOOKUP = "lookup"
    CUSTOMER = "customer"
    OWNER = "owner"
    UNIQUEIDENTIFIER = "uniqueidentifier"
    OTHER = "other"


LOOKUPS = frozenset({ColumnType.LOOKUP, ColumnType.CUSTOMER, ColumnType.OWNER})
_IDS = LOOKUPS | {ColumnType.UNIQUEIDENTIFIER}
_WALL_CLOCK = frozenset({ColumnType.DATE, ColumnType.DATETIME_INDEPENDENT})


class TargetType(StrEnum):
    """What a field can hold; an object has fields of its own and holds nothing."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ENUMERATION = "enumeration"
    OBJECT = "object"


@dataclass(frozen=True)
class Target:
    """A field as its metadata describes it. `length` in characters. `values`: the names that an enumeration allows."""

    type: TargetType
    length: int | None = None
    values: tuple[str, ...] = ()
    read_only: bool = False


@dataclass(frozen=True)
class Types:
    """Resolved metadata of a mapping's columns and fields. What is not in it is unknown, and passes as it is."""

    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)


class Refused(Enum):
    """The answer to a value that the field's type cannot hold."""

    REFUSED = "refused"


REFUSED = Refused.REFUSED
Converted = Value | Refused


def convert(value: Value, column: ColumnType | None, target: Target | None) -> Converted:
    """The value as the field wants it; total. Nothing is rounded, shifted or guessed: what does not fit is REFUSED.

    An empty text is no value. A column or a field of unknown type lets the value pass as it is.
    """
    if value is None or value == "":
        return None
    if column is None or column is ColumnType.OTHER:
        return value
    if isinstance(value, float) and value - value != 0:  # not a number, or infinite
        return REFUSED
    normal = _normal(value, column)
    return normal if target is None else _TO[target.type](normal, column, target)


def text(value: Value) -> str:
    """A value in words: `true`, whole numbers without a point, no exponent; no value is an empty text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _decimal_text(value)
        case _:
            return str(value)


def options(codes: str) -> list[str]:
    """The parts of a multi-select value (`1,2`) or of its label (`Tea; Coffee`)."""
    return [part.strip() for part in codes.replace(",", ";").split(";") if part.strip()]


def moment(value: str, column: ColumnType | None = None) -> datetime | None:
    """An ISO 8601 date or time in UTC, a date being its midnight; None for any other text.

    Where the column keeps wall-clock time, what is written stays: a zone beside it has no meaning and shifts nothing.
    """
    written = value.strip()
    if written[4:5] != "-" or written[7:8] != "-" or written[10:11] not in ("", "T", " "):
        return None
    try:
        read = datetime.fromisoformat(written)
        unshifted = column in _WALL_CLOCK or read.tzinfo is None
        return read.replace(tzinfo=UTC) if unshifted else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _normal(value: str | float, column: ColumnType) -> str | float:
    if column in _IDS and isinstance(value, str):
        return value.lower()
    if column is ColumnType.MULTI_SELECT and isinstance(value, str):
        return ";".join(options(value))
    return value


def _decimal_text(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    shortest = repr(value)
    return f"{value:.10f}".rstrip("0").rstrip(".") if "e-" in shortest else shortest


def _to_text(value: str | float, column: ColumnType, _target: Target) -> Converted:
    found = _moment_of(value, column) if column in _MOMENT_TEXTS else None
    return text(value) if found is None else _MOMENT_TEXTS[column](found)


def _to_integer(value: str | float, _column: ColumnType, _target: Target) -> Converted:
    number = _number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else REFUSED
    return number


def _to_float(value: str | float, _column: ColumnType, _target: Target) -> Converted:
    return _number(value)


def _to_boolean(value: str | float, _column: ColumnType, _target: Target) -> Converted:
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).lower(), REFUSED)


def _to_date(value: str | float, column: ColumnType, _target: Target) -> Converted:
    found = _moment_of(value, column)
    return REFUSED if found is None else _date_text(found)


def _to_datetime(value: str | float, column: ColumnType, _target: Target) -> Converted:
    found = _moment_of(value, column)
    return REFUSED if found is None else _time_text(found)


def _to_enumeration(value: str | float, _column: ColumnType, target: Target) -> Converted:
    name = text(value)
    return name if name in target.values or not target.values else REFUSED


def _to_object(_value: str | float, _column: ColumnType, _target: Target) -> Converted:
    return REFUSED


_TO: dict[TargetType, Callable[[str | float, ColumnType, Target], Converted]] = {
    TargetType.STRING: _to_text,
    TargetType.INTEGER: _to_integer,
    TargetType.FLOAT: _to_float,
    TargetType.BOOLEAN: _to_boolean,
    TargetType.DATE: _to_date,
    TargetType.DATETIME: _to_datetime,
    TargetType.ENUMERATION: _to_enumeration,
    TargetType.OBJECT: _to_object,
}


def _number(value: str | float) -> int | float | Refused:
    """A text counts as a number if it is written as one: digits, a minus, one point; not `1e3`, `1_000` or `nan`."""
    if not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    digits = value.strip().removeprefix("-")
    whole, point, fraction = digits.partition(".")
    plain = whole + fraction
    if not (plain.isascii() and plain.isdigit() and whole) or len(plain) > _MOST_DIGITS or (point and not fraction):
        return REFUSED
    return float(value) if point else int(value)


_MOST_DIGITS = 300  # what a floating-point number can hold


def _moment_of(value: str | float, column: ColumnType) -> datetime | None:
    return moment(value, column) if isinstance(value, str) and column not in _IDS else None


def _date_text(value: datetime) -> str:
    return value.date().isoformat()


def _time_text(value: datetime) -> str:
    """Campaign's way of writing a time: `2018-05-17 08:44:49.366Z`."""
    return f"{_wall_clock_text(value, 'milliseconds')}Z"


def _wall_clock_text(value: datetime, precision: str = "seconds") -> str:
    return value.replace(tzinfo=None).isoformat(sep=" ", timespec=precision)


_MOMENT_TEXTS: dict[ColumnType, Callable[[datetime], str]] = {
    ColumnType.DATE: _date_text,
    ColumnType.DATETIME: _time_text,
    ColumnType.DATETIME_INDEPENDENT: _wall_clock_text,
}
