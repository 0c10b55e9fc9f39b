"""A contact's timeline as Dynamics shows it: activities and tasks, the latest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS, checked_id
from shared.clients.dynamics.wire_rows import rows_in, unreadable

MOST = 200
_STATES = {0: "open", 1: "completed", 2: "canceled", 3: "scheduled"}
_COLUMNS = "activityid,activitytypecode,subject,statecode,actualend,scheduledend,createdon"


@dataclass(frozen=True)
class Entry:
    """One line of it. `kind`: the table's logical name. `at`: when it happened; `due`: when it should be done."""

    kind: str
    subject: str
    state: str
    at: datetime | None
    due: datetime | None
    activity_id: str


def timeline_request(config: DynamicsConfig, contact_id: str) -> Request:
    """The latest 200 activities of any table that regard the contact. Raises ValueError for an id that is no GUID."""
    where = quote(f"_regardingobjectid_value eq {checked_id(contact_id)}")
    query = f"$select={_COLUMNS}&$filter={where}&$orderby={quote('createdon desc')}&$top={MOST}"
    url = f"{config.base}/activitypointers?{query}"
    return Request(SYSTEM, "timeline", "GET", url, HEADERS, repeatable=True)


def read_timeline(response: Response) -> list[Entry]:
    """By the time at which it happened or is due, the latest first. Raises Outcome."""
    try:
        entries = [_entry(row) for row in rows_in(response, "timeline")]
    except (KeyError, TypeError, ValueError):
        raise unreadable("timeline") from None
    return sorted(entries, key=lambda entry: str(entry.at or entry.due), reverse=True)


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        kind=str(row["activitytypecode"]),
        subject=str(row.get("subject") or ""),
        state=_STATES.get(row["statecode"], str(row["statecode"])),
        at=_moment(row.get("actualend")),
        due=_moment(row.get("scheduledend")),
        activity_id=str(row["activityid"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
