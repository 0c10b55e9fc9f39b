"""What became of the tables while the stand-in ran: tables that were described, tracking that was switched on."""

from __future__ import annotations

from dataclasses import replace

from sandbox.dataverse.schema import Schema, Table
from sandbox.dataverse.store import Store
from sandbox.dataverse.table_document import TableDocument

_TABLES = """
CREATE TABLE IF NOT EXISTS _described (name TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _tracked (name TEXT PRIMARY KEY);
"""
_FIRST_TYPE_CODE = 10501


class Catalog:
    """Changes the schema of a running stand-in, and does so again at the next start from the same state file."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store
        self._own = frozenset(table.name for table in schema)
        store.db.executescript(_TABLES)
        for row in store.db.execute("SELECT document FROM _described ORDER BY rowid").fetchall():
            document = TableDocument.model_validate_json(row["document"])
            if document.name not in self._own:
                self.define(document.table(self._code()))
        for row in store.db.execute("SELECT name FROM _tracked").fetchall():
            if row["name"] in schema.tables:
                self._switch_on(schema.tables[row["name"]])

    def describe(self, document: TableDocument) -> Table:
        """Add a table, or describe one anew that was added before; rows stay, columns that are left out are hidden.

        Raises:
            ValueError: the table is one of the stand-in's own, its entity set is taken, or a lookup points nowhere.
        """
        if document.name in self._own:
            raise ValueError(f"{document.name} is one of the stand-in's own tables")
        for target in document.targets():
            if target != document.name and target not in self._schema.tables:
                raise ValueError(f"a lookup points at {target}, which is no table")
        earlier = self._schema.tables.get(document.name)
        table = document.table(self._code() if earlier is None else earlier.object_type_code)
        self.define(replace(table, change_tracking=True) if earlier is not None and earlier.change_tracking else table)
        text = document.model_dump_json(exclude_unset=True)
        self._store.db.execute("INSERT OR REPLACE INTO _described VALUES (?, ?)", (document.name, text))
        return self._schema.tables[document.name]

    def define(self, table: Table) -> None:
        """Put a table into the schema and the store, for this run only. Raises ValueError: its entity set is taken."""
        self._schema.define(table)
        self._store.ensure(table)

    def track(self, table: Table) -> None:
        """Switch change tracking on, for good: the platform has no way to switch it off."""
        self._switch_on(table)
        self._store.db.execute("INSERT OR REPLACE INTO _tracked VALUES (?)", (table.name,))

    def _switch_on(self, table: Table) -> None:
        self._schema.define(replace(table, change_tracking=True))

    def _code(self) -> int:
        return max(_FIRST_TYPE_CODE - 1, *(table.object_type_code for table in self._schema)) + 1
