"""The sync ledger's row: what was last sent, who works on the record now, and when to look again. No personal data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from shared.domain.change import RecordKey

FIRST_LOOK_S = 2.0


@dataclass(frozen=True)
class Present:
    """The profile exists as sent; `digest` is that of the fields last sent."""

    digest: str


@dataclass(frozen=True)
class Absent:
    """A tombstone: the profile is gone, or asked to go."""


@dataclass(frozen=True)
class Unknown:
    """Trust nothing: look at both sides."""


State = Present | Absent | Unknown


@dataclass(frozen=True)
class Claim:
    """One worker's right to write the record, until it ends by itself."""

    token: str
    until: datetime

    def look_again_s(self, now: datetime, attempt: int) -> float:
        """Seconds until somebody else looks again: at its end, sooner at first, since most are released at once."""
        soon_s: float = FIRST_LOOK_S * 2 ** min(attempt, 10)
        return min((self.until - now).total_seconds(), soon_s)


@dataclass(frozen=True)
class PrivacyRequest:
    """A privacy delete that Campaign was, or is about to be, asked for. The name is fixed per incarnation."""

    name: str
    sent_at: datetime


class Progress(Enum):
    """How far a privacy request is in Campaign."""

    NOT_FOUND = "not_found"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class LedgerRow:
    """A record's row; `etag` None means that the store has none yet (never seen).

    `witness`: a deletion was seen. `generation`: the incarnation, part of the privacy request's name. `flags`: the
    opt-outs that were TRUE when the profile went. `check_at`: when to verify even if nobody hints. `parents`: the
    records that this one was last sent under. `found_by`: its key in Campaign, where that is not the row's id: a row
    that is gone can no longer say it. `once`: the digest of the fields that only a creation or a resync writes, as
    last sent.
    """

    key: RecordKey
    state: State = field(default_factory=Unknown)
    witness: bool = False
    generation: int = 0
    flags: frozenset[str] = frozenset()
    pending: PrivacyRequest | None = None
    claim: Claim | None = None
    check_at: datetime | None = None
    parents: frozenset[RecordKey] = frozenset()
    found_by: str | None = None
    once: str | None = None
    etag: str | None = None

    @property
    def never_seen(self) -> bool:
        """No worker ever wrote this row."""
        return self.etag is None


@dataclass(frozen=True)
class Timings:
    """The protocol's bounds, in seconds. See docs/architecture.md, "Ledger and claims".

    A timed-out write lands within `landing_bound_s` of its sending; a claim outlives the work and that bound.
    `strict` also survives a stall just before a send, up to the function's time-out.
    """

    http_timeout_s: float = 30
    landing_bound_s: float = 90
    work_budget_s: float = 60
    check_after_s: float = 600
    function_timeout_s: float = 240
    strict: bool = False
    claim_s: float = 150

    def __post_init__(self) -> None:
        """Raises ValueError where a bound would not hold."""
        if self.landing_bound_s < self.http_timeout_s:
            raise ValueError("the landing bound is shorter than the HTTP time-out")
        if self.claim_s < self.work_budget_s + self.reserve_s:
            raise ValueError(f"a claim must last at least {self.work_budget_s + self.reserve_s:g} s")

    @property
    def reserve_s(self) -> float:
        """What must be left of a claim when a write is sent."""
        return self.landing_bound_s + (self.function_timeout_s if self.strict else 0)

    def last_send(self, claim: Claim) -> datetime:
        """The latest moment at which a write may be sent under this claim."""
        return claim.until - timedelta(seconds=self.reserve_s)
