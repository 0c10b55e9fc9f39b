"""The journal of e-mail events (Adobe I/O Events) on the wire. The payload's field names are configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from shared.clients.calls import Request, Response
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.outcomes import is_unclear, json_object, retry_after_s
from shared.domain.event_log import EventShape
from shared.domain.fact import EmailEvent, Fact
from shared.errors import Halt, Reason, Retry
from shared.ports import BadEvent, EventPage

_NEXT = re.compile(r'<([^>]*)>\s*;[^,<]*?\brel="?next"?(?=[\s;,]|$)')
_CONTACT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The longest text that a message of facts may carry (shared/wire.py).
_TEXT_LIMIT = 300


class _UnreadableError(ValueError):
    """An event does not have the configured shape. The text names paths and never values."""


class _MissingError(_UnreadableError):
    """A path leads nowhere."""


def page_request(config: CampaignConfig, since: str | None, limit: int) -> Request:
    """`since`: a position as `read_page` gave it, put back as it was."""
    query = f"?limit={limit}" + (f"&since={since}" if since else "")
    headers = {
        "X-Api-Key": config.client_id,
        "x-ims-org-id": config.organization_id,
        "Accept": "application/json",
        "Cache-Control": "no-cache",
    }
    return Request(SYSTEM, "events", "GET", f"{config.events_url}{query}", headers, repeatable=True)


def is_expired(response: Response) -> bool:
    """The position is older than the events that are kept."""
    return response.status == 410


def read_page(response: Response, shape: EventShape, now: datetime) -> EventPage:
    """204 is the end for now. Raises Outcome; never for a single event, whatever it holds."""
    if response.status == 204:
        return EventPage((), None, retry_after_s(response.headers, now) or 0)
    if response.status != 200:
        raise _refused(response)
    document = json_object(response, REASONS)
    items = document.get("events")
    if not isinstance(items, list):
        raise Retry(REASONS.unreachable, "journal: the answer holds no list of events")
    facts: list[Fact] = []
    unreadable: list[BadEvent] = []
    for item in items:
        try:
            facts += read_event(_at(item, "event"), shape)
        except _UnreadableError as error:
            unreadable.append(BadEvent(str(item.get("position", "?")) if isinstance(item, dict) else "?", str(error)))
    skipped = len(items) - len(facts) - len(unreadable)
    return EventPage(tuple(facts), _position(response, document), unreadable=tuple(unreadable), skipped=skipped)


def read_event(event: object, shape: EventShape) -> list[Fact]:
    """One fact, or none: a type to be ignored, a bounce that is not hard, a profile that is none of Dynamics.

    Raises ValueError for an event of another shape.
    """
    word = _filled(event, shape.type)
    kind = shape.kinds.get(word)
    if kind is None and word not in shape.ignored:
        raise _UnreadableError(f"{shape.type} is none of the words configured")
    contact = _text(event, shape.contact).lower() if kind else ""
    if not kind or not _CONTACT_ID.fullmatch(contact):
        return []
    if kind is EmailEvent.BOUNCE and _at(event, shape.bounce_type) != shape.hard:
        return []
    return [
        Fact(
            id=_filled(event, shape.id),
            event=kind,
            contact_id=contact,
            campaign=_text(event, shape.campaign),
            delivery=_filled(event, shape.delivery),
            at=_moment(event, shape.at),
            tracking_url=_address(event, shape.tracking_url) if kind is EmailEvent.CLICK else None,
            mirror_page_url=_address(event, shape.mirror_page_url),
        )
    ]


def _at(event: object, path: str) -> object:
    value = event
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            raise _MissingError(f"{path} is missing")
        value = value[part]
    return value


def _text(event: object, path: str) -> str:
    value = _at(event, path)
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > _TEXT_LIMIT:
        raise _UnreadableError(f"{path} is not a short text")
    return text


def _filled(event: object, path: str) -> str:
    text = _text(event, path)
    if not text:
        raise _UnreadableError(f"{path} is empty")
    return text


def _address(event: object, path: str) -> str | None:
    """Absent where the usage agreement is declined, or the e-mail has no mirror page."""
    try:
        value = _at(event, path)
    except _MissingError:
        return None
    if value is not None and not isinstance(value, str):
        raise _UnreadableError(f"{path} is not a text")
    return value or None


def _moment(event: object, path: str) -> datetime:
    """A time without an offset is meant as UTC, as all of Campaign's are."""
    text = _filled(event, path)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _UnreadableError(f"{path} is not a time") from None


def _position(response: Response, document: Mapping[str, Any]) -> str:
    """The `since` of the next link, still encoded; else the page's last position."""
    if found := _NEXT.search(response.headers.get("link", "")):
        pairs = (pair.partition("=") for pair in urlsplit(found[1]).query.split("&"))
        if since := next((value for name, _, value in pairs if name == "since"), ""):
            return since
    page = document.get("_page")
    last = page.get("last") if isinstance(page, dict) else None
    if not isinstance(last, str) or not last:
        raise Retry(REASONS.unreachable, "journal: the answer does not say where to go on")
    return quote(last, safe="")


def _refused(response: Response) -> Retry | Halt:
    detail = f"journal: status {response.status}"
    if is_unclear(response.status):
        return Retry(REASONS.unreachable, detail)
    return Halt(REASONS.credentials if response.status == 403 else Reason.CAMPAIGN_MISCONFIGURED, detail)
