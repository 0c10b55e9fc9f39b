"""Activity tables that callers add, extend and delete while the stand-in runs; the next start knows them again."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from sandbox.dataverse import activity_documents, metadata
from sandbox.dataverse.errors import ApiError, invalid_value
from sandbox.dataverse.schema import Schema, Table
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row

_TABLE = "CREATE TABLE IF NOT EXISTS _activity (name TEXT PRIMARY KEY, documents TEXT NOT NULL);"
_FIRST_TYPE_CODE = 11001
_FORM = (
    '<form><tabs><tab name="general"><columns><column width="100%"><sections><section name="general" columns="1"><rows>'
    '<row><cell id="{7a1c0a10-0000-4000-8000-000000000001}"><labels><label description="Subject" languagecode="1033"/>'
    '</labels><control id="subject" classid="{4273EDBD-AC1D-40d3-9FB2-095C621B552D}" datafieldname="subject"/></cell>'
    "</row></rows></section></sections></column></columns></tab></tabs></form>"
)


class ActivityTables:
    """Keeps the documents as they were posted: the table's first, then each column's."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store
        store.db.executescript(_TABLE)
        for row in store.db.execute("SELECT documents FROM _activity ORDER BY rowid").fetchall():
            self._build(json.loads(row["documents"]))

    def create(self, document: Row) -> Table:
        """A new table with its main form. Raises ApiError 400 for a name that is taken or a wrong definition."""
        table = activity_documents.table(document, 0)
        if table.name in self._schema.tables:
            raise ApiError(400, "0x80044363", f"An entity with the name {table.name} already exists.")
        more = [one for one in document.get("Attributes") or [] if not one.get("IsPrimaryName")]
        self._keep(table.name, [document, *more])
        self._build([document, *more])
        self._add_form(table.name)
        return self._schema.tables[table.name]

    def extend(self, table: Table, document: Row) -> str:
        """A new column; its name. Raises ApiError 400 for a taken name, a wrong definition, a foreign table."""
        documents, column = self._documents(table), activity_documents.column(document)
        if table.has(column.name):
            raise ApiError(400, "0x80044363", f"An attribute with the name {column.name} already exists.")
        self._keep(table.name, [*documents, document])
        self._build([*documents, document])
        return column.name

    def delete(self, table: Table) -> None:
        """With all its rows. Raises ApiError 400 for a table that was not created by a caller."""
        self._documents(table)
        self._store.db.execute("DELETE FROM systemform WHERE objecttypecode = ?", (table.name,))
        self._store.db.execute("DELETE FROM sdkmessagefilter WHERE primaryobjecttypecode = ?", (table.name,))
        self._store.db.execute("DELETE FROM _activity WHERE name = ?", (table.name,))
        self._schema.forget(table)
        self._store.drop(table)

    def _documents(self, table: Table) -> list[Row]:
        found = self._store.db.execute("SELECT documents FROM _activity WHERE name = ?", (table.name,)).fetchone()
        if found is None:
            raise invalid_value(f"The entity {table.name} cannot be customized this way.")
        documents: list[Row] = json.loads(found["documents"])
        return documents

    def _keep(self, name: str, documents: list[Row]) -> None:
        sql = "INSERT INTO _activity VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET documents = excluded.documents"
        self._store.db.execute(sql, (name, json.dumps(documents)))

    def _build(self, documents: list[Row]) -> None:
        first, *columns = documents
        table = activity_documents.table(first, self._code())
        earlier = self._schema.tables.get(table.name)
        code = table.object_type_code if earlier is None else earlier.object_type_code
        own = tuple(activity_documents.column(document) for document in columns)
        table = replace(table, attributes=(*table.attributes, *own), object_type_code=code)
        self._schema.define(table)
        self._store.ensure(table)

    def _code(self) -> int:
        return max(_FIRST_TYPE_CODE - 1, *(table.object_type_code for table in self._schema)) + 1

    def _add_form(self, name: str) -> None:
        form_id = str(uuid5(NAMESPACE_URL, f"dataverse-form/{name}"))
        row = {"formid": form_id, "name": "Information", "objecttypecode": name, "type": 2, "formxml": _FORM}
        self._store.insert(self._schema.tables["systemform"], {**row, "versionnumber": self._store.next_version()})


def metadata_id(table: Table, column: str = "") -> str:
    """The id of a table's or a column's definition."""
    shown = metadata.attribute(table, table.columns[column]) if column else metadata.entity(table)
    return str(shown["MetadataId"])
