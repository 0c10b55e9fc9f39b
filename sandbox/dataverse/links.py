"""Finds the rows that keys and links stand for, and builds the links of rows."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.dataverse.errors import bad_query, does_not_exist, no_row_for_key
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.resource import link
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row


def locate(org: Organization, table: Table, key: Row) -> Row | None:
    """The stored row with these key values."""
    if table.primary_id in key:
        return org.store.get(table, key[table.primary_id])
    found = org.store.find(table, key)
    return found[0] if found else None


def require(org: Organization, table: Table, key: Row) -> Row:
    """The stored row with these key values. Raises ApiError 404."""
    row = locate(org, table, key)
    if row is not None:
        return row
    raise does_not_exist(table.name, key[table.primary_id]) if table.primary_id in key else no_row_for_key(table.name)


def resolve(org: Organization, url: str, references: Mapping[str, str]) -> tuple[Table, str]:
    """The table and id of the row that a link (or a `$<Content-ID>`) names. Raises ApiError 400 or 404."""
    if url.startswith("$"):
        if url[1:] not in references:
            raise bad_query(f"Content-ID reference '{url}' does not name an earlier part of the change set.")
        url = references[url[1:]]
    table, key = link(org.schema, url)
    return table, require(org, table, key)[table.primary_id]


def row_url(org: Organization, table: Table, row_id: str) -> str:
    return f"{org.api_url}{table.entity_set}({row_id})"
