"""The verbs of a resource: POST, GET of one or many, PATCH and DELETE, alike for profiles and custom resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.campaign import problems
from sandbox.campaign.calls import Address, Call, Reply
from sandbox.campaign.listing import Pager
from sandbox.campaign.rows import Naming, Record
from sandbox.campaign.selecting import Listing


class Table(Protocol):
    """What the verbs need of a resource's records. Every method may raise Problem."""

    naming: Naming

    def listing(self, extended: bool) -> Listing:
        """Return the resource's lists at the Ext endpoint or elsewhere."""

    def read_document(self, document: Mapping[str, Any], extended: bool) -> dict[str, Any]:
        """Return the storable values of a request's body."""

    def insert(self, values: Mapping[str, Any], author: str) -> Record:
        """Create a record."""

    def change(self, record: Record, values: Mapping[str, Any]) -> Record:
        """Apply values to a record."""

    def remove(self, record: Record) -> None:
        """Delete a record."""

    def by_pkey(self, pkey: str) -> Record:
        """Find by opaque key."""

    def by_path_key(self, key: str, extended: bool) -> Record:
        """Find by what a path carries."""

    def row(self, number: int, body: str) -> Record:
        """Return a record from its columns."""


def href(base: str, api: str, name: str, record: Record) -> str:
    """Return the absolute URL of a record."""
    return f"{base}/{api}/{name}/{record.pkey}"


@dataclass(frozen=True)
class RecordApi:
    """Answers every request to one resource; `shown` gives a record as the endpoint shows it."""

    table: Table
    pager: Pager
    shown: Callable[[Call, Record], dict[str, Any]]

    def answer(self, call: Call) -> Reply:
        """Dispatch on verb and path. Raises Problem."""
        if call.method == "GET" and self.selects_many(call.address):
            return self.table.listing(call.address.extended).answer(
                call, self.pager, lambda number, body: self.shown(call, self.table.row(number, body))
            )
        if call.method == "POST" and not call.address.rest:
            return self._create(call)
        if len(call.address.rest) != 1 or call.method not in ("GET", "PATCH", "DELETE"):
            path = "/".join((self.table.naming.name, "…", *call.address.rest[1:]))
            raise problems.not_offered(f"{call.method} on /{path}")
        record = self.table.by_path_key(call.address.rest[0], call.address.extended)
        return {"GET": self._read, "PATCH": self._update, "DELETE": self._delete}[call.method](call, record)

    def selects_many(self, address: Address) -> bool:
        """Tell whether a GET of this path answers with a list or a count."""
        return self.table.listing(address.extended).selects_many(address)

    def _read(self, call: Call, record: Record) -> Reply:
        return Reply(200, self.shown(call, record))

    def _create(self, call: Call) -> Reply:
        document = call.document()
        if "PKey" in document:
            taken = self.table.by_pkey(str(document["PKey"]))
            constraint = f"{self.table.naming.schema.replace(':', '')}_id"
            raise problems.duplicate_key(self.table.naming.label, taken.pkey, constraint)
        record = self.table.insert(self.table.read_document(document, call.address.extended), call.author)
        return Reply(201, self.shown(call, record))

    def _update(self, call: Call, record: Record) -> Reply:
        document = call.document()
        sent = document.pop("PKey", record.pkey)
        if sent != record.pkey:
            self.table.by_pkey(str(sent))
            raise problems.key_conflict(self.table.naming.name, record.pkey, sent)
        document.pop("href", None)
        changed = self.table.change(record, self.table.read_document(document, call.address.extended))
        address = href(call.base, call.address.api, self.table.naming.name, changed)
        return Reply(200, {"PKey": changed.pkey, "href": address})

    def _delete(self, _call: Call, record: Record) -> Reply:
        self.table.remove(record)
        return Reply(200, {})
