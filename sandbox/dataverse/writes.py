"""Create, update and delete rows as the platform does, and tell the event pipeline about each."""

from __future__ import annotations

from uuid import uuid4

from sandbox.dataverse import rules
from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.counters import Counters
from sandbox.dataverse.errors import (
    already_exists,
    bad_payload,
    does_not_exist,
    has_dependants,
    key_taken,
    not_offered,
)
from sandbox.dataverse.events import Event, Publish
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.registration import check
from sandbox.dataverse.schema import OnDelete, Relationship, Schema, Table
from sandbox.dataverse.store import Store, type_column
from sandbox.dataverse.values import Row


class Writer:
    """Writes rows; callers wrap what must be atomic in `store.transaction()`. Values are in stored form."""

    def __init__(
        self, schema: Schema, store: Store, config: DataverseConfig, publish: Publish, counters: Counters
    ) -> None:
        self._schema = schema
        self._store = store
        self._config = config
        self._publish = publish
        self._counters = counters

    def create(self, table: Table, values: Row, op: Operation) -> str:
        """Insert a row and return its id: the caller's own when the values hold one (also that of a deleted row).

        Raises ApiError: 412 when the id or an alternate key is taken, 400 for a state other than the first one.
        """
        self._require_writable(table, adding=True)
        submitted = rules.accepted(table, values, creating=True)
        row_id = str(submitted.get(table.primary_id) or uuid4())
        if self._store.get(table, row_id) is not None:
            raise already_exists()
        row = rules.completed(table, row_id, submitted, op, self._config)
        self._check(table, row, submitted)
        row["versionnumber"] = self._store.next_version()
        self._store.insert(table, row)
        stored = self._store.get(table, row_id) or row
        self._counters.row("created", table.name)
        self._publish(Event("Create", table, row_id, None, stored, submitted, row, op))
        return row_id

    def update(self, table: Table, row_id: str, values: Row, op: Operation) -> None:
        """Change columns of a row; state beside other columns is written, and told, as a second update.

        Raises ApiError: 404 when the row is gone, 412 when an alternate key is taken, 400 for a status that does not
        belong to the state or for another primary id.
        """
        self._require_writable(table)
        if values.get(table.primary_id, row_id) != row_id:
            raise bad_payload(table.entity_set, f"The primary key '{table.primary_id}' cannot be changed.")
        submitted = rules.accepted(table, values, creating=False)
        for part in rules.split_state(submitted):
            self._apply(table, row_id, part, op)
        self._counters.row("updated", table.name)

    def _apply(self, table: Table, row_id: str, submitted: Row, op: Operation) -> None:
        before = self.existing(table, row_id)
        changes = rules.with_status(table, before, submitted)
        changes = {**changes, **rules.derived(table, before | changes, submitted, self._config), **rules.touched(op)}
        self._check(table, before | changes, submitted)
        version = self._store.next_version()
        self._store.update(table, row_id, {**changes, "versionnumber": version})
        after = {**before, **changes, "versionnumber": version}
        self._publish(Event("Update", table, row_id, before, after, submitted, changes, op))

    def delete(self, table: Table, row_id: str, op: Operation) -> None:
        """Remove a row, the rows that belong to it, and the links that point at it.

        Each of these rows raises an event of its own: Delete, or Update of the lookup. (The platform's documents are
        silent on whether a link that is removed raises an Update; that it does is an assumption.)

        Raises ApiError: 404 when the row is gone, 405 when a relationship restricts the deletion.
        """
        self._require_writable(table, adding=True)
        before = self.existing(table, row_id)
        self._store.delete(table, row_id, op.stamp)
        self._counters.row("deleted", table.name)
        self._publish(Event("Delete", table, row_id, before, None, {}, {}, op))
        for link in self._schema.referencing(table):
            self._release(link, row_id, op)

    def _release(self, link: Relationship, row_id: str, op: Operation) -> None:
        name, table = link.attribute.name, link.referencing
        for row in self._store.find(table, {name: row_id, type_column(name): link.target.table}):
            other_id = row[table.primary_id]
            if self._store.get(table, other_id) is None:
                continue  # a cycle of parents has already removed it
            if link.target.on_delete is OnDelete.RESTRICT:
                raise has_dependants()
            if link.target.on_delete is OnDelete.CASCADE:
                self.delete(table, other_id, op)
            else:
                self._apply(table, other_id, rules.reference(name, link.target.table, None), op)

    def existing(self, table: Table, row_id: str) -> Row:
        """The stored row. Raises ApiError 404."""
        row = self._store.get(table, row_id)
        if row is None:
            raise does_not_exist(table.name, row_id)
        return row

    def _check(self, table: Table, row: Row, submitted: Row) -> None:
        check(self._schema, self._store, table.name, row)
        for key in table.keys:
            values = {name: row.get(name) for name in key.attributes}
            if not submitted.keys() & values.keys() or None in values.values():
                continue
            taken = self._store.find(table, values)
            if any(other[table.primary_id] != row[table.primary_id] for other in taken):
                raise key_taken(key.name, ",".join(key.attributes))

    def _require_writable(self, table: Table, *, adding: bool = False) -> None:
        if table.view:
            raise not_offered(f"writing to '{table.entity_set}' (a read-only union of the activity tables)")
        if table.managed and adding:
            raise not_offered(f"creating or deleting rows of '{table.entity_set}'")
