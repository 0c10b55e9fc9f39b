"""Rows in SQLite: one SQL table for each Dataverse table, one growing version number, and a record of deletions."""

# ruff: noqa: S608 - names of tables and columns come from the schema, values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.dataverse.guid_order import weight_sql
from sandbox.dataverse.schema import TEXTS, Attribute, Kind, Schema, Table
from sandbox.dataverse.values import Row

_SQL_TYPES = {
    Kind.BOOLEAN: "INTEGER",
    Kind.INTEGER: "INTEGER",
    Kind.BIGINT: "INTEGER",
    Kind.PICKLIST: "INTEGER",
    Kind.STATE: "INTEGER",
    Kind.STATUS: "INTEGER",
    Kind.DECIMAL: "REAL",
    Kind.DOUBLE: "REAL",
    Kind.MONEY: "REAL",
}
_PRIVATE = """
CREATE TABLE IF NOT EXISTS _counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _secret (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _deleted (
  version INTEGER PRIMARY KEY, table_name TEXT NOT NULL, row_id TEXT NOT NULL, deleted_on TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS _deleted_by_table ON _deleted (table_name, version);
"""
_FIRST_VERSION = 73_000_000


def type_column(name: str) -> str:
    """The SQL column that says which table a lookup points at."""
    return f"{name}__type"


