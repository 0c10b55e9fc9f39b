"""An app whose parts answer from memory: both systems, the waiting messages, the file server and the stores."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cli.deadletters.choice import boxes as every_box
from cli.wiring import Wiring
from shared.app import App, Inspection
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.listing import Page, ProfileListing
from shared.clients.campaign.metadata import ResourceMetadata
from shared.clients.dynamics.bulk import BulkReader
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.metadata import TableMetadata
from shared.clients.dynamics.sample import SampleRows, Total
from shared.clients.dynamics.wire import checked_id
from shared.clients.dynamics.wire_timeline import Entry
from shared.domain.change import Lane, RecordKey
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent
from shared.domain.ledger import LedgerRow, Progress, Timings
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.mapping import Mappings, Privacy, Resource
from shared.domain.metadata import ResourceInfo, TableInfo
from shared.domain.optout_file import Folder, RemoteFile
from shared.domain.resync import Scope
from shared.domain.sweep import ChangePage, Phase, Position
from shared.engine.change_sweep import ChangeSweep, SweepPolicy
from shared.engine.resync import Resync
from shared.errors import Halt, Reason
from shared.ports import Outgoing, Ports, Recorded
from shared.ports.sweep import SweepPorts
from shared.settings import Settings, read
from shared.stores.append_log import AppendLog
from shared.stores.dead_letters import Copy, DeadLetters
from shared.stores.files.memory import MemoryFiles
from shared.stores.letter import Box, DeadLetter
from shared.stores.letter_desk import LetterDesk
from shared.stores.mapping_entry import Applied
from shared.stores.mappings import BlobMappings
from shared.stores.memory import (
    MemoryDeletions,
    MemoryFamily,
    MemoryFileLedger,
    MemoryJournal,
    MemoryLedger,
    MemoryRecollections,
    MemoryWatermarks,
)
from shared.stores.memory_resyncs import MemoryIdLists, MemoryResyncs
from shared.stores.sweep_memory import MemoryLedgerPages, MemoryPositions, MemoryTallies
from shared.stores.withdrawal import Take
from shared.telemetry import Telemetry
from shared.timeline_file import ADOBE_TABLES
from tests.unit.cli.samples import CONTACT_ID, KEY, MAPPING, NOW, VALUES


class FakeClock:
    """Time does not pass, unless sleeping is to take time (`passes`); `slept` lists the waits."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.passes = False

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept) if self.passes else 0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class FakeDynamics(DynamicsClient):
    """`failure` is raised by every method; `refused` are the kinds of event whose table is missing.

    `row` is the contact under test, `rows` are others, `entities` rows of custom tables. Without `writable` a write is
    an error of the test.
    """

    def __init__(self, contact: Contact | None) -> None:
        self.row = contact
        self.rows: dict[str, Contact] = {}
        self.entities: dict[RecordKey, Contact] = {}
        self.writable = False
        self.written: list[Mapping[str, bool]] = []
        self.failure: Exception | None = None
        self.refused: frozenset[str] = frozenset()
        self.entries: list[Entry] = []

    async def read(self, record: RecordKey) -> Contact | None:
        self._fail()
        return self.row if record == KEY else self.entities.get(record)

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        self._fail()
        known = {**self.rows, **({CONTACT_ID: self.row} if self.row else {})}
        return {key: known[key] for key in ids if key in known}

    async def whoami(self) -> str:
        self._fail()
        return "5e1f0000-0000-4000-8000-000000000001"

    async def own_user(self) -> str:
        return await self.whoami()

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        assert self.writable, "a command that only looks must not write"
        self.written.append(columns)
        return True

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        raise AssertionError("no command writes to the timeline")

    async def timeline(self, contact_id: str) -> list[Entry]:
        self._fail()
        checked_id(contact_id)
        return self.entries

    async def check_timeline_table(self, event: EmailEvent) -> str:
        self._fail()
        if str(event) in self.refused:
            raise Halt(Reason.TIMELINE_TABLES, f"there is no table acme_{event}")
        return f"acme_{event}"

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


