"""Filters and orderings as SQL over the table `t`, with every column and constant checked against the schema."""

# ruff: noqa: S608 - names of tables and columns come from the schema, values are always bound

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.dataverse.errors import ApiError, bad_query, not_offered
from sandbox.dataverse.odata_filter import And, AnyOf, Compare, Expression, Literal, Not, Or, Path, TextMatch
from sandbox.dataverse.schema import CHOICES, TEXTS, Attribute, Behavior, Kind, Schema, Table
from sandbox.dataverse.store import type_column
from sandbox.dataverse.values import guid, read_day, read_moment

_SYMBOLS = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_WITH_FRACTION = {"gt": "gt", "ge": "gt", "lt": "le", "le": "le"}
_LIKE = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_INT64 = 2**63
_WHOLE = frozenset({Kind.INTEGER, Kind.BIGINT, *CHOICES})
_REAL = frozenset({Kind.DECIMAL, Kind.DOUBLE, Kind.MONEY})
_EDM = {Kind.BOOLEAN: "Edm.Boolean", Kind.BIGINT: "Edm.Int64", Kind.DATETIME: "Edm.DateTimeOffset"}


@dataclass
class Condition:
    """A piece of SQL and the values bound in it."""

    sql: str
    parameters: list[str | int | float] = field(default_factory=list)


def unknown_column(table: Table, name: str) -> ApiError:
    text = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table.name}'."
    return ApiError(400, "0x80060888", text)


def compile_filter(expression: Expression, table: Table, schema: Schema) -> Condition:
    """The filter as a condition.

    Comparison is two-valued: null equals nothing but null, so `ne 'x'` and `not (… eq 'x')` include empty columns, as
    the platform's own SQL does. Text compares without regard to (ASCII) case.

    Raises ApiError 400 for unknown properties and constants of the wrong type.
    """
    return _Compiler(table, schema).condition(expression)


def find_column(table: Table, name: str) -> Attribute:
    """The column behind a property name. Raises ApiError 400."""
    column = table.properties.get(name)
    if column is None or not column.readable:
        raise unknown_column(table, name)
    return column


class _Compiler:
    def __init__(self, table: Table, schema: Schema) -> None:
        self._table = table
        self._schema = schema

    def condition(self, expression: Expression) -> Condition:
        match expression:
            case And(operands):
                return self._join(operands, "AND")
            case Or(operands):
                return self._join(operands, "OR")
            case Not(operand):
                inner = self.condition(operand)
                return Condition(f"NOT coalesce({inner.sql}, 0)", inner.parameters)
            case Compare():
                return self._compare(expression)
            case TextMatch():
                return self._text_match(expression)
            case AnyOf():
                return self._any_of(expression)

    def _join(self, operands: tuple[Expression, ...], word: str) -> Condition:
        parts = [self.condition(operand) for operand in operands]
        return Condition(
            "(" + f" {word} ".join(part.sql for part in parts) + ")",
            [value for part in parts for value in part.parameters],
        )

    def _compare(self, node: Compare) -> Condition:
        column, sql = self._resolve(node.path)
        if node.literal.kind == "null":
            if node.operator not in ("eq", "ne"):
                raise bad_query(f"The operator '{node.operator}' cannot compare with null.")
            return Condition(f"{sql} {_SYMBOLS[node.operator]} NULL")
        return _compare_moment(node, column, sql) or Condition(
            f"{sql} {_SYMBOLS[node.operator]} ?", [_constant(column, node.literal, node.operator)]
        )

    def _text_match(self, node: TextMatch) -> Condition:
        column, sql = self._resolve(node.path)
        if column.kind not in TEXTS:
            raise bad_query(
                f"No function signature for the function with name '{node.function}' matches its arguments."
            )
        escaped = node.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return Condition(f"{sql} LIKE ? ESCAPE '\\'", [_LIKE[node.function].format(escaped)])

    def _any_of(self, node: AnyOf) -> Condition:
        name = node.path.names[0]
        reference = self._table.columns.get(name)
        path = Path((reference.property_name,)) if reference is not None else node.path
        column, sql = self._resolve(path)
        values = [_constant(column, _loose(column, literal), "In") for literal in node.literals]
        return Condition(f"{sql} IN ({', '.join('?' * len(values))})", values)

    def _resolve(self, path: Path) -> tuple[Attribute, str]:
        column, sql = self._reach(self._table, "t", path.names)
        return column, f"{sql} COLLATE NOCASE" if column.kind in TEXTS else sql

    def _reach(self, table: Table, alias: str, names: tuple[str, ...]) -> tuple[Attribute, str]:
        """Follow navigation properties by one scalar sub-query each."""
        if len(names) == 1:
            column = find_column(table, names[0])
            return column, f'{alias}."{column.name}"'
        if names[0] not in table.navigations:
            raise unknown_column(table, names[0])
        link, target = table.navigations[names[0]]
        other, inner_alias = self._schema.tables[target.table], f"{alias}n"
        column, sql = self._reach(other, inner_alias, names[1:])
        on = f'{inner_alias}."{other.primary_id}" = {alias}."{link.name}"'
        of_type = f"{alias}.\"{type_column(link.name)}\" = '{other.name}'"
        return column, f'(SELECT {sql} FROM "{other.name}" {inner_alias} WHERE {on} AND {of_type})'


