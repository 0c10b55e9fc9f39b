"""`/privacy/privacyTool`: privacy requests, and the technical workflow that carries them out.

On the wire only `new`, `complete` and `errorDataNotFound` were ever seen; `processing` and `deletePending` (waiting
for a person, 2-step process) are named after the screens (assumed). Status 201 for the POST is assumed from profiles.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Call, Reply
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.listing import Pager, Selection
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.store import Database, packed
from sandbox.campaign.times import Clock, written

_MANDATORY = ("name", "namespaceName", "reconciliationValue", "regulation", "type")
_OPTIONAL = ("label", "desc")
_SCHEMA = "nms:privacyRequest"
_TYPES = ("access", "delete")
_REGULATIONS = ("gdpr", "ccpa", "pdpa", "lgpd")
_WAITING_FOR_WORKFLOW = ("new", "processing")


@dataclass(frozen=True)
class PrivacyApi:
    """Takes and lists requests."""

    database: Database
    keys: KeyRing
    pager: Pager
    config: CampaignConfig
    now: Clock

    def answer(self, call: Call) -> Reply:
        """Dispatch on verb and path. Raises Problem."""
        match call.method, call.address.rest:
            case "POST", ():
                return self._create(call)
            case "GET", ():
                return Reply(200, self.pager.page(call, _ALL, lambda number, body: self._item(call, number, body)))
            case "GET", ("_count",):
                return Reply(200, self.pager.count(_ALL))
            case "GET", (key,):
                return self._read(call, key)
        raise problems.not_offered(f"{call.method} on a part of a privacy request; access files are out of scope")

    def _create(self, call: Call) -> Reply:
        sent = call.document()
        self._check(sent)
        moment = written(self.now())
        texts = {name: str(sent.get(name, "")) for name in (*_MANDATORY, *_OPTIONAL)}
        body = {**texts, "audit": "", "created": moment, "lastModified": moment, "retryCount": 0, "status": "new"}
        try:
            cursor = self.database.execute(
                "INSERT INTO privacy (name, body) VALUES (?, ?)", texts["name"], packed(body)
            )
        except sqlite3.IntegrityError:
            raise problems.duplicate_key("Privacy Request", texts["name"], "nmsprivacyrequest_name") from None
        assert cursor.lastrowid is not None
        return Reply(201, self._item(call, cursor.lastrowid, packed(body)))

    def _check(self, sent: Mapping[str, Any]) -> None:
        for name in sent:
            if name not in (*_MANDATORY, *_OPTIONAL):
                raise problems.unknown_property(name, "privacyTool")
        for name in _MANDATORY:
            if not sent.get(name):
                raise problems.mandatory(name)
        if sent["type"] not in _TYPES:
            raise problems.bad_enumeration("type", sent["type"], _SCHEMA)
        if sent["regulation"] not in _REGULATIONS:
            raise problems.bad_enumeration("regulation", sent["regulation"], _SCHEMA)
        if sent["namespaceName"] not in self.config.namespaces:
            raise problems.unknown_key("Namespace", str(sent["namespaceName"]))

    def _read(self, call: Call, key: str) -> Reply:
        number = self.keys.unseal("privacy", key)
        row = self.database.execute("SELECT id, body FROM privacy WHERE id = ?", number).fetchone() if number else None
        if row is None:
            raise problems.unknown_key("Privacy Request", key)
        return Reply(200, self._item(call, *row))

    def _item(self, call: Call, number: int, body: str) -> dict[str, Any]:
        stored = json.loads(body)
        pkey = self.keys.seal("privacy", str(number))
        namespace = stored["namespaceName"]
        return {
            **stored,
            "PKey": pkey,
            "href": f"{call.base}/privacy/privacyTool/{pkey}",
            "gdprRequestData": {"href": f"{call.base}/head/privacyTool/{pkey}/gdprRequestData/"},
            "namespace": {"PKey": self.keys.seal("namespace", namespace), "title": namespace},
            "title": f"{stored['label']} ({stored['name']})",
        }


@dataclass(frozen=True)
class PrivacyWorkflow:
    """Carries requests out: new → processing → complete, errorDataNotFound, or deletePending until confirmed."""

    database: Database
    profiles: Profiles
    config: CampaignConfig
    now: Clock

    def run(self, stages: int | None = None) -> dict[str, str]:
        """Move every waiting request on by `stages` (None: as far as it goes); return name → status of those moved."""
        moved: dict[str, str] = {}
        while stages is None or stages > 0:
            step = {name: self._advance(name, body) for name, body in self._waiting(_WAITING_FOR_WORKFLOW)}
            if not step:
                break
            moved |= step
            stages = None if stages is None else stages - 1
        return moved

    def confirm(self, name: str | None = None) -> dict[str, str]:
        """A person confirms one pending deletion, or all of them; return name → status of those confirmed."""
        pending = [(one, body) for one, body in self._waiting(("deletePending",)) if name in (None, one)]
        for one, body in pending:
            self._delete_data(body)
            self._store(one, body, "complete")
        return {one: "complete" for one, _ in pending}

    def _waiting(self, statuses: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
        marks = ", ".join("?" * len(statuses))
        sql = f"SELECT name, body FROM privacy WHERE json_extract(body, '$.status') IN ({marks}) ORDER BY id"  # noqa: S608
        return [(name, json.loads(body)) for name, body in self.database.execute(sql, *statuses).fetchall()]

    def _advance(self, name: str, body: dict[str, Any]) -> str:
        if body["status"] == "new":
            return self._store(name, body, "processing")
        if not self._found(body):
            return self._store(name, body, "errorDataNotFound")
        if body["type"] == "delete" and self.config.two_step:
            return self._store(name, body, "deletePending")
        if body["type"] == "delete":
            self._delete_data(body)
        return self._store(name, body, "complete")

    def _found(self, body: Mapping[str, Any]) -> list[Any]:
        return list(self.profiles.where(self.config.namespaces[body["namespaceName"]], body["reconciliationValue"]))

    def _delete_data(self, body: Mapping[str, Any]) -> None:
        for profile in self._found(body):
            self.profiles.remove(profile)

    def _store(self, name: str, body: Mapping[str, Any], status: str) -> str:
        changed = {**body, "status": status, "lastModified": written(self.now())}
        self.database.execute("UPDATE privacy SET body = ? WHERE name = ?", packed(changed), name)
        return status


_ALL = Selection("privacy")
