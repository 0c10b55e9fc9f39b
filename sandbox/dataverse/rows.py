"""How rows look in responses: properties, lookup values, ETag, annotations, and related rows that were expanded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.dataverse.query import Expand, Preferences, Query, parse_select, shown_columns
from sandbox.dataverse.schema import Attribute, Schema, Table
from sandbox.dataverse.store import Store, type_column
from sandbox.dataverse.values import Json, Row, formatted, show

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def etag(row: Row) -> str:
    """The row's version as a weak ETag."""
    return f'W/"{row["versionnumber"]}"'


def display_name(store: Store, table: Table, row_id: str) -> str | None:
    """The primary name of a row, None when the row is gone."""
    row = store.get(table, row_id)
    return None if row is None else row[table.primary_name]


class RowView:
    """Renders stored rows as JSON objects."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store

    def show(self, table: Table, row: Row, query: Query, prefer: Preferences) -> dict[str, Any]:
        """One row with its ETag, the chosen properties, the wished annotations and the expanded rows."""
        shown = self._properties(table, row, query.select, prefer)
        for expand in query.expand:
            shown[expand.navigation] = self._related(table, row, expand, prefer)
        return shown

    def _properties(self, table: Table, row: Row, select: tuple[str, ...], prefer: Preferences) -> dict[str, Any]:
        shown: dict[str, Any] = {"@odata.etag": etag(row)}
        for column in shown_columns(table, select):
            stored = row[column.name]
            shown[column.property_name] = show(column, stored)
            if prefer.annotations and stored is not None:
                shown.update(self._annotations(column, row, prefer))
        return shown

    def _annotations(self, column: Attribute, row: Row, prefer: Preferences) -> Iterator[tuple[str, Json]]:
        name = column.property_name
        if prefer.wants(FORMATTED):
            text = self._formatted(column, row)
            if text is not None:
                yield f"{name}@{FORMATTED}", text
        target = column.target(row[type_column(column.name)]) if column.is_reference else None
        if target is not None:
            if prefer.wants(LOOKUP_NAVIGATION):
                yield f"{name}@{LOOKUP_NAVIGATION}", target.navigation
            if prefer.wants(LOOKUP_NAME):
                yield f"{name}@{LOOKUP_NAME}", target.table

    def _formatted(self, column: Attribute, row: Row) -> str | None:
        if not column.is_reference:
            return formatted(column, row[column.name])
        other = self._schema.tables[row[type_column(column.name)]]
        return display_name(self._store, other, row[column.name])

    def _related(self, table: Table, row: Row, expand: Expand, prefer: Preferences) -> dict[str, Any] | None:
        column, target = table.navigations[expand.navigation]
        other = self._schema.tables[target.table]
        select = parse_select(other, ",".join(expand.select))
        if row[column.name] is None or row[type_column(column.name)] != target.table:
            return None
        found = self._store.get(other, row[column.name])
        return None if found is None else self._properties(other, found, select, prefer)
