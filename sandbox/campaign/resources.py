"""The custom resources of an instance: what is defined, what is published, and who answers for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import custom_tables, problems
from sandbox.campaign.calls import Address, Call, Reply
from sandbox.campaign.counters import Counters
from sandbox.campaign.custom_records import CustomRecords
from sandbox.campaign.definitions import PROFILE, CustomResource, Link, arranged, as_json, from_json
from sandbox.campaign.faults import WRITES
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.listing import Pager
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.record_api import RecordApi, href
from sandbox.campaign.rows import Record, Rows
from sandbox.campaign.store import Database
from sandbox.campaign.times import Clock


@dataclass(frozen=True)
class CustomResourceApi:
    """Answers for one custom resource, and counts the writes that met or made a hidden record."""

    records: CustomRecords
    verbs: RecordApi
    counters: Counters

    def answer(self, call: Call) -> Reply:
        """Dispatch on verb and path. Raises Problem."""
        kind = f"{call.address.resource} {call.method}"
        try:
            reply = self.verbs.answer(call)
        except problems.HiddenRecord:
            if call.method in WRITES:
                self.counters.add(call.api_key, kind, "write to hidden")
            raise
        if call.method in ("POST", "PATCH") and self._is_hidden(reply):
            self.counters.add(call.api_key, kind, "made hidden")
        return reply

    def _is_hidden(self, reply: Reply) -> bool:
        assert isinstance(reply.body, dict)
        try:
            self.records.by_pkey(reply.body["PKey"])
        except problems.HiddenRecord:
            return True
        return False


class Resources:
    """Holds the definitions, in the database too: what was defined at run time is there again after a restart."""

    def __init__(
        self, database: Database, keys: KeyRing, pager: Pager, counters: Counters, profiles: Profiles, now: Clock
    ) -> None:
        self._database, self._keys, self._pager, self._counters = database, keys, pager, counters
        self._profiles, self._now = profiles, now
        self._apis: dict[str, CustomResourceApi] = {}

    def define(self, definitions: Iterable[CustomResource]) -> None:
        """Add resources, or replace those of the same name; their records stay.

        Raises ValueError if the whole would not fit together any more, or stored records break a new key.
        """
        stored = self._database.execute("SELECT definition FROM custom_resource").fetchall()
        known = {one.name: one for one in (from_json(text) for (text,) in stored)}
        known |= {one.name: one for one in definitions}
        fields = self._profiles.catalogue.at(extended=True).values()
        order = arranged(known.values(), (field.name for field in fields if field.kind == "string"))
        try:
            with self._database.transaction():
                for one in order:
                    sql = "INSERT OR REPLACE INTO custom_resource VALUES (?, ?)"
                    self._database.execute(sql, one.name, as_json(one))
                custom_tables.lay_out(self._database, order)
        except sqlite3.IntegrityError:
            raise ValueError("stored records do not fit the new identification key") from None
        self._apis = {one.name: self._api(one) for one in order}

    def definitions(self) -> list[CustomResource]:
        """Return every definition, targets first."""
        return [api.records.definition for api in self._apis.values()]

    def published(self, api: str) -> list[CustomRecords]:
        """Return what an API (`profileAndServicesExt`, `customResources`) knows."""
        found = (one.records for one in self._apis.values())
        return [records for records in found if records.definition.published and records.definition.api == api]

    def at(self, address: Address) -> CustomResourceApi | None:
        """Return who answers for an address, None for an unknown or unpublished resource, or one of the other API."""
        names = [records.naming.name for records in self.published(address.api)]
        return self._apis[address.resource] if address.resource in names else None

    def records(self, name: str) -> CustomRecords:
        """Return a resource's records, published or not. Raises LookupError."""
        if name not in self._apis:
            raise LookupError(f"no custom resource {name}")
        return self._apis[name].records

    def empty(self) -> None:
        """Remove all records; definitions stay, PKeys stay retired."""
        for one in custom_tables.stored_tables(self._database):
            self._database.execute(f"DELETE FROM {one}")  # noqa: S608 - our own name

    def _api(self, definition: CustomResource) -> CustomResourceApi:
        records = CustomRecords(definition, self._database, self._keys, self._now)
        return CustomResourceApi(records, RecordApi(records, self._pager, self._shown), self._counters)

    def _shown(self, call: Call, record: Record) -> dict[str, Any]:
        """A link is shown as key and address of its target, an empty text without one (assumed)."""
        records = self._apis[call.address.resource].records
        address = href(call.base, call.address.api, call.address.resource, record)
        values = {**record.body, "PKey": record.pkey, "href": address}
        values |= {link.name: self._target(call, link, record) for link in records.definition.links}
        return {name: values.get(name, field.empty) for name, field in sorted(records.fields.items())}

    def _target(self, call: Call, link: Link, record: Record) -> object:
        to_profile = link.target == PROFILE
        rows: Rows = self._profiles if to_profile else self._apis[link.target].records
        found = rows.target(link.field, record.body.get(link.column, ""))
        if found is None:
            return ""
        api = "profileAndServicesExt" if to_profile else self._apis[link.target].records.definition.api
        return {"PKey": found.pkey, "href": href(call.base, api, link.target, found)}
