"""Adobe I/O Events: the journal of e-mail events, read by position, at least once, in no promised order.

The vendor publishes no payload for Campaign's e-mail events. The shape here is our own and the bridge's default:
`{"id", "type": send|open|click|bounce, "occurredAt": ISO 8601 with milliseconds, "profile": {"externalId"},
"campaign": {"name"}, "delivery": {"name"}, "mirrorPageUrl"}`, with `url` for a click and `bounceType` (hard|soft)
for a bounce. Without the usage agreement no mirror page URL leaves.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.faults import FaultBoard, JournalRepeat, JournalUnordered
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.store import Database, packed
from sandbox.campaign.times import Clock, iso, parse_time

KEPT = timedelta(days=7)
PAGE_EVENTS_MAX = 100
EventKind = Literal["send", "open", "click", "bounce"]
_SCOPE = "journal"
_DETAILS = ("id", "occurredAt", "campaign", "delivery", "url", "mirrorPageUrl", "bounceType")


class PositionGone(Exception):
    """The position is older than anything kept, or was never issued."""


@dataclass(frozen=True)
class Page:
    """Events with their positions, oldest first unless a fault mixes them, and the position after them."""

    events: list[dict[str, Any]]
    last: str | None


@dataclass(frozen=True)
class Journal:
    """Appends and reads events."""

    database: Database
    keys: KeyRing
    faults: FaultBoard
    config: CampaignConfig
    now: Clock

    def append(self, kind: str, external_id: str, details: Mapping[str, Any]) -> dict[str, Any]:
        """Add one event, filling in what `details` leaves out; raises ValueError for what an event cannot be."""
        if kind not in get_args(EventKind):
            raise ValueError(f"an event is one of {', '.join(get_args(EventKind))}, not {kind!r}")
        if unknown := sorted(set(details) - set(_DETAILS)):
            raise ValueError(f"unknown event details: {', '.join(unknown)}")
        event = self._event(kind, external_id, details)
        appended = self.now().timestamp()
        self.database.execute("INSERT INTO journal (appended, event) VALUES (?, ?)", appended, packed(event))
        return event

    def _event(self, kind: str, external_id: str, details: Mapping[str, Any]) -> dict[str, Any]:
        number = str(details.get("id", uuid.uuid4()))
        moment = parse_time(details["occurredAt"]) if "occurredAt" in details else self.now()
        event: dict[str, Any] = {
            "id": number,
            "type": kind,
            "occurredAt": iso(moment),
            "profile": {"externalId": external_id},
            "campaign": {"name": str(details.get("campaign", "2019LoyaltyCamp"))},
            "delivery": {"name": str(details.get("delivery", "DM190"))},
        }
        if self.config.usage_agreement:
            event["mirrorPageUrl"] = str(details.get("mirrorPageUrl", f"https://mirror.example.com/m/{number}"))
        if kind == "click":
            event["url"] = str(details.get("url", "https://www.example.com/offer"))
        if kind == "bounce":
            event["bounceType"] = str(details.get("bounceType", "hard"))
        return event

    def read(self, since: str | None, limit: int, latest: bool) -> Page:
        """Return the next page after a position; `limit` is an upper bound only. Raises PositionGone."""
        self._forget_old()
        start = self._start(since, latest)
        if repeat := self.faults.take_of(JournalRepeat):
            start = max(0, start - repeat.events)
        sql = "SELECT position, event FROM journal WHERE position > ? ORDER BY position LIMIT ?"
        rows = self.database.execute(sql, start, min(limit, PAGE_EVENTS_MAX)).fetchall()
        last = self._seal(rows[-1][0]) if rows else since
        if self.faults.take_of(JournalUnordered):
            rows.reverse()
        return Page([{"position": self._seal(row[0]), "event": json.loads(row[1])} for row in rows], last)

    def sends_to(self, external_id: str) -> list[dict[str, Any]]:
        """Return the send events of one profile, for its marketing history."""
        sql = (
            "SELECT event FROM journal WHERE json_extract(event, '$.type') = 'send' "
            "AND json_extract(event, '$.profile.externalId') = ? ORDER BY position"
        )
        return [json.loads(text) for (text,) in self.database.execute(sql, external_id)]

    def _start(self, since: str | None, latest: bool) -> int:
        newest = int(self.database.execute("SELECT COALESCE(MAX(position), 0) FROM journal").fetchone()[0])
        if latest:
            return max(0, newest - 1)
        if since is None:
            return 0
        position = self.keys.unseal(_SCOPE, since)
        if position is None or int(position) < self._forgotten():
            raise PositionGone
        return int(position)

    def _forgotten(self) -> int:
        return int(self.database.setting("journal_forgotten", "0"))

    def _forget_old(self) -> None:
        limit = (self.now() - KEPT).timestamp()
        sql = "SELECT MAX(position) FROM journal WHERE appended < ?"
        oldest = self.database.execute(sql, limit).fetchone()[0]
        if oldest is not None:
            self.database.execute("DELETE FROM journal WHERE position <= ?", oldest)
            self.database.set_setting("journal_forgotten", str(oldest))

    def _seal(self, position: int) -> str:
        return self.keys.seal(_SCOPE, str(position))
