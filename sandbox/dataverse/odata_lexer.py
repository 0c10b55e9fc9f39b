"""Splits OData expressions (filters, keys, function arguments) into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.dataverse.errors import bad_query

_PATTERN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})
    |(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_@][\w.]*)
    |(?P<mark>[()\[\],/=:])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of an expression; `kind` is a group name of the pattern, or `end`."""

    kind: str
    text: str
    position: int


def tokenize(expression: str) -> list[Token]:
    """The tokens of the expression, closed by an `end` token. Raises ApiError 400 at a character that fits nowhere."""
    tokens: list[Token] = []
    position = 0
    while position < len(expression):
        match = _PATTERN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise bad_query(f"Syntax error at position {position} in '{expression}'.")
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), position))
        position = match.end()
    return [*tokens, Token("end", "", position)]
