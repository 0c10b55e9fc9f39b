"""A hint: *look at this record*, with why, which columns, when first seen and by whom. Never a value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

CONTACT = "contact"


class Lane(StrEnum):
    """One plain queue per kind of work. The names are those of queues.json. `INBOX` alone is filled by Dataverse."""

    CONTACT_UPSERT = "contact-upsert"
    CONTACT_DELETE = "contact-delete"
    CUSTOM_ENTITY = "custom-entity"
    OPTOUT = "optout"
    TIMELINE = "timeline"
    BULK = "bulk"
    INBOX = "dataverse-inbox"
    PARKED = "parked"


class Why(StrEnum):
    """What the sender of a hint believes. The row as it is now decides; `VERIFY` also distrusts the ledger."""

    UPSERT = "upsert"
    DELETE = "delete"
    OPTOUT = "optout"
    VERIFY = "verify"


class Source(StrEnum):
    """The way in. A resync writes as a first load does, also the fields that updates leave alone."""

    WEBHOOK = "webhook"
    FILE = "file"
    CLI = "cli"
    FLOW = "flow"
    CHECK = "check"
    POLL = "poll"
    RESYNC = "resync"
    INBOX = "inbox"
    SWEEP = "sweep"


@dataclass(frozen=True, order=True)
class RecordKey:
    """A Dataverse row: the table's logical name and the row id (lower-case GUID)."""

    table: str
    id: str

    def __str__(self) -> str:
        return f"{self.table}/{self.id}"


@dataclass(frozen=True)
class Hint:
    """`id` names the chain of copies: every retry keeps it and adds its attempt (protocol rule M3).

    `created`: the announcement was of a creation, so every column may be news, and no profile is expected.
    `origin`: where in a file it came from (`NAME:LINE`), for the journal. `changed_at`: when Dynamics stored the
    change of `columns`, whole seconds.
    """

    id: str
    record: RecordKey
    why: Why
    source: Source
    first_seen: datetime
    columns: frozenset[str] = field(default_factory=frozenset)
    by: str | None = None
    attempt: int = 0
    created: bool = False
    origin: str | None = None
    changed_at: datetime | None = None

    @property
    def message_id(self) -> str:
        """The broker's duplicate key."""
        return f"{self.id}:{self.attempt}" if self.attempt else self.id

    @property
    def lane(self) -> Lane:
        """Opt-outs and deletions of contacts never wait behind upserts; a verify looks at the record like an upsert."""
        if self.record.table != CONTACT:
            return Lane.CUSTOM_ENTITY
        return {Why.OPTOUT: Lane.OPTOUT, Why.DELETE: Lane.CONTACT_DELETE}.get(self.why, Lane.CONTACT_UPSERT)

    def follow_up(self, why: Why, suffix: str) -> Hint:
        """A new hint about the same record, caused by the work on this one."""
        return replace(self, id=f"{self.id[:80]}/{why}-{suffix}", why=why, source=Source.FLOW, attempt=0, created=False)


class RowChange(StrEnum):
    """What Dynamics says happened to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class RowEvent:
    """A change as Dynamics announced it. `columns` None: not said (the announcement was cut for its size).

    `by`: the system user who started it. `changed_at`: when Dynamics stored it, whole seconds; None: not said.
    """

    record: RecordKey
    change: RowChange
    columns: frozenset[str] | None
    by: str | None
    changed_at: datetime | None = None
