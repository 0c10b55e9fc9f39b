"""What a status, or a missing answer, means for the message in work: the part that is alike for both systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shared.clients.calls import Request, Response
from shared.errors import Reason, Retry, Uncertain

_BUSY = (429, 503)
_NO_ANSWER = (408,)
_NOT_OFFERED = 501


@dataclass(frozen=True)
class Reasons:
    """One system's names for the failures that both know."""

    busy: Reason
    unreachable: Reason
    credentials: Reason


def busy(response: Response, reasons: Reasons, now: datetime) -> Retry | None:
    """429 and 503 mean: not carried out, come back later."""
    if not is_busy(response.status):
        return None
    return Retry(reasons.busy, f"status {response.status}", after_s=retry_after_s(response.headers, now))


def is_busy(status: int) -> bool:
    """Whether a status asks for patience."""
    return status in _BUSY


def is_unclear(status: int) -> bool:
    """Whether a status leaves open if the request was carried out. 501 does not: what is not offered is not done."""
    return (status in _NO_ANSWER or status >= 500) and status != _NOT_OFFERED


def unanswered(request: Request, reasons: Reasons, detail: str) -> Retry:
    """For a request that was sent: open whether it was carried out, unless that makes no difference."""
    return unclear(reasons, detail, write=not request.repeatable)


def unclear(reasons: Reasons, detail: str, *, write: bool) -> Retry:
    """The outcome where the answer does not tell."""
    return Uncertain(Reason.OUTCOME_UNKNOWN, detail) if write else Retry(reasons.unreachable, detail)


def json_object(response: Response, reasons: Reasons) -> Mapping[str, Any]:
    """The body of a successful read. Raises Retry for anything but a JSON object: a proxy's page, a cut text."""
    document = response.json()
    if not isinstance(document, dict):
        raise Retry(reasons.unreachable, f"status {response.status}, but the answer is not a JSON object")
    return document


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The Retry-After header in seconds, from a number or an HTTP date; None if it is absent or neither."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
