"""What the engine needs of the world, as protocols. Clients and stores implement them; so do the tests' fakes.

Every method may raise an `Outcome` (shared/errors.py). Methods that write raise `Uncertain` when a request was sent
and its answer is not known; everything else they raise means that nothing was written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from random import Random
from typing import Protocol

from shared.domain.change import Lane, RecordKey
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.fact import Fact
from shared.domain.journal import JournalEntry
from shared.domain.ledger import LedgerRow, Progress, Timings
from shared.domain.mapping import Mappings, Privacy, Resource
from shared.domain.timeline import TimelineRules
from shared.errors import Reason
from shared.optout_ports import ChangedProfiles, Recollections, WaitingOptOuts


class Clock(Protocol):
    """Time, injected."""

    def now(self) -> datetime:
        """UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...


class Recorded(Enum):
    """What became of one activity."""

    DONE = "done"
    NO_CONTACT = "no_contact"
    REFUSED = "refused"


class Dynamics(Protocol):
    """Dataverse, as far as the bridge uses it."""

    async def read(self, record: RecordKey) -> Contact | None:
        """The row as it is now; None if there is none. Reads that wait at the same moment share one request."""
        ...

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """The rows that exist, by id."""
        ...

    async def own_user(self) -> str:
        """The system user as which the bridge writes; its id, in lower case."""
        ...

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        """False: the row is no longer at that version, or gone."""
        ...

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        """Create and complete them, and create their tasks; in the order given. One that exists already is done."""
        ...


class Campaign(Protocol):
    """Adobe Campaign Standard, as far as the bridge uses it. Every call is an engine call."""

    async def profile(self, contact_id: str) -> Profile | None:
        """The profile whose externalId is the contact's id."""
        ...

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: a profile with this externalId exists already."""
        ...

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: there is no such profile."""
        ...

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        """Set opt-outs. False: there is no such profile."""
        ...

    async def delete_profile(self, handle: str) -> bool:
        """False: there is no such profile."""
        ...

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        """Asking again under the same name changes nothing."""
        ...

    async def privacy_progress(self, name: str) -> Progress:
        """How far the request of that name is."""
        ...


class Records(Protocol):
    """Records of Campaign's custom resources. Every call is an engine call."""

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        """The custom resource's record whose key field has that value; None also for one that Campaign hides."""
        ...

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        """`fields`: the key's, too. False: a record with this key exists already, shown or hidden."""
        ...

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        """False: there is no such record."""
        ...

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        """False: there is no such record."""
        ...


@dataclass(frozen=True)
class EventPage:
    """Some facts of the journal. `position` None: the end; look again after `wait_s`.

    `unreadable`: positions of events that do not have the configured shape.
    """

    facts: tuple[Fact, ...]
    position: str | None
    wait_s: float = 0
    unreadable: tuple[str, ...] = ()


class EmailEvents(Protocol):
    """Where Campaign's e-mail events come from."""

    async def page(self, since: str | None) -> EventPage:
        """The events after that position; None: from the oldest kept."""
        ...


class Ledger(Protocol):
    """The sync ledger."""

    async def get(self, key: RecordKey) -> LedgerRow:
        """A never-seen row where there is none."""
        ...

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """Store the row if it is still the one with `row.etag`; the stored row, or None if somebody was faster."""
        ...

    def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        """Rows whose check is due."""
        ...

    def pending(self) -> AsyncIterator[LedgerRow]:
        """Rows with a privacy request that has not been seen to end."""
        ...


class Family(Protocol):
    """Which records cannot be shown in Campaign without which parents: how a parent finds its children.

    A superset: it may name a child that has another parent by now, never lack one that was sent under its parent.
    """

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """Durable when it returns; again is as good as once."""
        ...

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """The inverse."""
        ...

    def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """In no order."""
        ...


class Deletions(Protocol):
    """How many deletions were ordered in the running hour, by all processes together."""

    async def take(self, table: str, per_hour: int) -> bool:
        """Count one more of that table; False: the hour's are used up."""
        ...


class Journal(Protocol):
    """The opt-out journal, append only."""

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Durable, and in this order, when it returns. After a failure they may be there; repeating does no harm."""
        ...


class Watermarks(Protocol):
    """Small positions by name."""

    async def read(self, name: str) -> str | None:
        """None: never written."""
        ...

    async def write(self, name: str, value: str) -> None:
        """Overwrites."""
        ...


@dataclass(frozen=True)
class Outgoing:
    """A message to send. `message_id` is the broker's duplicate key; `enqueue_at` None: at once."""

    body: bytes
    message_id: str
    enqueue_at: datetime | None = None
    properties: Mapping[str, str | int | float] = field(default_factory=dict)


class Bus(Protocol):
    """The lanes."""

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """Returns when they are durable. Raises `BusUnavailable` otherwise; some may have been sent."""
        ...


class Telemetry(Protocol):
    """What the bridge says of itself: ids, names and numbers only."""

    def counted(self, what: str, **numbers: int | str) -> None:
        """What a timer's run or a way in did."""
        ...

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        """Somebody should look."""
        ...


class BusUnavailableError(Exception):
    """The broker did not take a message."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as listed. `size` in bytes; `modified_at` whole seconds."""

    name: str
    size: int
    modified_at: datetime

    @property
    def identity(self) -> str:
        """The same file looks the same in two listings only while nobody writes to it."""
        return f"{self.name}|{self.size}|{int(self.modified_at.timestamp())}"


class Files(Protocol):
    """The folder into which Campaign exports its opt-outs."""

    async def list(self) -> Sequence[RemoteFile]:
        """Oldest first."""
        ...

    def open(self, name: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """The file's lines, streamed, without line ends."""
        ...


@dataclass(frozen=True)
class ExportedRow:
    """A profile in Campaign's opt-out export. `line`: counted from 1, the header's. `opted_out`: by attribute."""

    line: int
    contact_id: str
    opted_out: Mapping[str, bool]


@dataclass(frozen=True)
class BadRow:
    """A line that cannot be read, and why; no value."""

    line: int
    problem: str


class WrongFileError(ValueError):
    """The file is not an opt-out export; the text says what its header lacks."""


ReadExport = Callable[[AsyncIterator[str]], AsyncIterator[ExportedRow | BadRow]]


async def unchanged() -> None:
    """For a mapping that never changes."""


@dataclass(frozen=True)
class Ports:
    """All of them, as one flow's work needs them.

    `mappings` is asked anew for every message: it can change. `refresh_mapping` comes before every piece of work and
    raises Retry while it is not known which mapping is in force.
    """

    dynamics: Dynamics
    campaign: Campaign
    records: Records
    events: EmailEvents
    files: Files
    read_export: ReadExport
    ledger: Ledger
    family: Family
    deletions: Deletions
    journal: Journal
    recollections: Recollections
    waiting_opt_outs: WaitingOptOuts
    changed_profiles: ChangedProfiles
    watermarks: Watermarks
    bus: Bus
    clock: Clock
    random: Random
    timings: Timings
    telemetry: Telemetry
    mappings: Callable[[], Mappings]
    refresh_mapping: Callable[[], Awaitable[None]] = unchanged
    timeline: TimelineRules = field(default_factory=TimelineRules)
