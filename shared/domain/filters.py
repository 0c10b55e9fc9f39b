"""Filters: which contacts take part, as a tree of conditions on columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.contact import Contact, Value
from shared.domain.conversion import moment, options


class Operator(StrEnum):
    """How a column is compared. The number operators take numbers, the date operators ISO dates or times."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    BEGINS_WITH = "begins_with"
    ENDS_WITH = "ends_with"
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    ON_OR_AFTER = "on_or_after"
    BEFORE = "before"
    IS_EMPTY = "is_empty"
    IS_NOT_EMPTY = "is_not_empty"


EMPTINESS = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
LISTS = frozenset({Operator.IN, Operator.NOT_IN})
TEXTS = frozenset({Operator.BEGINS_WITH, Operator.ENDS_WITH})  # contains also takes a code of a multi-select column
NUMBERS = frozenset({Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS, Operator.LESS_OR_EQUAL})
DATES = frozenset({Operator.ON_OR_AFTER, Operator.BEFORE})
_OPPOSITES = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.IS_NOT_EMPTY: Operator.IS_EMPTY,
}


@dataclass(frozen=True)
class Condition:
    """One comparison. `value`: a tuple for `in` and `not_in`, None for the two emptiness operators.

    A number is compared with a number or a code, a text with a text or a label (ignoring case, as Dataverse does),
    a boolean with a boolean.
    """

    column: str
    operator: Operator
    value: Value | tuple[Value, ...] = None


@dataclass(frozen=True)
class All:
    """Every one must hold."""

    of: tuple[Filter, ...]


@dataclass(frozen=True)
class Any:
    """At least one must hold."""

    of: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    """It must not hold."""

    of: Filter


Filter = All | Any | Not | Condition


def columns(tree: Filter) -> frozenset[str]:
    """Every column that the tree asks about."""
    match tree:
        case Condition():
            return frozenset({tree.column})
        case Not():
            return columns(tree.of)
        case _:
            return frozenset().union(*map(columns, tree.of))


def passes(tree: Filter, contact: Contact) -> bool:
    """Whether the contact takes part; total. An operator that does not fit the column's value does not hold."""
    match tree:
        case Condition():
            return _holds(tree, contact)
        case Not():
            return not passes(tree.of, contact)
        case All():
            return all(passes(branch, contact) for branch in tree.of)
        case _:
            return any(passes(branch, contact) for branch in tree.of)


def _holds(condition: Condition, contact: Contact) -> bool:
    """An empty column holds nothing but emptiness and the negative operators: those are the opposites of others."""
    opposite = _OPPOSITES.get(condition.operator)
    if opposite is not None:
        return not _holds(Condition(condition.column, opposite, condition.value), contact)
    value = contact.columns.get(condition.column)
    if value is None or value == "":
        return condition.operator is Operator.IS_EMPTY
    operands = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    label = contact.labels.get(condition.column)
    return any(_compare(condition.operator, value, label, operand) for operand in operands)


def _compare(operator: Operator, value: str | float, label: str | None, operand: Value) -> bool:
    if operator in _ORDER:
        own, given = _number(value), _number(operand)
        return own is not None and given is not None and _ORDER[operator](own, given)
    if operator in DATES:
        return _compare_dates(operator, value, operand)
    if isinstance(operand, str):
        return operator in _TEXT and any(_TEXT[operator](own, operand.casefold()) for own in _texts(value, label))
    if isinstance(operand, bool) or isinstance(value, bool):
        return operator in _SAME and value is operand
    return operand is not None and _compare_codes(operator, value, operand)


def _compare_dates(operator: Operator, value: str | float, operand: Value) -> bool:
    own = moment(value) if isinstance(value, str) else None
    given = moment(operand) if isinstance(operand, str) else None
    if own is None or given is None:
        return False
    return own >= given if operator is Operator.ON_OR_AFTER else own < given


def _compare_codes(operator: Operator, value: str | float, operand: float) -> bool:
    """A number against a number, or against the codes of a multi-select column."""
    codes = _codes(value) if isinstance(value, str) else [value]
    if operator is Operator.CONTAINS:
        return operand in codes
    return operator in _SAME and codes == [operand]


def _codes(value: str) -> list[float]:
    """None of them if one is no code: then it is an ordinary text."""
    parts = options(value)
    return [int(part) for part in parts] if all(map(_is_code, parts)) else []


def _is_code(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= _LONGEST_CODE


def _number(value: Value) -> float | None:
    return None if isinstance(value, bool | str) else value


def _texts(value: str | float, label: str | None) -> list[str]:
    own = [value] if isinstance(value, str) else []
    return [shown.casefold() for shown in (*own, *([label] if label else []))]


_SAME = frozenset({Operator.EQUALS, Operator.IN})
_TEXT: dict[Operator, Callable[[str, str], bool]] = {
    Operator.EQUALS: str.__eq__,
    Operator.IN: str.__eq__,
    Operator.CONTAINS: str.__contains__,
    Operator.BEGINS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
}
_ORDER: dict[Operator, Callable[[float, float], bool]] = {
    Operator.GREATER: lambda own, given: own > given,
    Operator.GREATER_OR_EQUAL: lambda own, given: own >= given,
    Operator.LESS: lambda own, given: own < given,
    Operator.LESS_OR_EQUAL: lambda own, given: own <= given,
}
_LONGEST_CODE = len("2147483647")
