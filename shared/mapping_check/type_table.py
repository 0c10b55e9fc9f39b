"""Which column type fits which field type: the table of docs/flows/mapping_versions.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from shared.domain.contact import Value
from shared.domain.conversion import LOOKUPS, ColumnType, Target, TargetType

NUMBERS = frozenset({ColumnType.INTEGER, ColumnType.BIGINT, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY})
TEXTS = frozenset({ColumnType.STRING, ColumnType.MEMO})
DATES = frozenset({ColumnType.DATE, ColumnType.DATETIME, ColumnType.DATETIME_INDEPENDENT})
CHOICES = frozenset({ColumnType.PICKLIST, ColumnType.STATE, ColumnType.STATUS})
REFERENCES = LOOKUPS | {ColumnType.UNIQUEIDENTIFIER}
_WHOLE = frozenset({ColumnType.INTEGER, ColumnType.BIGINT})


class Fit(Enum):
    """How many of a column's values the field takes as they are meant."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True)
class Verdict:
    """`what`: for SOME, what happens to which values, in words."""

    fit: Fit
    what: str = ""


_ALL, _NONE = Verdict(Fit.ALL), Verdict(Fit.NONE)
_WALL_CLOCK = "it becomes a moment in UTC (a day: its midnight), which Campaign may show as another day"


def _only(which: str) -> Verdict:
    return Verdict(Fit.SOME, f"only {which} pass, others are parked")


_NUMERIC_TEXTS = _only("texts that are written as a number")
_WHOLE_NUMBERS = _only("whole numbers")
_DATE_TEXTS = _only("texts that are an ISO 8601 date or time")
_NAMED = _only("values that are written as one of the field's values")
_TRUTHS = _only("true, false, 1 and 0")
_MIDNIGHT = Verdict(Fit.SOME, _WALL_CLOCK)
_UNKNOWN = Verdict(Fit.SOME, "values of this type pass as they are, and Campaign refuses those that it does not take")


def _each(columns: frozenset[ColumnType], verdict: Verdict) -> dict[ColumnType, Verdict]:
    return dict.fromkeys(columns, verdict)


# What is not listed never fits. Choices and booleans have few values: these are tried one by one instead.
_TABLE: Mapping[TargetType, Mapping[ColumnType, Verdict]] = {
    TargetType.STRING: _each(frozenset(ColumnType), _ALL),
    TargetType.INTEGER: {**_each(NUMBERS, _WHOLE_NUMBERS), **_each(_WHOLE, _ALL), **_each(TEXTS, _NUMERIC_TEXTS)},
    TargetType.FLOAT: {**_each(NUMBERS, _ALL), **_each(TEXTS, _NUMERIC_TEXTS)},
    TargetType.BOOLEAN: {**_each(TEXTS, _TRUTHS), **_each(_WHOLE, _TRUTHS)},
    TargetType.DATE: {**_each(DATES, _ALL), **_each(TEXTS, _DATE_TEXTS)},
    TargetType.DATETIME: {**_each(DATES, _MIDNIGHT), ColumnType.DATETIME: _ALL, **_each(TEXTS, _DATE_TEXTS)},
    TargetType.ENUMERATION: {**_each(TEXTS, _NAMED), **_each(_WHOLE, _NAMED)},
    TargetType.OBJECT: {},
}


def verdict(column: ColumnType, target: TargetType) -> Verdict:
    """For columns with many values."""
    if column is ColumnType.OTHER and target is not TargetType.OBJECT:
        return _UNKNOWN
    return _TABLE[target].get(column, _NONE)


def fault(value: Value, target: Target) -> str | None:
    """Why the field cannot hold a value that the mapping itself writes; None: it can. No value is always right."""
    if value is None or value == "":
        return None
    return _FAULTS[target.type](value, target)


def _text_fault(value: Value, target: Target) -> str | None:
    if not isinstance(value, str):
        return "the field takes text: put the value in quotes"
    if target.length is not None and len(value) > target.length:
        return f"it has {len(value)} characters, the field takes {target.length}"
    return None


def _integer_fault(value: Value, _target: Target) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "the field takes whole numbers"


def _float_fault(value: Value, _target: Target) -> str | None:
    return None if isinstance(value, int | float) and not isinstance(value, bool) else "the field takes numbers"


def _boolean_fault(value: Value, _target: Target) -> str | None:
    return None if isinstance(value, bool) else "the field takes true or false"


def _date_fault(value: Value, _target: Target) -> str | None:
    return None if _parses(date.fromisoformat, value) else "the field takes dates such as 1980-10-24"


def _datetime_fault(value: Value, _target: Target) -> str | None:
    form = "the field takes times such as 2018-05-17 08:44:49.366Z"
    return None if _parses(datetime.fromisoformat, value) else form


def _enumeration_fault(value: Value, target: Target) -> str | None:
    if not target.values or value in target.values:
        return None
    return f"the field takes {', '.join(target.values)}"


def _object_fault(_value: Value, _target: Target) -> str | None:
    return "the field holds other fields"


def _parses(read: Callable[[str], object], value: Value) -> bool:
    if not isinstance(value, str):
        return False
    try:
        read(value)
    except ValueError:
        return False
    return True


_FAULTS = {
    TargetType.STRING: _text_fault,
    TargetType.INTEGER: _integer_fault,
    TargetType.FLOAT: _float_fault,
    TargetType.BOOLEAN: _boolean_fault,
    TargetType.DATE: _date_fault,
    TargetType.DATETIME: _datetime_fault,
    TargetType.ENUMERATION: _enumeration_fault,
    TargetType.OBJECT: _object_fault,
}
