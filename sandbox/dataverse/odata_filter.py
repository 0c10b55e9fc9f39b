"""The `$filter` language: its syntax tree and a recursive-descent parser."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sandbox.dataverse.errors import ApiError, bad_query, not_offered
from sandbox.dataverse.odata_lexer import Token, tokenize

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
TEXT_FUNCTIONS = frozenset({"contains", "startswith", "endswith"})
_QUERY_FUNCTIONS = "Microsoft.Dynamics.CRM."
_UNOFFERED_OPERATORS = frozenset({"in", "has", "add", "sub", "mul", "div", "mod"})
_MAX_CONDITIONS = 500
_MAX_DEPTH = 60


@dataclass(frozen=True)
class Literal:
    """A constant; `kind` is string, number, boolean, null, guid, date or moment. Dates and GUIDs stay text."""

    kind: str
    value: str | int | float | bool | None


@dataclass(frozen=True)
class Path:
    """A property, reached over single-valued navigation properties when there is more than one name."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.names)


@dataclass(frozen=True)
class Compare:
    operator: str
    path: Path
    literal: Literal


@dataclass(frozen=True)
class TextMatch:
    function: str
    path: Path
    text: str


@dataclass(frozen=True)
class AnyOf:
    path: Path
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Not:
    operand: Expression


@dataclass(frozen=True)
class And:
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    operands: tuple[Expression, ...]


Expression = Compare | TextMatch | AnyOf | Not | And | Or


def parse_filter(text: str) -> Expression:
    """The tree of a filter text.

    Raises ApiError 400 for a syntax error and for more than 500 conditions (the platform's limit), 501 for parts of
    the language that are not offered.
    """
    parser = _Parser(text)
    expression = parser.disjunction(0)
    parser.finish()
    return expression


def literal_of(token: Token) -> Literal | None:
    """The constant that a token stands for, if it is one."""
    if token.kind == "string":
        return Literal("string", token.text[1:-1].replace("''", "'"))
    if token.kind in ("quoted", "number"):
        return _decoded(token)
    if token.kind in ("guid", "date", "moment"):
        return Literal(token.kind, token.text)
    if token.kind == "name" and token.text in ("true", "false", "null"):
        return Literal("null", None) if token.text == "null" else Literal("boolean", token.text == "true")
    return None


def _decoded(token: Token) -> Literal:
    """Quoted texts and numbers are written as in JSON."""
    try:
        return Literal("string" if token.kind == "quoted" else "number", json.loads(token.text))
    except ValueError:
        raise bad_query(f"'{token.text[:40]}' at position {token.position} is not a constant.") from None


class _Parser:
    """Precedence, lowest first: or, and, not, then one condition or a parenthesis."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0
        self._conditions = 0

    def finish(self) -> None:
        if self._peek().kind == "end":
            return
        if self._peek().text in _UNOFFERED_OPERATORS:
            raise not_offered(f"the filter operator '{self._peek().text}'")
        raise self._error()

    def disjunction(self, depth: int) -> Expression:
        if depth > _MAX_DEPTH:
            raise bad_query("The filter is nested too deeply.")
        operands = [self._conjunction(depth)]
        while self._take_word("or"):
            operands.append(self._conjunction(depth))
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _conjunction(self, depth: int) -> Expression:
        operands = [self._negation(depth)]
        while self._take_word("and"):
            operands.append(self._negation(depth))
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _negation(self, depth: int) -> Expression:
        if self._take_word("not"):
            if depth > _MAX_DEPTH:
                raise bad_query("The filter is nested too deeply.")
            return Not(self._negation(depth + 1))
        if self._take_mark("("):
            inner = self.disjunction(depth + 1)
            self._require("(", ")")
            return inner
        return self._condition()

    def _condition(self) -> Expression:
        self._conditions += 1
        if self._conditions > _MAX_CONDITIONS:
            raise ApiError(400, "0x8004430c", "Number of conditions in query exceeded maximum limit.")
        name = self._name()
        if self._take_mark("("):
            return self._function(name)
        path = self._path(name)
        if self._take_mark("("):
            raise not_offered(f"the lambda '{path}' in $filter")
        return self._comparison(path)

    def _comparison(self, path: Path) -> Expression:
        operator = self._next()
        if operator.text in _UNOFFERED_OPERATORS:
            raise not_offered(f"the filter operator '{operator.text}'")
        if operator.text not in COMPARISONS:
            raise self._error(operator)
        return Compare(operator.text, path, self._literal())

    def _function(self, name: str) -> Expression:
        if name.startswith(_QUERY_FUNCTIONS):
            return self._query_function(name)
        if name not in TEXT_FUNCTIONS:
            raise not_offered(f"the filter function '{name}'")
        path = self._path(self._name())
        self._require(name, ",")
        literal = self._literal()
        self._require(name, ")")
        if literal.kind != "string":
            raise bad_query(f"No function signature for the function with name '{name}' matches the arguments.")
        return TextMatch(name, path, str(literal.value))

    def _query_function(self, name: str) -> Expression:
        if name != f"{_QUERY_FUNCTIONS}In":
            raise not_offered(f"the query function '{name}'")
        self._argument("PropertyName")
        column = self._literal()
        self._require(name, ",")
        self._argument("PropertyValues")
        values = self._list()
        self._require(name, ")")
        if column.kind != "string" or not column.value:
            raise bad_query(f"'{name}' needs a column's name as PropertyName.")
        return AnyOf(Path((str(column.value),)), values)

    def _argument(self, name: str) -> None:
        if self._name() != name or not self._take_mark("="):
            raise bad_query(f"The argument '{name}' is missing in '{self._text}'.")

    def _list(self) -> tuple[Literal, ...]:
        self._require("PropertyValues", "[")
        values: list[Literal] = []
        while not self._take_mark("]"):
            if values:
                self._require("PropertyValues", ",")
            values.append(self._literal())
        return tuple(values)

    def _path(self, first: str) -> Path:
        names = [first]
        while self._take_mark("/"):
            names.append(self._name())
        return Path(tuple(names))

    def _literal(self) -> Literal:
        token = self._next()
        literal = literal_of(token)
        if literal is not None:
            return literal
        if token.kind == "name":
            raise not_offered(f"comparing with something other than a constant ('{token.text}')")
        raise self._error(token)

    def _name(self) -> str:
        token = self._next()
        if token.kind == "name" and literal_of(token) is None:
            return token.text
        if literal_of(token) is not None:
            raise not_offered("a constant on the left side of a comparison")
        raise self._error(token)

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take_word(self, word: str) -> bool:
        return self._take("name", word)

    def _take_mark(self, mark: str) -> bool:
        return self._take("mark", mark)

    def _take(self, kind: str, text: str) -> bool:
        found = self._peek().kind == kind and self._peek().text == text
        if found:
            self._at += 1
        return found

    def _require(self, after: str, mark: str) -> None:
        if not self._take_mark(mark):
            raise bad_query(f"'{mark}' expected after '{after}' at position {self._peek().position} in '{self._text}'.")

    def _error(self, token: Token | None = None) -> ApiError:
        position = (token or self._peek()).position
        return bad_query(f"Syntax error at position {position} in '{self._text}'.")
