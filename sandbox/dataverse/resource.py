"""Resource paths: `contacts(<guid>)/x`, alternate keys, and links as they stand in `@odata.bind` and `@odata.id`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from sandbox.dataverse.errors import ApiError, bad_query, resource_not_found
from sandbox.dataverse.odata_filter import Literal, literal_of
from sandbox.dataverse.odata_lexer import tokenize
from sandbox.dataverse.schema import Schema, Table
from sandbox.dataverse.values import Row, Stored, guid, is_guid, parse

_PREFIX = re.compile(r"(?:https?://[^/]+)?/?api/data/v9\.[0-2]/", re.IGNORECASE)
_SEGMENT = re.compile(r"(?P<name>[^('/]+)(?:\((?P<key>(?:[^')]|'(?:[^']|'')*')*)\))?")


@dataclass(frozen=True)
class Segment:
    """One step of a path; `key` is the raw text in parentheses, None without any."""

    name: str
    key: str | None


def relative(url: str) -> str:
    """An absolute or rooted URL cut down to what follows the API's root; anything else unchanged."""
    match = _PREFIX.match(url)
    return url[match.end() :] if match else url.lstrip("/")


def api_path(raw_path: str) -> str | None:
    """What follows the API's root in a request's path; None for a path that is not below it."""
    match = _PREFIX.match(f"{raw_path}/")
    return None if match is None else raw_path[match.end() :]


def split(path: str) -> list[Segment]:
    """The segments of a path below the API's root (percent-encoding allowed). Raises ApiError 400."""
    text = unquote(path).strip("/")
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != "/"):
            raise bad_query(f"Bad Request - Error in query syntax: '{text}'.")
        segments.append(Segment(match["name"], match["key"]))
        at = match.end() + 1
    return segments


def key_values(table: Table, key: str) -> Row:
    """The columns named by a key: `{primary id: guid}` or the values of an alternate key.

    Raises ApiError 400 when the columns are no key of the table or a value does not fit.
    """
    if is_guid(key):
        return {table.primary_id: guid(key)}
    values = dict(_key_value(table, name, literal) for name, literal in _pairs(key))
    known = [{table.primary_id}, *(set(alternate.attributes) for alternate in table.keys)]
    if set(values) not in known:
        text = f"The specified key attributes are not a defined key for the {table.name} entity"
        raise ApiError(400, "0x80060890", text)
    return values


def _pairs(key: str) -> list[tuple[str, Literal]]:
    tokens = tokenize(key)
    pairs: list[tuple[str, Literal]] = []
    for at in range(0, len(tokens), 4):
        name, equals, constant, after = (*tokens[at : at + 4], *[tokens[-1]] * 4)[:4]
        literal = literal_of(constant)
        if name.kind != "name" or equals.text != "=" or literal is None or after.text not in ("", ","):
            raise bad_query(f"Bad Request - Error in query syntax: '({key})' is not a key.")
        pairs.append((name.text, literal))
        if after.kind == "end":
            break
    return pairs


def _key_value(table: Table, name: str, literal: Literal) -> tuple[str, Stored]:
    column = table.properties.get(name)
    if column is None:
        raise bad_query(f"The property '{name}' is no key property of '{table.name}'.")
    return column.name, parse(table, column, literal.value)


def link(schema: Schema, url: str) -> tuple[Table, Row]:
    """The table and key that a link such as `/accounts(<guid>)` names. Raises ApiError."""
    segments = split(relative(url))
    if len(segments) != 1 or segments[0].key is None:
        raise bad_query(f"'{url}' is not a link to a row.")
    table = schema.entity_sets.get(segments[0].name)
    if table is None:
        raise resource_not_found(segments[0].name)
    return table, key_values(table, segments[0].key)