class Store:
    """Stored rows as dictionaries (column → value; a lookup has a second entry `<column>__type`).

    Statements run at once and block: SQLite answers in microseconds, and a request that never yields to the event
    loop in the middle of its work needs no locks.
    """

    def __init__(self, schema: Schema, path: Path | None) -> None:
        """Open or create the file (None: memory) and bring its tables up to the schema."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.schema = schema
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(_PRIVATE)
        self.ensure(*schema)

    def ensure(self, *tables: Table) -> None:
        """Bring the SQL tables of these tables of the schema up to their columns; columns are added, never removed."""
        for table in tables:
            if not table.view:
                self._ensure_table(table)
        if any(table.is_activity for table in tables):
            for view in (table for table in self.schema if table.view):
                self._ensure_view(view)

    def drop(self, table: Table) -> None:
        """Remove the SQL table of a table that the schema has forgotten; the views that joined it go on without."""
        for view in (other for other in self.schema if other.view):
            self._ensure_view(view)
        self.db.execute(f'DROP TABLE "{table.name}"')

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested use gives way to the outer one through a savepoint."""
        nested = self.db.in_transaction
        self.db.execute("SAVEPOINT inner_work" if nested else "BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO inner_work" if nested else "ROLLBACK")
            if nested:
                self.db.execute("RELEASE inner_work")
            raise
        self.db.execute("RELEASE inner_work" if nested else "COMMIT")

    def next_version(self) -> int:
        """A number greater than any before it, over all tables."""
        return self.count_up("version", _FIRST_VERSION)

    def version(self) -> int:
        """The latest version that was given away."""
        return self._counter("version", _FIRST_VERSION)

    def version_of_clearing(self) -> int:
        """The version at which all rows were dropped last: what happened before is not known any more."""
        return self._counter("cleared", 0)

    def _counter(self, name: str, otherwise: int) -> int:
        found = self.db.execute("SELECT value FROM _counter WHERE name = ?", (name,)).fetchone()
        return int(found[0]) if found else otherwise

    def count_up(self, name: str, start: int = 0) -> int:
        """Add one to a kept counter and return it."""
        sql = "INSERT INTO _counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        return int(self.db.execute(sql, (name, start + 1)).fetchone()[0])

    def secret(self, name: str, fresh: str) -> str:
        """The kept value of that name, or `fresh`, which is kept from now on."""
        self.db.execute("INSERT INTO _secret VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, fresh))
        return str(self.db.execute("SELECT value FROM _secret WHERE name = ?", (name,)).fetchone()[0])

    def get(self, table: Table, row_id: str) -> Row | None:
        found = self.db.execute(f'SELECT * FROM "{table.name}" WHERE "{table.primary_id}" = ?', (row_id,)).fetchone()
        return dict(found) if found else None

    def find(self, table: Table, values: Row) -> list[Row]:
        """Rows whose columns equal all the given values."""
        where = " AND ".join(f'"{name}" IS ?' for name in values)
        found = self.db.execute(f'SELECT * FROM "{table.name}" WHERE {where}', tuple(values.values()))
        return [dict(row) for row in found]

    def select(self, table: Table, where: str, parameters: Sequence[Any], order: str, limit: int) -> list[Row]:
        """Rows of the table, named `t` inside `where` and `order`."""
        sql = f'SELECT t.* FROM "{table.name}" t WHERE {where} ORDER BY {order} LIMIT {limit}'
        return [dict(row) for row in self.db.execute(sql, tuple(parameters))]

    def count(self, table: Table, where: str, parameters: Sequence[Any], limit: int) -> int:
        sql = f'SELECT count(*) FROM (SELECT 1 FROM "{table.name}" t WHERE {where} LIMIT {limit})'
        return int(self.db.execute(sql, tuple(parameters)).fetchone()[0])

    def insert(self, table: Table, row: Row) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.db.execute(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', tuple(row.values()))

    def update(self, table: Table, row_id: str, changes: Row) -> None:
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        sql = f'UPDATE "{table.name}" SET {sets} WHERE "{table.primary_id}" = ?'
        self.db.execute(sql, (*changes.values(), row_id))

    def delete(self, table: Table, row_id: str, deleted_on: str) -> None:
        """Remove the row and note its deletion under a version of its own."""
        self.db.execute(f'DELETE FROM "{table.name}" WHERE "{table.primary_id}" = ?', (row_id,))
        sql = "INSERT INTO _deleted (version, table_name, row_id, deleted_on) VALUES (?, ?, ?, ?)"
        self.db.execute(sql, (self.next_version(), table.name, row_id, deleted_on))

    def deletions(self, table: Table, since: int, after: int, limit: int) -> list[Row]:
        """Rows of the table that were deleted after the version `since` and are still gone: `row_id` and `latest`.

        In the order of their last deletion, from the first one after the version `after` on.
        """
        sql = f"""SELECT row_id, max(version) AS latest FROM _deleted WHERE table_name = ? AND version > ?
                  AND row_id NOT IN (SELECT "{table.primary_id}" FROM "{table.name}")
                  GROUP BY row_id HAVING latest > ? ORDER BY latest LIMIT {limit}"""
        return [dict(row) for row in self.db.execute(sql, (table.name, since, after))]

    def clear(self) -> None:
        """Drop every row and every noted deletion; versions keep growing."""
        with self.transaction():
            for table in self.schema:
                if not table.view:
                    self.db.execute(f'DELETE FROM "{table.name}"')
            self.db.execute("DELETE FROM _deleted")
            self.db.execute("INSERT OR REPLACE INTO _counter VALUES ('cleared', ?)", (self.version(),))

    def _ensure_table(self, table: Table) -> None:
        columns = dict(_sql_columns(table))
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        self.db.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({listed})')
        present = {row["name"] for row in self.db.execute(f'PRAGMA table_info("{table.name}")')}
        for name, kind in columns.items():
            if name not in present:
                self.db.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{name}" {kind}')
        order = weight_sql(f'"{table.primary_id}"')
        self.db.execute(f'CREATE INDEX IF NOT EXISTS "{table.name}.order" ON "{table.name}" ({order})')
        for index in _indexed(table):
            self.db.execute(f'CREATE INDEX IF NOT EXISTS "{table.name}.{index}" ON "{table.name}" ("{index}")')

    def _ensure_view(self, view: Table) -> None:
        """A view joins every table that has all of its columns: the activities."""
        names = ", ".join(f'"{name}"' for name, _ in _sql_columns(view))
        members = [table for table in self.schema if table.is_activity and not table.view]
        union = " UNION ALL ".join(f'SELECT {names} FROM "{member.name}"' for member in members)
        self.db.execute(f'DROP VIEW IF EXISTS "{view.name}"')
        self.db.execute(f'CREATE VIEW "{view.name}" AS {union}')


def _sql_columns(table: Table) -> Iterator[tuple[str, str]]:
    for column in table.attributes:
        yield column.name, _sql_type(table, column)
        if column.is_reference:
            yield type_column(column.name), "TEXT"


def _sql_type(table: Table, column: Attribute) -> str:
    if column.name == table.primary_id:
        return "TEXT PRIMARY KEY"
    if column.kind in TEXTS:
        return "TEXT COLLATE NOCASE"
    return _SQL_TYPES.get(column.kind, "TEXT")


def _indexed(table: Table) -> Iterator[str]:
    for column in table.attributes:
        if any(target.table not in ("systemuser", "businessunit") for target in column.targets):
            yield column.name
    yield from (name for key in table.keys for name in key.attributes)
    yield from (name for name in ("versionnumber", "modifiedon", "emailaddress1") if table.has(name))