def _loose(column: Attribute, literal: Literal) -> Literal:
    """`In` takes its values as quoted text whatever the column's type."""
    if literal.kind == "string" and column.kind in _WHOLE and str(literal.value).lstrip("-").isdigit():
        return Literal("number", int(str(literal.value)))
    return literal


def _compare_moment(node: Compare, column: Attribute, sql: str) -> Condition | None:
    """Stored instants are whole seconds: a constant with a fraction lies between two of them."""
    if column.kind is not Kind.DATETIME or node.literal.kind != "moment":
        return None
    text = str(_constant(column, node.literal, node.operator))
    if not datetime.fromisoformat(str(node.literal.value)).microsecond:
        return Condition(f"{sql} {_SYMBOLS[node.operator]} ?", [text])
    if node.operator in ("eq", "ne"):
        return Condition("0" if node.operator == "eq" else "1")
    return Condition(f"{sql} {_SYMBOLS[_WITH_FRACTION[node.operator]]} ?", [text])


def _constant(column: Attribute, literal: Literal, operator: str) -> str | int | float:
    """The constant in the column's stored form. Raises ApiError 400 when the types do not fit."""
    value, kind = literal.value, literal.kind
    if column.kind in TEXTS and kind == "string":
        return str(value)
    if column.kind is Kind.BOOLEAN and kind == "boolean":
        return int(bool(value))
    if column.kind in _WHOLE and kind == "number" and isinstance(value, int) and abs(value) < _INT64:
        return value
    if column.kind in _REAL and kind == "number" and isinstance(value, int | float):
        return float(value)
    if column.kind is Kind.MULTISELECT:
        raise not_offered(f"the operator '{operator}' on the multi-select column '{column.name}'")
    if column.kind is Kind.DATETIME and kind in ("date", "moment"):
        return _date_constant(column, literal)
    if (column.is_reference or column.kind is Kind.UNIQUEIDENTIFIER) and kind in ("guid", "string"):
        return _guid_constant(column, literal)
    edm = _EDM.get(column.kind, "Edm.Int32" if column.kind in _WHOLE else "Edm.String")
    message = f"A binary operator with incompatible types was detected. Found operand types '{edm}' (property "
    raise bad_query(f"{message}'{column.property_name}') and a {kind} for operator kind '{operator}'.")


def _date_constant(column: Attribute, literal: Literal) -> str:
    text = str(literal.value)
    try:
        if column.behavior is Behavior.DATE_ONLY:
            return read_day(text)
        return read_moment(text)
    except ValueError:
        raise bad_query(f"'{text}' is not a value for the date column '{column.name}'.") from None


def _guid_constant(column: Attribute, literal: Literal) -> str:
    try:
        return guid(str(literal.value))
    except ValueError:
        raise bad_query(f"'{literal.value}' is not a GUID (property '{column.property_name}').") from None
