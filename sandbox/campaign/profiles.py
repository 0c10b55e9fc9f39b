"""The table of profiles: keys, defaults, opt-out times, and what a person inside Campaign may do to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.documents import accepted
from sandbox.campaign.fields import FLAGS, PROFILE_FIELDS, STAMPS, Catalogue
from sandbox.campaign.filters import NOT_OFFERED, PROFILE_FILTERS
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.rows import Naming, Record, Rows
from sandbox.campaign.selecting import Listing
from sandbox.campaign.store import Database, packed
from sandbox.campaign.times import Clock, written

NAMING = Naming("profile", "Profile", "nms:recipient", "Profiles")


class Profiles(Rows):
    """Reads and writes profiles by the rules of the instance.

    Opt-out times (assumed, since unpublished): a new profile whose document carries a flag, true or false, gets that
    flag's time; a change sets the time only if the flag's value differs from the stored one. `lastModified` moves with
    every accepted change, even one that changes nothing.
    """

    def __init__(self, database: Database, keys: KeyRing, config: CampaignConfig, now: Clock) -> None:
        super().__init__(database, keys, "profile", NAMING)
        self.catalogue = Catalogue(PROFILE_FIELDS, (extra.as_field() for extra in config.custom_fields))
        self._config, self._now = config, now
        built_in = {one.name: one for one in PROFILE_FILTERS}
        custom = {one.name: one.as_filter() for one in config.custom_filters}
        self._listings = {
            extended: Listing("profile", self.catalogue.at(extended), filters, NOT_OFFERED)
            for extended, filters in ((False, built_in), (True, built_in | custom))
        }

    def listing(self, extended: bool) -> Listing:
        """Return the lists of profiles; custom filters are known at the Ext endpoint only."""
        return self._listings[extended]

    def read_document(self, document: Mapping[str, Any], extended: bool) -> dict[str, Any]:
        """Return the storable values of a request's body. Raises Problem."""
        return accepted(document, self.catalogue.at(extended), self._config.data_policies, "profile")

    def insert(self, values: Mapping[str, Any], author: str) -> Record:
        """Create a profile; raises Problem if its custom key is taken."""
        moment = written(self._now())
        body = {name: field.empty for name, field in self._stored_fields().items()}
        body |= {"created": moment, "lastModified": moment, "createdBy": author}
        flags = [flag for flag in FLAGS if flag in values]
        cursor = self._write(
            "INSERT INTO profile (body, flag_change) VALUES (?, ?)", self._merged(body, values, flags, moment), flags
        )
        return self._require(cursor.lastrowid)

    def change(self, record: Record, values: Mapping[str, Any]) -> Record:
        """Apply values to a profile; raises Problem if they would change its custom key or take another's."""
        key = self._config.custom_key
        if key and key in values and record.body[key] and values[key] != record.body[key]:
            raise problems.key_conflict(self.naming.name, record.body[key], values[key])
        flags = [flag for flag in FLAGS if flag in values and values[flag] != record.body[flag]]
        body = self._merged(dict(record.body), values, flags, written(self._now()))
        if flags:
            self._write("UPDATE profile SET body = ?, flag_change = ? WHERE id = ?", body, flags, record.id)
        else:
            self._write("UPDATE profile SET body = ? WHERE id = ?", body, None, record.id)
        return self._require(record.id)

    def by_path_key(self, key: str, extended: bool) -> Record:
        """Find by what a path carries: a PKey anywhere, the custom key at the Ext endpoint only. Raises Problem.

        Whether the real server knows `externalId` in a path without an extension is not published: here it does not.
        """
        if key.startswith("@"):
            return self.by_pkey(key)
        found = self.where(self._config.custom_key, key) if extended and self._config.custom_key else []
        if not found:
            raise problems.unknown_key(self.naming.label, key)
        return found[0]

    def flags_changed_since(self, mark: int) -> tuple[list[Record], int]:
        """Return the profiles whose flags changed after a mark, in order of change, and the new mark."""
        sql = "SELECT id, body, flag_change FROM profile WHERE flag_change > ? ORDER BY flag_change"
        rows = self._database.execute(sql, mark).fetchall()
        return [self.row(number, body) for number, body, _ in rows], max((row[2] for row in rows), default=mark)

    def _stored_fields(self) -> Mapping[str, Any]:
        computed = ("PKey", "href", "age", "domain", "title", "cryptedId", "postalAddress", "thumbnail")
        fields = self.catalogue.at(extended=True).items()
        return {name: field for name, field in fields if name not in computed and field.kind != "collection"}

    def _merged(self, body: dict[str, Any], values: Mapping[str, Any], flags: list[str], moment: str) -> dict[str, Any]:
        for name, value in values.items():
            body[name] = {**body[name], **value} if isinstance(value, dict) else value
        body |= {stamp: moment for flag in flags for stamp in STAMPS[flag]}
        return body | {"lastModified": moment}

    def _write(self, sql: str, body: Mapping[str, Any], flags: list[str] | None, *more: object) -> sqlite3.Cursor:
        marks = () if flags is None else (self._next_mark() if flags else 0,)
        try:
            return self._database.execute(sql, packed(body), *marks, *more)
        except sqlite3.IntegrityError:
            key = self._config.custom_key or ""
            raise problems.duplicate_key(self.naming.label, body[key], f"nmsrecipient_{key.lower()}") from None

    def _next_mark(self) -> int:
        mark = int(self._database.setting("flag_change", "0")) + 1
        self._database.set_setting("flag_change", str(mark))
        return mark
