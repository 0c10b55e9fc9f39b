"""Request bodies of writes: JSON properties and `@odata.bind` links become column values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.dataverse.errors import (
    ApiError,
    bad_payload,
    not_offered,
    unknown_navigation,
    unknown_property,
)
from sandbox.dataverse.schema import Attribute, Table, Target
from sandbox.dataverse.store import type_column
from sandbox.dataverse.values import Json, Row, parse

_BIND = "@odata.bind"
Resolve = Callable[[str], tuple[Table, str]]


def read_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError 400."""
    try:
        value = json.loads(body)
    except ValueError:
        raise ApiError(400, "0x80048d19", "Stream was not readable: the body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise ApiError(400, "0x80048d19", "Request body must be a JSON object.")
    return value


def column_values(table: Table, payload: dict[str, Any], resolve: Resolve) -> Row:
    """The columns that the payload sets, in its order; lookups also set their `<column>__type`.

    Annotations are skipped. `resolve` turns a link into a table and the id of an existing row.

    Raises ApiError 400 for unknown properties and navigation properties, wrong types and links to the wrong table.
    """
    values: Row = {}
    for name, value in payload.items():
        values.update(_assignments(table, name, value, resolve))
    return values


def _assignments(table: Table, name: str, value: Json, resolve: Resolve) -> Iterator[tuple[str, Json]]:
    if name.endswith(_BIND):
        yield from _bound(table, name.removesuffix(_BIND), value, resolve)
    elif "@" not in name:
        yield from _plain(table, name, value)


def _plain(table: Table, name: str, value: Json) -> Iterator[tuple[str, Json]]:
    column = table.properties.get(name)
    if column is not None and column.is_reference:
        text = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
        raise bad_payload(table.entity_set, f"{text} (property '{name}')")
    if column is not None:
        yield column.name, parse(table, column, value)
    elif name in table.navigations:
        yield from _nested(table, name, value)
    else:
        raise unknown_property(table.entity_set, table.name, name)


def _nested(table: Table, name: str, value: Json) -> Iterator[tuple[str, Json]]:
    if value is not None:
        raise not_offered(f"creating related rows inside a row ('{name}')")
    yield from _link(table.navigations[name][0], None, None)


def _bound(table: Table, name: str, value: Json, resolve: Resolve) -> Iterator[tuple[str, Json]]:
    if name not in table.navigations:
        raise unknown_navigation(table.entity_set, name)
    column, target = table.navigations[name]
    if value is None:
        yield from _link(column, None, None)
        return
    if not isinstance(value, str):
        raise bad_payload(table.entity_set, f"The value of '{name}{_BIND}' must be a link to a row.")
    other, row_id = resolve(value)
    _require_target(table, name, target, other)
    yield from _link(column, row_id, other.name)


def _require_target(table: Table, name: str, target: Target, other: Table) -> None:
    if other.name != target.table:
        text = f"A link to '{other.entity_set}' does not fit the navigation property '{name}' ({target.table})."
        raise bad_payload(table.entity_set, text)


def _link(column: Attribute, row_id: str | None, table: str | None) -> Iterator[tuple[str, Json]]:
    yield column.name, row_id
    yield type_column(column.name), table