class FakeCampaign(CampaignClient):
    """With `writable` it behaves as Campaign does; else a write is an error of the test. `calls` lists engine calls.

    `records` of a custom resource by their key. `failure` is raised by every call, or by those called `failure_of`.
    """

    def __init__(self, profile: Profile | None, *, writable: bool = False) -> None:
        self.row = profile
        self.writable = writable
        self.failure: Exception | None = None
        self.failure_of: str | None = None
        self.progress = Progress.RUNNING
        self.statuses: dict[str, str] = {}
        self.pages: list[Page] = []
        self.count: int | None = None
        self.failures: list[Exception] = []
        self.records: dict[str, Profile] = {}
        self.calls: list[str] = []

    @property
    def engine_calls(self) -> int:
        return len(self.calls)

    async def profile(self, contact_id: str) -> Profile | None:
        self._called("profile")
        return self.row

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        self._called("create", write=True)
        return self.row is None

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        self._called("update", write=True)
        return self.row is not None

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        self._called("write_flags", write=True)
        return self.row is not None

    async def delete_profile(self, handle: str) -> bool:
        self._called("delete_profile", write=True)
        return self.row is not None

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        self._called("record")
        return self.records.get(key)

    async def any_record(self, resource: Resource) -> Profile | None:
        self._called("any_record")
        return next(iter(self.records.values()), None)

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        self._called("create_record", write=True)
        return not any(key in fields.values() for key in self.records)

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        self._called("update_record", write=True)
        return any(one.handle == handle for one in self.records.values())

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        self._called("delete_record", write=True)
        return any(one.handle == handle for one in self.records.values())

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        self._called("privacy_delete", write=True)

    async def privacy_progress(self, name: str) -> Progress:
        self._called("privacy_progress")
        return self.progress

    async def privacy_statuses(self) -> Mapping[str, str]:
        self._called("privacy_statuses")
        return self.statuses

    async def profile_count(self) -> int | None:
        self._called("profile_count")
        return self.count

    def profiles(self, page_size: int) -> ProfileListing:
        return FakeListing(self, page_size)

    async def ping(self) -> None:
        self._called("ping")

    def _called(self, what: str, *, write: bool = False) -> None:
        assert self.writable or not write, "a command that only looks must not write"
        self.calls.append(what)
        if self.failure and self.failure_of in (None, what):
            raise self.failure


class FakeListing(ProfileListing):
    """The pages of its Campaign, whose `failures` are raised first, one a call."""

    def __init__(self, campaign: FakeCampaign, page_size: int) -> None:
        self._campaign, self._left = campaign, list(campaign.pages)
        self.page_size = page_size

    async def __anext__(self) -> Page:
        if not self._left:
            raise StopAsyncIteration
        self._campaign._called("profiles")
        if self._campaign.failures:
            raise self._campaign.failures.pop(0)
        page = self._left.pop(0)
        assert len(page) <= self.page_size
        return page


class FakeTables(TableMetadata):
    """`described` by name."""

    def __init__(self) -> None:
        self.described: dict[str, TableInfo] = {}

    async def table(self, name: str) -> TableInfo:
        return self.described[name]


class FakeResources(ResourceMetadata):
    """`described` by name; a resource that is not in it is not published."""

    def __init__(self) -> None:
        self.described: dict[str, ResourceInfo] = {}

    async def custom(self, resource: Resource) -> ResourceInfo:
        if resource.name not in self.described:
            raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"{resource.name}: not there, or not published")
        return self.described[resource.name]


class FakeSample(SampleRows):
    """`found` are the rows, of whatever table; `count` is how many Dataverse says there are."""

    def __init__(self) -> None:
        self.found: list[Contact] = []
        self.asked: list[str | None] = []
        self.count = Total(0, at_least=False)

    async def rows(
        self, table: str, columns: Sequence[str], lookups: frozenset[str], count: int, condition: str | None = None
    ) -> list[Contact]:
        self.asked.append(condition)
        return self.found[:count]

    async def total(self, table: str, condition: str | None = None) -> Total:
        self.asked.append(condition)
        return self.count


class FakeBulk(BulkReader):
    """`ends`: when the first and the last row was created."""

    def __init__(self) -> None:
        self.ends: tuple[datetime, datetime] | None = (NOW - timedelta(days=4), NOW)

    async def span(self, scope: Scope) -> tuple[datetime, datetime] | None:
        return self.ends


