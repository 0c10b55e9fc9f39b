"""The filters against the table: operators that a column's type knows, and labels and codes that exist."""

from __future__ import annotations

from shared.domain.contact import Value
from shared.domain.conversion import LOOKUPS, ColumnType, moment, text
from shared.domain.filters import DATES as DATE_OPERATORS
from shared.domain.filters import EMPTINESS, All, Any, Condition, Filter, Not, Operator
from shared.domain.filters import NUMBERS as NUMBER_OPERATORS
from shared.domain.filters import TEXTS as TEXT_OPERATORS
from shared.domain.metadata import ColumnInfo, TableInfo
from shared.mapping_check.report import Report, suggestion
from shared.mapping_check.row_checks import check_column
from shared.mapping_check.type_table import CHOICES, DATES, NUMBERS, REFERENCES, TEXTS
from shared.mapping_file import Path

_CONTAINMENT = frozenset({Operator.CONTAINS, Operator.NOT_CONTAINS})
_OPTIONS = CHOICES | {ColumnType.MULTI_SELECT}
_IN_WORDS = TEXTS | _OPTIONS | LOOKUPS


def check_filter(report: Report, path: Path, tree: Filter, table: TableInfo) -> None:
    """Every condition of the tree."""
    match tree:
        case Condition():
            _check_condition(report, path, tree, table)
        case Not():
            check_filter(report, (*path, "not"), tree.of, table)
        case All() | Any():
            word = "all" if isinstance(tree, All) else "any"
            for number, branch in enumerate(tree.of):
                check_filter(report, (*path, word, number), branch, table)


def _check_condition(report: Report, path: Path, condition: Condition, table: TableInfo) -> None:
    column = check_column(report, (*path, "column"), condition.column, table)
    if column is None or column.type is ColumnType.OTHER or condition.operator in EMPTINESS:
        return
    fitting = _operands(condition.operator)
    if column.type not in fitting:
        reason = f"{condition.column} is of type {column.type}: `{condition.operator}` never holds for it"
        report.error((*path, "is"), reason, f"It fits columns of type {', '.join(sorted(fitting))}.")
        return
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    for value in values:
        _check_value(report, (*path, "value"), condition, column, value)


def _operands(operator: Operator) -> frozenset[ColumnType]:
    """The types of column that the operator can hold for."""
    if operator in NUMBER_OPERATORS:
        return NUMBERS
    if operator in DATE_OPERATORS:
        return DATES
    if operator in TEXT_OPERATORS or operator in _CONTAINMENT:
        return _IN_WORDS
    return frozenset(ColumnType)


def _check_value(report: Report, path: Path, condition: Condition, column: ColumnInfo, value: Value) -> None:
    name, kind = condition.column, column.type
    if kind is ColumnType.BOOLEAN and not isinstance(value, bool):
        report.error(path, f"{name} is true or false, never {_shown(value)}", "Write true or false, without quotes.")
    elif kind in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        report.error(path, f"{name} holds numbers, never {_shown(value)}", "Write a number, without quotes.")
    elif kind in TEXTS | REFERENCES and not isinstance(value, str):
        report.error(path, f"{name} holds text, never {_shown(value)}", "Put the value in quotes.")
    elif kind in DATES and not _is_date(value):
        report.error(path, f"{_shown(value)} is no date", "Write an ISO 8601 date or time such as '2026-01-31'.")
    elif kind in DATES and condition.operator not in DATE_OPERATORS:
        reason = f"{name} is compared as text: only the very same date, written alike, is equal"
        report.warn(path, reason, "Use on_or_after and before.")
    elif kind in _OPTIONS:
        _check_option(report, path, condition, column, value)


def _check_option(report: Report, path: Path, condition: Condition, column: ColumnInfo, value: Value) -> None:
    """A part of a label is enough for operators that look into a text."""
    named = ", ".join(f"{code} ({label})" for code, label in column.options.items())
    if isinstance(value, bool) or value is None:
        report.error(path, f"{condition.column} holds a code or a label", f"Write one of {named}.")
    elif isinstance(value, str):
        exact = condition.operator not in TEXT_OPERATORS | _CONTAINMENT
        labels = [label.casefold() for label in column.options.values()]
        if not any(value.casefold() == label or (not exact and value.casefold() in label) for label in labels):
            remedy = suggestion(value, column.options.values(), f"Its values are {named}.")
            report.error(path, f"{condition.column} has no label {value!r}", remedy)
    elif value not in column.options:
        report.error(path, f"{condition.column} has no code {text(value)}", f"Its values are {named}.")


def _is_date(value: Value) -> bool:
    return isinstance(value, str) and moment(value) is not None


def _shown(value: Value) -> str:
    return f"'{value}'" if isinstance(value, str) else text(value) or "nothing"
