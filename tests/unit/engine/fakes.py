"""The ports for one test: memory stores, a clock that is set by hand, and both systems reduced to what is asked."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clients.campaign.export import reader
from shared.domain.change import Lane, RecordKey
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.ledger import Progress, Timings
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.mapping import Mappings, Privacy
from shared.domain.optout_file import ExportForm, Folder, RemoteFile
from shared.domain.timeline import TimelineRules
from shared.engine.deliver import Delivery, Engine, Patience
from shared.errors import Reason, Retry
from shared.ports import EventPage, Outgoing, Ports, Recorded, SealedDay
from shared.ports.optouts import ChangedProfile
from shared.stores.files import FilesUnavailableError
from shared.stores.files.memory import MemoryFiles
from shared.stores.memory import (
    MemoryBus,
    MemoryDeletions,
    MemoryFamily,
    MemoryFileLedger,
    MemoryJournal,
    MemoryLedger,
    MemoryRecollections,
    MemoryWatermarks,
)
from shared.telemetry import Telemetry
from shared.wire import Message, encode
from tests.unit.examples import MAPPING, NOW, contact, profile

BRIDGE = "9b7e4d20-0000-4000-8000-000000000001"  # the system user as which the bridge writes


class SetClock:
    """Time passes when somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class OneContact:
    """The `Dynamics` port. `failure` is raised by every call; `recorded` answers for activities, in order.

    `fails_after` so many comparisons the next fails; `on_read` comes before each.
    """

    row: Contact | None = field(default_factory=contact)
    failure: Exception | None = None
    conflicts: int = 0
    recorded: Sequence[Recorded] = ()
    too_much: Exception | None = None
    writes: list[Mapping[str, bool]] = field(default_factory=list)
    orders: list[Sequence[RecordActivity]] = field(default_factory=list)
    compared: list[Sequence[str]] = field(default_factory=list)
    reads: int = 0
    fails_after: int | None = None
    on_read: Callable[[], None] = lambda: None

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def read(self, record: RecordKey) -> Contact | None:
        self.reads += 1
        self._fail()
        return self.row

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        self._fail()
        self.on_read()
        if self.fails_after is not None and len(self.compared) >= self.fails_after:
            raise Retry(Reason.DYNAMICS_BUSY)
        self.compared.append(ids)
        return {self.row.id: self.row} if self.row is not None and self.row.id in ids else {}

    async def own_user(self) -> str:
        self._fail()
        return BRIDGE

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        self._fail()
        if self.conflicts:
            self.conflicts -= 1
            return False
        self.writes.append(columns)
        return True

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        self._fail()
        if self.too_much is not None:
            raise self.too_much
        self.orders.append(orders)
        return self.recorded or [Recorded.DONE] * len(orders)


@dataclass
class OneProfile:
    """The `Campaign` port. `failure` is raised by every call after it is noted in `calls`."""

    there: Profile | None = field(default_factory=profile)
    failure: Exception | None = None
    progress: Progress = Progress.RUNNING
    calls: list[str] = field(default_factory=list)
    vanishes: bool = False

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failure is not None:
            raise self.failure

    async def profile(self, contact_id: str) -> Profile | None:
        self._call("profile")
        return self.there

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        self._call("create")
        return self.there is None

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        self._call("update")
        return self.there is not None

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        self._call(f"flags {dict(sorted(attributes.items()))}")
        return not self.vanishes

    async def delete_profile(self, handle: str) -> bool:
        self._call(f"delete profile {handle}")
        return not self.vanishes

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        self._call(f"delete {name}")

    async def privacy_progress(self, name: str) -> Progress:
        self._call("progress")
        return self.progress


@dataclass
class Journal:
    """The `EmailEvents` port: pages by the position that they follow. `meanwhile` happens while a page is fetched."""

    pages: dict[str | None, EventPage] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def page(self, since: str | None) -> EventPage:
        self.asked.append(since)
        self.meanwhile()
        return self.pages.get(since, EventPage((), None))


@dataclass
class Waiting:
    """The `WaitingOptOuts` port."""

    messages: list[bytes] = field(default_factory=list)
    failure: Exception | None = None

    async def bodies(self) -> AsyncIterator[bytes]:
        if self.failure is not None:
            raise self.failure
        for body in self.messages:
            yield body


