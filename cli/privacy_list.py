"""Privacy requests that have not been seen to end: since when, what Campaign says of each, and what each waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from shared.app import App
from shared.clients.campaign.wire import progress_of
from shared.domain.ledger import LedgerRow, PrivacyRequest, Progress, Timings
from shared.flows import deletion
from shared.ports import Ports


class WaitsFor(Enum):
    """What must happen next. `for_a_person`: nothing goes on before somebody acts."""

    CONFIRMATION = ("confirmation", "a person must confirm in Campaign's Privacy screen", True)
    FAILED = ("failed", "a person must look in Campaign's Privacy screen: it failed", True)
    UNCLEAR = (
        "unclear",
        "a person should look in Campaign's Privacy screen: the bridge does not know the status",
        True,
    )
    WORKFLOWS = ("workflows", "Campaign's technical workflows", False)
    CHECKS = ("checks", "the next ledger_checks: it has ended, and the profile is looked at once more", False)
    ARRIVAL = ("arrival", "Campaign's list: it was sent a moment ago", False)
    UNKNOWN = ("unknown", "not known to Campaign: the next ledger_checks looks at both sides and asks anew", False)

    def __init__(self, slug: str, words: str, for_a_person: bool) -> None:
        self.slug = slug
        self.words = words
        self.for_a_person = for_a_person


@dataclass(frozen=True)
class Waiting:
    """One request. `status`: Campaign's own word, None where its list does not hold the request."""

    contact: str
    request: str
    sent_at: datetime
    age_s: float
    status: str | None
    state: str
    waits_for: str
    for_a_person: bool

    @property
    def age(self) -> timedelta:
        """Since it was sent."""
        return timedelta(seconds=self.age_s)


@dataclass(frozen=True)
class PrivacyList:
    """Oldest first. `engine_calls`: what reading Campaign's list cost, nothing where no request waits."""

    at: datetime
    requests: tuple[Waiting, ...]
    for_a_person: int
    late: int
    late_after_days: float
    engine_calls: int


# Only `new` was seen on the wire. The others are the words of Campaign's screens, whose spelling on the wire is not
# published: they are compared without blanks and without regard to case.
_WORKING = frozenset({"new", "processing", "inprogress", "retrypending", "retryinprogress", "deleteinprogress"})
_TO_CONFIRM = frozenset({"deletepending", "confirmationpending", "deleteconfirmationpending"})


async def pending(app: App, late_after: timedelta) -> PrivacyList:
    """One pass over the ledger, one over Campaign's list; nothing is written. Raises Outcome."""
    rows = [row async for row in app.ports.ledger.pending()]
    before = app.campaign.engine_calls
    statuses = await app.campaign.privacy_statuses() if rows else {}
    return _list(app.ports, rows, statuses, late_after, app.campaign.engine_calls - before)


def judge(row: LedgerRow, status: str | None, now: datetime, timings: Timings) -> WaitsFor:
    """What a row's request waits for; the flow itself says whether it has ended."""
    progress = Progress.NOT_FOUND if status is None else progress_of(status)
    ended = deletion.ended(row, progress, now, timings) is not None
    if status is None:
        return WaitsFor.UNKNOWN if ended else WaitsFor.ARRIVAL
    return WaitsFor.CHECKS if ended else _running(re.sub(r"[^a-z]", "", status.lower()))


def _running(word: str) -> WaitsFor:
    if word in _TO_CONFIRM:
        return WaitsFor.CONFIRMATION
    if word in _WORKING:
        return WaitsFor.WORKFLOWS
    return WaitsFor.FAILED if word.startswith("error") else WaitsFor.UNCLEAR


def _list(
    ports: Ports, rows: list[LedgerRow], statuses: Mapping[str, str], late_after: timedelta, calls: int
) -> PrivacyList:
    now = ports.clock.now()
    waiting = [
        _waiting(row.pending, row, judge(row, statuses.get(row.pending.name), now, ports.timings), statuses, now)
        for row in rows
        if row.pending is not None
    ]
    waiting.sort(key=lambda one: (one.sent_at, one.contact))
    late = sum(one.age > late_after for one in waiting)
    people = sum(one.for_a_person for one in waiting)
    return PrivacyList(now, tuple(waiting), people, late, late_after / timedelta(days=1), calls)


def _waiting(
    request: PrivacyRequest, row: LedgerRow, judged: WaitsFor, statuses: Mapping[str, str], now: datetime
) -> Waiting:
    return Waiting(
        contact=row.key.id,
        request=request.name,
        sent_at=request.sent_at,
        age_s=(now - request.sent_at).total_seconds(),
        status=statuses.get(request.name),
        state=judged.slug,
        waits_for=judged.words,
        for_a_person=judged.for_a_person,
    )
