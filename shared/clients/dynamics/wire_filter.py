"""A mapping's filter → what Dataverse is asked instead: it may let more rows pass than the filter, never fewer.

Dataverse compares texts by a collation of its own (no case, no accents), shows labels to nobody's query, and treats
signs of patterns as such. Where that could keep out a row that the filter lets pass, nothing is asked: whoever reads
looks at the rows once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from shared.domain import filters
from shared.domain.contact import Value
from shared.domain.conversion import LOOKUPS, ColumnType, moment
from shared.domain.filters import Condition, Filter, Operator

_NUMBERS = frozenset(
    {
        *(ColumnType.INTEGER, ColumnType.BIGINT, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY),
        *(ColumnType.PICKLIST, ColumnType.STATE, ColumnType.STATUS),
    }
)
_TEXTS = frozenset({ColumnType.STRING, ColumnType.MEMO})
_DATES = frozenset({ColumnType.DATE, ColumnType.DATETIME, ColumnType.DATETIME_INDEPENDENT})
_IDS = LOOKUPS | {ColumnType.UNIQUEIDENTIFIER}
_FUNCTIONS = {Operator.CONTAINS: "contains", Operator.BEGINS_WITH: "startswith", Operator.ENDS_WITH: "endswith"}
_ORDER = {
    Operator.GREATER: "gt",
    Operator.GREATER_OR_EQUAL: "ge",
    Operator.LESS: "lt",
    Operator.LESS_OR_EQUAL: "le",
    Operator.ON_OR_AFTER: "ge",
    Operator.BEFORE: "lt",
}
_NEGATED = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.IS_NOT_EMPTY: Operator.IS_EMPTY,
}
_PATTERN_SIGNS = frozenset("%_[]")
Types = Mapping[str, ColumnType]


def condition(tree: Filter, types: Types) -> str | None:
    """`types` of the columns that the filter names. None: Dataverse cannot be asked for any of it."""
    return _positive(tree, types)


def _positive(tree: Filter, types: Types) -> str | None:
    match tree:
        case filters.All():
            return _all([_positive(one, types) for one in tree.of])
        case filters.Any():
            return _any([_positive(one, types) for one in tree.of])
        case filters.Not():
            return _negative(tree.of, types)
        case _:
            opposite = _NEGATED.get(tree.operator)
            return _holds(tree, types) if opposite is None else _fails(_with(tree, opposite), types)


def _negative(tree: Filter, types: Types) -> str | None:
    match tree:
        case filters.All():
            return _any([_negative(one, types) for one in tree.of])
        case filters.Any():
            return _all([_negative(one, types) for one in tree.of])
        case filters.Not():
            return _positive(tree.of, types)
        case _:
            opposite = _NEGATED.get(tree.operator)
            return _fails(tree, types) if opposite is None else _holds(_with(tree, opposite), types)


def _with(given: Condition, operator: Operator) -> Condition:
    return Condition(given.column, operator, given.value)


def _all(parts: list[str | None]) -> str | None:
    """What cannot be asked is left out: that lets more rows pass."""
    asked = [part for part in parts if part is not None]
    return f"({' and '.join(asked)})" if asked else None


def _any(parts: list[str | None]) -> str | None:
    asked = [part for part in parts if part is not None]
    return f"({' or '.join(asked)})" if len(asked) == len(parts) else None


def _holds(given: Condition, types: Types) -> str | None:
    """A condition of a positive operator."""
    kind = types.get(given.column, ColumnType.OTHER)
    name = _property(given.column, kind)
    if given.operator is Operator.IS_EMPTY:
        return f"({name} eq null or {name} eq '')" if kind in _TEXTS else f"{name} eq null"
    operands = given.value if isinstance(given.value, tuple) else (given.value,)
    if given.operator in _FUNCTIONS:
        return _matches(_FUNCTIONS[given.operator], name, given.value) if kind in _TEXTS else None
    constants = [_constant(kind, operand, given.operator) for operand in operands]
    return _any([None if one is None else f"{name} {_ORDER.get(given.operator, 'eq')} {one}" for one in constants])


def _fails(given: Condition, types: Types) -> str | None:
    """That such a condition does not hold; an empty column holds none but emptiness."""
    kind = types.get(given.column, ColumnType.OTHER)
    name = _property(given.column, kind)
    if given.operator is Operator.IS_EMPTY:
        return f"{name} ne null"
    if kind in _TEXTS or given.operator not in (Operator.EQUALS, Operator.IN):
        return None
    operands = given.value if isinstance(given.value, tuple) else (given.value,)
    constants = [_constant(kind, operand, given.operator) for operand in operands]
    if None in constants:
        return None
    others = " and ".join(f"{name} ne {one}" for one in constants)
    return f"({name} eq null or ({others}))"


def _property(column: str, kind: ColumnType) -> str:
    return f"_{column}_value" if kind in LOOKUPS else column


def _matches(function: str, name: str, operand: Value | tuple[Value, ...]) -> str | None:
    if not isinstance(operand, str) or _PATTERN_SIGNS & set(operand):
        return None
    return f"{function}({name},{_quoted(operand)})"


def _constant(kind: ColumnType, operand: Value, operator: Operator) -> str | None:
    """As an address has it; None where the column's type does not take it, or only a label could be meant."""
    if isinstance(operand, bool):
        return str(operand).lower() if kind is ColumnType.BOOLEAN else None
    if isinstance(operand, int | float):
        return repr(operand) if kind in _NUMBERS else None
    if not isinstance(operand, str):
        return None
    if kind in _TEXTS:
        return _quoted(operand)
    if kind in _DATES and operator in filters.DATES:
        return _date(kind, operand)
    return _guid(operand) if kind in _IDS else None


def _date(kind: ColumnType, operand: str) -> str | None:
    read = moment(operand)
    if read is None or read.microsecond:
        return None
    if kind is not ColumnType.DATE:
        return f"{read:%Y-%m-%dT%H:%M:%SZ}"
    return None if read.hour or read.minute or read.second else f"{read:%Y-%m-%d}"


def _guid(operand: str) -> str | None:
    try:
        return str(UUID(operand))
    except ValueError:
        return None  # a name: the label of a lookup


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
