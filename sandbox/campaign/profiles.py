"""The table of profiles: keys, defaults, opt-out times, and what a person inside Campaign may do to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.documents import accepted
from sandbox.campaign.fields import FLAGS, PROFILE_FIELDS, STAMPS, Catalogue
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.store import Database, column, packed
from sandbox.campaign.times import Clock, written


@dataclass(frozen=True)
class Profile:
    """One row: its number, never used twice, its opaque key, and the stored fields."""

    id: int
    pkey: str
    body: Mapping[str, Any]


class Profiles:
    """Reads and writes profiles by the rules of the instance.

    Opt-out times (assumed, since unpublished): a new profile whose document carries a flag, true or false, gets that
    flag's time; a change sets the time only if the flag's value differs from the stored one. `lastModified` moves with
    every accepted change, even one that changes nothing.
    """

    def __init__(self, database: Database, keys: KeyRing, config: CampaignConfig, now: Clock) -> None:
        self.catalogue = Catalogue(PROFILE_FIELDS, (extra.as_field() for extra in config.custom_fields))
        self._database, self._keys, self._config, self._now = database, keys, config, now

    def read_document(self, document: Mapping[str, Any], extended: bool) -> dict[str, Any]:
        """Return the storable values of a request's body. Raises Problem."""
        return accepted(document, self.catalogue.at(extended), self._config.data_policies, "profile")

    def insert(self, values: Mapping[str, Any], author: str) -> Profile:
        """Create a profile; raises Problem if its custom key is taken."""
        moment = written(self._now())
        body = {name: field.empty for name, field in self._stored_fields().items()}
        body |= {"created": moment, "lastModified": moment, "createdBy": author}
        flags = [flag for flag in FLAGS if flag in values]
        cursor = self._write(
            "INSERT INTO profile (body, flag_change) VALUES (?, ?)", self._merged(body, values, flags, moment), flags
        )
        assert cursor.lastrowid is not None
        return self._require(cursor.lastrowid)

    def change(self, profile: Profile, values: Mapping[str, Any]) -> Profile:
        """Apply values to a profile; raises Problem if they would change its custom key or take another's."""
        key = self._config.custom_key
        if key and key in values and profile.body[key] and values[key] != profile.body[key]:
            raise problems.key_conflict("profile", profile.body[key], values[key])
        flags = [flag for flag in FLAGS if flag in values and values[flag] != profile.body[flag]]
        body = self._merged(dict(profile.body), values, flags, written(self._now()))
        if flags:
            self._write("UPDATE profile SET body = ?, flag_change = ? WHERE id = ?", body, flags, profile.id)
        else:
            self._write("UPDATE profile SET body = ? WHERE id = ?", body, None, profile.id)
        return self._require(profile.id)

    def remove(self, profile: Profile) -> None:
        """Delete a profile; its PKey is never issued again."""
        self._database.execute("DELETE FROM profile WHERE id = ?", profile.id)

    def by_pkey(self, pkey: str) -> Profile:
        """Find by opaque key: garbage is status 500, a key whose profile is gone 404. Raises Problem."""
        number = self._keys.unseal("profile", pkey)
        if number is None:
            raise problems.garbage_key(pkey)
        found = self.by_id(int(number))
        if found is None:
            raise problems.unknown_key("Profile", pkey)
        return found

    def by_path_key(self, key: str, extended: bool) -> Profile:
        """Find by what a path carries: a PKey anywhere, the custom key at the Ext endpoint only. Raises Problem.

        Whether the real server knows `externalId` in a path without an extension is not published: here it does not.
        """
        if key.startswith("@"):
            return self.by_pkey(key)
        found = self.where(self._config.custom_key, key) if extended and self._config.custom_key else []
        if not found:
            raise problems.unknown_key("Profile", key)
        return found[0]

    def where(self, field: str, value: str) -> list[Profile]:
        """Return the profiles with a field equal to a value, oldest first."""
        sql = f"SELECT id, body FROM profile WHERE {column(field)} = ? ORDER BY id"  # noqa: S608 - a checked name
        return [self.row(*row) for row in self._database.execute(sql, value)]

    def all(self) -> list[Profile]:
        """Return every profile, oldest first."""
        return [self.row(*row) for row in self._database.execute("SELECT id, body FROM profile ORDER BY id")]

    def by_id(self, number: int) -> Profile | None:
        """Return a profile by its row number."""
        row = self._database.execute("SELECT id, body FROM profile WHERE id = ?", number).fetchone()
        return self.row(*row) if row else None

    def row(self, number: int, body: str) -> Profile:
        """Return a profile from its columns."""
        return Profile(number, self._keys.seal("profile", f"{number:016d}"), json.loads(body))

    def flags_changed_since(self, mark: int) -> tuple[list[Profile], int]:
        """Return the profiles whose flags changed after a mark, in order of change, and the new mark."""
        sql = "SELECT id, body, flag_change FROM profile WHERE flag_change > ? ORDER BY flag_change"
        rows = self._database.execute(sql, mark).fetchall()
        return [self.row(number, body) for number, body, _ in rows], max((row[2] for row in rows), default=mark)

    def _require(self, number: int) -> Profile:
        profile = self.by_id(number)
        assert profile is not None
        return profile

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
            raise problems.duplicate_key("Profile", body[key], f"nmsrecipient_{key.lower()}") from None

    def _next_mark(self) -> int:
        mark = int(self._database.setting("flag_change", "0")) + 1
        self._database.set_setting("flag_change", str(mark))
        return mark
