"""The records of one custom resource: key, mandatory fields, and who cannot be reached."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Set
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.custom_tables import table, view
from sandbox.campaign.definitions import CustomResource
from sandbox.campaign.documents import accepted
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.rows import Record, Rows
from sandbox.campaign.selecting import Listing
from sandbox.campaign.store import Database, packed
from sandbox.campaign.times import Clock, written

_COMPUTED = ("PKey", "href")


class CustomRecords(Rows):
    """Reads and writes the records of one resource, the same at either API.

    A record that is written without its parent is answered with 201 and its PKey like any other (assumed); from then
    on it cannot be reached.
    """

    def __init__(self, definition: CustomResource, database: Database, keys: KeyRing, now: Clock) -> None:
        super().__init__(database, keys, table(definition.name), definition.naming)
        self.definition = definition
        self.fields = definition.catalogue()
        self._now = now
        filters = {one.name: one.as_filter() for one in definition.filters}
        self._listing = Listing(self._table, self.fields, filters, view=view(definition.name))

    def listing(self, extended: bool) -> Listing:  # noqa: ARG002 - one endpoint
        """Return the lists of what is not hidden."""
        return self._listing

    def read_document(self, document: Mapping[str, Any], extended: bool) -> dict[str, Any]:  # noqa: ARG002
        """Return the storable values of a request's body; linked objects in it are ignored. Raises Problem."""
        return accepted(document, self.fields, {}, self.naming.name)

    def insert(self, values: Mapping[str, Any], author: str) -> Record:  # noqa: ARG002 - custom records name none
        """Create a record, hidden or not; raises Problem if a mandatory field is missing or the key is taken."""
        moment = written(self._now())
        stored = {name: field for name, field in self.fields.items() if field.kind != "link" and name not in _COMPUTED}
        body = {name: field.empty for name, field in stored.items()} | dict(values)
        self._check_mandatory(values, {name for name in stored if name not in values})
        body |= {"created": moment, "lastModified": moment}
        sql = f"INSERT INTO {self._table} (body) VALUES (?)"  # noqa: S608 - our own name
        return self._require(self._write(sql, body).lastrowid)

    def change(self, record: Record, values: Mapping[str, Any]) -> Record:
        """Apply values; raises Problem if they would change the key that is set, take another's or empty a
        mandatory field. `lastModified` moves with every accepted change.
        """
        for name in self.definition.key:
            if name in values and record.body.get(name) and values[name] != record.body[name]:
                raise problems.key_conflict(self.naming.name, record.body[name], values[name])
        self._check_mandatory(values, set())
        body = {**record.body, **values, "lastModified": written(self._now())}
        self._write(f"UPDATE {self._table} SET body = ? WHERE id = ?", body, record.id)  # noqa: S608 - our own name
        return self._require(record.id)

    def by_pkey(self, pkey: str) -> Record:
        """Find as for every resource; raises HiddenRecord for what cannot be reached."""
        record = super().by_pkey(pkey)
        if self.is_hidden(record):
            raise problems.HiddenRecord(self.naming.label, pkey)
        return record

    def by_path_key(self, key: str, extended: bool) -> Record:  # noqa: ARG002 - one endpoint
        """Find by PKey only: custom keys in a path are documented for the profile alone. Raises Problem."""
        if not key.startswith("@"):
            raise problems.unknown_key(self.naming.label, key)
        return self.by_pkey(key)

    def target(self, field: str, value: str) -> Record | None:
        """Return the record that a link leads to, unless it is hidden."""
        found = super().target(field, value)
        return None if found is None or self.is_hidden(found) else found

    def is_hidden(self, record: Record) -> bool:
        """Tell whether a parent that the record needs is missing, or hidden itself."""
        sql = f"SELECT 1 FROM {view(self.naming.name)} WHERE id = ?"  # noqa: S608 - our own name
        return self._database.execute(sql, record.id).fetchone() is None

    def _check_mandatory(self, values: Mapping[str, Any], absent: Set[str]) -> None:
        empty = absent | {name for name, value in values.items() if value == ""}
        if missing := [name for name, field in self.fields.items() if field.mandatory and name in empty]:
            raise problems.mandatory(missing[0])

    def _write(self, sql: str, body: Mapping[str, Any], *more: object) -> sqlite3.Cursor:
        try:
            return self._database.execute(sql, packed(body), *more)
        except sqlite3.IntegrityError:
            key = "+".join(str(body.get(name, "")) for name in self.definition.key)
            constraint = f"{self.naming.schema.replace(':', '')}_{'_'.join(self.definition.key)}".lower()
            raise problems.duplicate_key(self.naming.label, key, constraint) from None