@dataclass
class Changes:
    """The `ChangedProfiles` port. `failure` comes after the pages."""

    pages: list[list[ChangedProfile]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    failure: Exception | None = None

    async def changed_since(self, moment: datetime) -> AsyncIterator[Sequence[ChangedProfile]]:
        self.asked.append(moment)
        for page in self.pages:
            yield page
        if self.failure is not None:
            raise self.failure


class Inbox(MemoryFiles):
    """The `Files` port, with files given as lines. `growing` grow between two listings; `broken_at` breaks a read off.

    `failure` is raised there, once the file's text has been read up to that many bytes.
    """

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self._clock = clock
        self.growing: set[str] = set()
        self.broken_at: dict[str, int] = {}
        self.failure: Exception = FilesUnavailableError("memory:", "the connection failed")
        self.unreachable = False
        self.fixed: set[str] = set()
        self.opened: list[str] = []

    def write(self, name: str, *lines: str) -> None:
        self.put(name, "\n".join([*lines, ""]).encode(), self._clock.now())

    def names(self, folder: Folder = Folder.INBOX) -> list[str]:
        return [name for place, name in self.contents if place is folder]

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        if self.unreachable:
            raise self.failure
        for name in self.growing:
            content, modified_at = self.contents[Folder.INBOX, name]
            self.put(name, content + b"\n", modified_at)
        return await super().list(folder)

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        if file.name in self.fixed:
            raise self.failure
        await super().move(file, target, name)

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        self.opened.append(file.name)
        async with super().open(file) as pieces:
            yield self._broken(file.name, pieces)

    async def _broken(self, name: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self.broken_at.get(name)
        async for piece in pieces:
            if left is not None and (left := left - len(piece)) < 0:
                raise self.failure
            yield piece


@dataclass
class Seals:
    """The `JournalSeals` port: days to be sealed at the next run; `failure` is raised after them."""

    days: list[SealedDay] = field(default_factory=list)
    failure: Exception | None = None

    async def seal(self, now: datetime) -> AsyncIterator[SealedDay]:
        for day in self.days:
            yield day
        if self.failure is not None:
            raise self.failure


class Known:
    """One test's world: ports, engine, and what came of it."""

    def __init__(self, mapping: MappingRules = MAPPING) -> None:
        self.clock = SetClock()
        self.dynamics = OneContact()
        self.campaign = OneProfile()
        self.journal = Journal()
        self.folder = Inbox(self.clock)
        self.file_ledger = MemoryFileLedger()
        self.seals = Seals()
        self.ledger = MemoryLedger()
        self.deletions = MemoryDeletions()
        self.decisions = MemoryJournal()
        self.recollections = MemoryRecollections()
        self.waiting = Waiting()
        self.changes = Changes()
        self.watermarks = MemoryWatermarks()
        self.bus = MemoryBus(self.clock.now)
        self.telemetry = Telemetry()
        self.mapping = mapping
        self.ports = Ports(
            dynamics=self.dynamics,
            campaign=self.campaign,
            records=None,  # type: ignore[arg-type]  # no custom tables here
            events=self.journal,
            files=self.folder,
            file_ledger=self.file_ledger,
            read_export=reader(ExportForm()),
            ledger=self.ledger,
            family=MemoryFamily(),
            deletions=self.deletions,
            journal=self.decisions,
            recollections=self.recollections,
            waiting_opt_outs=self.waiting,
            changed_profiles=self.changes,
            watermarks=self.watermarks,
            bus=self.bus,
            clock=self.clock,
            random=random.Random(7),
            timings=Timings(),
            telemetry=self.telemetry,
            mappings=lambda: Mappings(self.mapping),
        )
        self.engine = Engine(self.ports, self.telemetry, Patience(timedelta(days=7), timedelta(days=2)))

    def show(self, rules: TimelineRules) -> None:
        """The timeline is configured otherwise."""
        self.ports = replace(self.ports, timeline=rules)
        self.engine = Engine(self.ports, self.telemetry, self.engine.patience)

    def in_lane(self, lane: Lane) -> list[Outgoing]:
        """What was sent there and not taken."""
        return [queued.message for queued in self.bus.contents()[lane]]

    def everything_sent(self) -> list[tuple[Lane, Outgoing]]:
        """In all lanes."""
        return [(lane, queued.message) for lane, sent in self.bus.contents().items() for queued in sent]


def delivery(message: Message | bytes, lane: Lane, count: int = 1, *, replayed: bool = False) -> Delivery:
    """As the trigger would hand it over."""
    body = message if isinstance(message, bytes) else encode(message)
    return Delivery(lane, body, "m1" if isinstance(message, bytes) else message.message_id, count, replayed)
