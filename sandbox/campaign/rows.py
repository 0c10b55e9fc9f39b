"""Reading a table of records: by number, by opaque key, by a field's value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.store import Database, column


@dataclass(frozen=True)
class Record:
    """One row: its number, never used twice, its opaque key, and the stored fields."""

    id: int
    pkey: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Naming:
    """How a resource is called: in paths and keys (`profile`), in errors (`Profile`), its schema (`nms:recipient`)
    and its heading (`Profiles`).
    """

    name: str
    label: str
    schema: str
    heading: str


class Rows:
    """The records of one SQL table with the columns `id` and `body`."""

    def __init__(self, database: Database, keys: KeyRing, table: str, naming: Naming) -> None:
        self.naming = naming
        self._database, self._keys, self._table = database, keys, table

    def by_pkey(self, pkey: str) -> Record:
        """Find by opaque key: garbage is status 500, a key whose record is gone 404. Raises Problem."""
        number = self._keys.unseal(self.naming.name, pkey)
        if number is None:
            raise problems.garbage_key(pkey, f"{self.naming.heading} ({self.naming.schema})")
        found = self.by_id(int(number))
        if found is None:
            raise problems.unknown_key(self.naming.label, pkey)
        return found

    def by_id(self, number: int) -> Record | None:
        """Return a record by its row number."""
        row = self._database.execute(f"SELECT id, body FROM {self._table} WHERE id = ?", number).fetchone()  # noqa: S608
        return self.row(*row) if row else None

    def where(self, field: str, value: str) -> list[Record]:
        """Return the records with a field equal to a value, oldest first."""
        sql = f"SELECT id, body FROM {self._table} WHERE {column(field)} = ? ORDER BY id"  # noqa: S608 - a checked name
        return [self.row(*row) for row in self._database.execute(sql, value)]

    def target(self, field: str, value: str) -> Record | None:
        """Return the record that a link with a value in this field leads to, if it can be reached."""
        return next(iter(self.where(field, value)), None) if value else None

    def all(self) -> list[Record]:
        """Return every record, oldest first."""
        sql = f"SELECT id, body FROM {self._table} ORDER BY id"  # noqa: S608 - our own name
        return [self.row(*row) for row in self._database.execute(sql)]

    def row(self, number: int, body: str) -> Record:
        """Return a record from its columns."""
        return Record(number, self._keys.seal(self.naming.name, f"{number:016d}"), json.loads(body))

    def remove(self, record: Record) -> None:
        """Delete a record, and what its links cascade to; its PKey is never issued again."""
        self._database.execute(f"DELETE FROM {self._table} WHERE id = ?", record.id)  # noqa: S608 - our own name

    def _require(self, number: int | None) -> Record:
        record = None if number is None else self.by_id(number)
        assert record is not None
        return record