class FakeDeadLetters(DeadLetters):
    """`letters` wait. `held`: numbers that another tool holds. After `fail_after` pages `failure` is raised.

    `copies` were sent; `lanes` is what their lanes still hold; `on_copy` hears of each.
    """

    def __init__(self, letters: Iterable[DeadLetter] = ()) -> None:
        self.letters_kept = list(letters)
        self.held: frozenset[int] = frozenset()
        self.failure: Exception | None = None
        self.fail_after = 0
        self.copies: list[Copy] = []
        self.lanes: dict[Lane, list[tuple[str, bytes]]] = {}
        self.on_copy: Callable[[Copy], None] = lambda _: None
        self.pages: list[int] = []
        self.open_listings = 0

    async def connect(self, boxes: Iterable[Box]) -> None:
        assert set(boxes) <= set(every_box())

    async def letters(self, box: Box, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        if self.failure and not self.fail_after:
            raise self.failure
        self.open_listings += 1
        try:
            for letter in list(self.letters_kept):
                if letter.box == box and letter.sequence_number > after:
                    yield letter
        finally:
            self.open_listings -= 1

    async def live(self, lane: Lane) -> AsyncGenerator[tuple[str, bytes], None]:
        for message in list(self.lanes.get(lane, ())):
            yield message

    async def replay(
        self, take: Take, copy: Callable[[DeadLetter], Awaitable[Copy]]
    ) -> AsyncGenerator[Sequence[DeadLetter], None]:
        for page in self._take(take):
            copies = [await copy(letter) for letter in page]
            self.copies += copies
            for one in copies:
                self.on_copy(one)
            yield self._remove(page)

    async def discard(self, take: Take) -> AsyncGenerator[Sequence[DeadLetter], None]:
        for page in self._take(take):
            yield self._remove(page)

    def _take(self, take: Take) -> Iterator[Sequence[DeadLetter]]:
        free = [one for one in self.letters_kept if one.box == take.box and one.sequence_number not in self.held]
        chosen = [one for one in free if take.takes(one)][: take.most]
        for start in range(0, len(chosen), take.page):
            if self.failure and len(self.pages) >= self.fail_after:
                raise self.failure
            self.pages.append(len(chosen[start : start + take.page]))
            yield chosen[start : start + take.page]

    def _remove(self, page: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        self.letters_kept = [letter for letter in self.letters_kept if letter not in page]
        return page


class FakeLog(AppendLog):
    """Keeps the entries by log. `failure` is raised by every method."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Mapping[str, Any]]] = {}
        self.failure: Exception | None = None

    async def append(self, name: str, entry: Mapping[str, Any]) -> None:
        self._fail()
        self.logs.setdefault(name, []).append(json.loads(json.dumps(entry)))

    async def entries(self, name: str) -> Sequence[Mapping[str, Any]]:
        self._fail()
        return tuple(self.logs.get(name, ()))

    async def names(self, prefix: str) -> Sequence[str]:
        self._fail()
        return sorted(name for name in self.logs if name.startswith(prefix))

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


class FakeMappings(BlobMappings):
    """What was applied last."""

    def __init__(self) -> None:
        self.applied: Applied | None = None

    async def current(self) -> Applied | None:
        return self.applied


class FakeFiles(MemoryFiles):
    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.put("optouts.csv", b"externalId;x", NOW)

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        if self.failure:
            raise self.failure
        return await super().list(folder)


class FakeBus:
    """Without `writable` a message is an error of the test. `lanes` lists where messages went."""

    def __init__(self) -> None:
        self.writable = False
        self.failure: Exception | None = None
        self.lanes: list[Lane] = []

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        assert self.writable, "a command that only looks must not send"
        if self.failure:
            raise self.failure
        self.lanes += [lane] * len(messages)


class FakePositions(MemoryPositions):
    """A sweep that has just run; `age` is how long ago."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock, self.age = clock, timedelta(minutes=5)

    async def read(self, table: str) -> Position:
        now = self.clock.now()
        return self.stored.get(table, Position(table, Phase.FOLLOW, token="t", token_at=now - self.age))


class FakeChanges:
    """The `TrackedChanges` port: all rows on one page."""

    def __init__(self, app: FakeApp) -> None:
        self._app = app

    async def page(self, table: str, asked: str | None, size: int) -> ChangePage:
        row = self._app.dynamics.row
        return ChangePage((row.id,) if row is not None else (), (), "t", last=True)

    async def gone(self, record: RecordKey) -> bool:
        return True


class FakeApp:
    """The parts, to be set up and looked at; `app()` is what a command gets. Counts how often it was closed."""

    def __init__(self, *, contact: Contact | None = None, profile: Profile | None = None) -> None:
        self.dynamics = FakeDynamics(contact)
        self.campaign = FakeCampaign(profile)
        self.dead_letters = FakeDeadLetters()
        self.log = FakeLog()
        self.mappings = FakeMappings()
        self.tables, self.resources, self.sample = FakeTables(), FakeResources(), FakeSample()
        self.files = FakeFiles()
        self.event_folder: FakeFiles | None = None
        self.family = MemoryFamily()
        self.entities: tuple[MappingRules, ...] = ()
        self.file_ledger = MemoryFileLedger()
        self.archive: Any = None
        self.ledger = MemoryLedger()
        self.bulk, self.resyncs, self.id_lists = FakeBulk(), MemoryResyncs(), MemoryIdLists()
        self.tallies = MemoryTallies()
        self.values = dict(VALUES)
        self.clock = FakeClock()
        self.positions = FakePositions(self.clock)
        self.bus = FakeBus()
        self.mapping = MAPPING
        self.mapping_unknown: Exception | None = None
        self.built = self.closed = 0

    def let_write(self) -> None:
        self.dynamics.writable = self.campaign.writable = self.bus.writable = True

    def remember(self, row: LedgerRow) -> None:
        self.ledger.rows[row.key] = replace(row, etag="v0")

    def ports(self) -> Ports:
        unused: Any = None
        return Ports(
            dynamics=self.dynamics,
            campaign=self.campaign,
            records=self.campaign,
            events=unused,
            files=self.files,
            file_ledger=self.file_ledger,
            read_export=unused,
            ledger=self.ledger,
            family=self.family,
            deletions=MemoryDeletions(),
            journal=MemoryJournal(),
            recollections=MemoryRecollections(),
            waiting_opt_outs=unused,
            changed_profiles=unused,
            watermarks=MemoryWatermarks(),
            bus=self.bus,
            clock=self.clock,
            random=Random(1),
            timings=Timings(),
            telemetry=Telemetry(),
            mappings=lambda: Mappings(self.mapping, self.entities),
            refresh_mapping=self._refresh_mapping,
            tallies=self.tallies,
        )

    def sweep(self) -> ChangeSweep:
        tools = SweepPorts(FakeChanges(self), MemoryLedgerPages(self.ledger), self.positions, jobs=None)  # type: ignore[arg-type]
        return ChangeSweep(self.ports(), tools, SweepPolicy())

    def build(self, settings: Settings) -> App:
        self.built += 1
        unused: Any = None
        return App(
            settings=settings,
            ports=self.ports(),
            engine=unused,
            webhook=unused,
            inbox=unused,
            sweep=self.sweep(),
            timers=unused,
            dynamics=self.dynamics,
            campaign=self.campaign,
            inspection=Inspection(self.tables, self.resources, self.sample),
            dead_letters=self.dead_letters,
            letter_desk=self.build_desk(),
            mappings=self.mappings,
            tables=ADOBE_TABLES,
            archive=self.archive,
            bulk=self.bulk,
            resync=Resync(self.ports(), self.resyncs, self.id_lists),
            close=self._close,
            event_folder=self.event_folder,
        )

    def build_desk(self) -> LetterDesk:
        return LetterDesk(self.log, self.clock)

    def wiring(self) -> Wiring:
        return Wiring(settings=lambda _file: read(self.values), build=self.build, environment=lambda _file: self.values)

    async def _refresh_mapping(self) -> None:
        if self.mapping_unknown:
            raise self.mapping_unknown

    async def _close(self) -> None:
        self.closed += 1
