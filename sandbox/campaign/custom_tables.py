"""The tables of custom resources in SQL: a view shows what is not hidden, triggers cascade.

A record is hidden while a link of cardinality 1 finds no target; a target that is hidden itself is none, so hiding
goes down the whole line. An empty column is no link and hides as well (assumed). A cascade also reaches hidden
records (assumed: it happens in the database).
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.campaign.definitions import PROFILE, CustomResource, Link
from sandbox.campaign.store import Database, column


def table(name: str) -> str:
    """Return the table of all records of a resource, hidden ones included."""
    return name if name == PROFILE else f"custom_{name}"


def view(name: str) -> str:
    """Return what shows a resource's records that are not hidden."""
    return name if name == PROFILE else f"visible_{name}"


def stored_tables(database: Database) -> list[str]:
    """Return the tables of every custom resource that was ever defined."""
    sql = r"SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'custom\_cus%' ESCAPE '\'"
    return [name for (name,) in database.execute(sql).fetchall()]


def lay_out(database: Database, definitions: Iterable[CustomResource]) -> None:
    """Bring tables, indexes, views and triggers in line with the definitions, targets first; records stay.

    Raises sqlite3.IntegrityError where stored records break a new key.
    """
    for kind, name in database.execute("SELECT type, name FROM sqlite_temp_master").fetchall():
        database.execute(f"DROP {kind} temp.{name}")
    for definition in definitions:
        _lay_out_table(database, definition)
        _lay_out_view(database, definition)
        for link in definition.links:
            if link.cascade:
                _lay_out_cascade(database, definition.name, link)


def _lay_out_table(database: Database, definition: CustomResource) -> None:
    own = table(definition.name)
    database.execute(f"CREATE TABLE IF NOT EXISTS {own} (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)")
    for field in _looked_up(definition):
        _index(database, own, field)
    for link in definition.links:
        _index(database, table(link.target), link.field)
    database.execute(f"DROP INDEX IF EXISTS {own}_key")
    if definition.key:
        columns = ", ".join(column(field) for field in definition.key)
        filled = " OR ".join(f"{column(field)} <> ''" for field in definition.key)
        database.execute(f"CREATE UNIQUE INDEX {own}_key ON {own} ({columns}) WHERE {filled}")


def _looked_up(definition: CustomResource) -> set[str]:
    filtered = {field for one in definition.filters for field in one.parameters.values()}
    return filtered | {link.column for link in definition.links}


def _index(database: Database, own: str, field: str) -> None:
    database.execute(f"CREATE INDEX IF NOT EXISTS {own}_{field} ON {own} ({column(field)})")


def _lay_out_view(database: Database, definition: CustomResource) -> None:
    needed = [_has_target(link) for link in definition.links if link.cardinality == "1"]
    condition = f" WHERE {' AND '.join(needed)}" if needed else ""
    shown = f"SELECT id, body FROM {table(definition.name)} AS own{condition}"  # noqa: S608 - checked names
    database.execute(f"CREATE TEMP VIEW {view(definition.name)} AS {shown}")


def _has_target(link: Link) -> str:
    value = column(link.column, "own")
    same = f"{column(link.field, 'target')} = {value}"
    return f"({value} <> '' AND EXISTS (SELECT 1 FROM {view(link.target)} AS target WHERE {same}))"  # noqa: S608


def _lay_out_cascade(database: Database, name: str, link: Link) -> None:
    gone = column(link.field, "OLD")
    database.execute(
        f"CREATE TEMP TRIGGER cascade_{name}_{link.name} AFTER DELETE ON main.{table(link.target)} BEGIN "  # noqa: S608
        f"DELETE FROM {table(name)} WHERE {column(link.column)} = {gone} AND {gone} <> ''; END"
    )
