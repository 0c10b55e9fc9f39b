"""Some contacts in both systems, change tracking that forgets, lanes, the real engine and the real sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.change import Hint, Lane, RecordKey, RowChange, RowEvent, Source, Why
from shared.domain.contact import OLDEST, Contact, Flag, Profile, Value
from shared.domain.mapping import DeleteMode, Mappings
from shared.domain.mapping import Mapping as Pair
from shared.domain.sweep import ChangePage, Position
from shared.engine import lanes
from shared.engine.change_sweep import ChangeSweep, SweepPolicy
from shared.engine.deliver import Engine, Patience
from shared.errors import Halt, Reason
from shared.flows import intake
from shared.ports import Outgoing
from shared.ports.sweep import FailedJob, PageRefusedError, SweepPorts
from shared.stores.sweep_memory import MemoryLedgerPages, MemoryOptOutNotes, MemoryPositions, MemoryTallies
from shared.wire import decode_hint
from tests.unit.engine.fakes import Known, OneContact, OneProfile, SetClock, delivery
from tests.unit.examples import MAPPING

TABLE = replace(MAPPING, delete_mode=DeleteMode.PROFILE_DELETE)
TOKEN_LIFE = timedelta(days=7)
START: Mapping[str, Value] = {"first": "Ada", "town": "London", "no_mail": False, "no_phone": False}


class Killed(BaseException):
    """The process dies here."""


def contact_id(number: int) -> str:
    return f"{number:08x}-77d2-4f11-8ee9-000d3a4b5c6d"


@dataclass
class Row:
    columns: dict[str, Value]
    version: int
    modified_on: datetime


@dataclass
class Organisation(OneContact):
    """The `Dynamics`, `TrackedChanges` and `FailedJobs` ports over rows. `page_size` bounds every page.

    `hidden`: rows that the caller may not see. Tables other than the contacts' are empty.
    """

    clock: SetClock = field(default_factory=SetClock)
    step: Callable[[str], None] = lambda _where: None
    rows: dict[str, Row] = field(default_factory=dict)
    deleted: list[tuple[int, str]] = field(default_factory=list)
    version: int = 0
    page_size: int = 3
    hidden: set[str] = field(default_factory=set)
    jobs: list[FailedJob] = field(default_factory=list)
    untracked: frozenset[str] = frozenset()

    def put(self, record_id: str, columns: Mapping[str, Value]) -> None:
        self.version += 1
        kept = self.rows[record_id].columns if record_id in self.rows else dict(START)
        self.rows[record_id] = Row({**kept, **columns}, self.version, self.clock.now())

    def drop(self, record_id: str) -> None:
        self.version += 1
        del self.rows[record_id]
        self.deleted.append((self.version, record_id))

    async def read(self, record: RecordKey) -> Contact | None:
        return (await self.read_many(record.table, [record.id])).get(record.id)

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        self._fail()
        await asyncio.sleep(0)
        self.step("rows read")
        seen = {one: self.rows[one] for one in ids if one in self.rows and one not in self.hidden}
        return {one: Contact(one, f"W/{row.version}", row.modified_on, row.columns) for one, row in seen.items()}

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        self.put(contact_id, columns)
        return True

    async def page(self, table: str, asked: str | None, size: int) -> ChangePage:
        """Tokens are `t:VERSION:TIME`, pages `p:SINCE:UNTIL:TIME:OFFSET`."""
        self._fail()
        await asyncio.sleep(0)
        self.step("page read")
        if table in self.untracked:
            raise Halt(Reason.NOT_TRACKED, table)
        if table != "contact":
            return ChangePage((), (), f"t|0|{self.clock.now().isoformat()}", last=True)
        kind, since, until, at, offset = self._asked(asked)
        if kind != "first" and self.clock.now() - datetime.fromisoformat(at) > TOKEN_LIFE:
            raise PageRefusedError("0x80044352")
        listed = [(row.version, one, False) for one, row in self.rows.items() if row.version > since]
        gone = [(version, one, True) for version, one in self.deleted if version > since >= 0]
        everything = sorted(listed) + sorted(gone)
        shown = everything[offset : offset + self.page_size]
        changed = tuple(one for _, one, is_gone in shown if not is_gone)
        deleted = tuple(one for _, one, is_gone in shown if is_gone)
        end = offset + self.page_size
        last = end >= len(everything)
        link = f"t|{until}|{at}" if last else f"p|{since}|{until}|{at}|{end}"
        return ChangePage(changed, deleted, link, last)

    def _asked(self, asked: str | None) -> tuple[str, int, int, str, int]:
        now = self.clock.now().isoformat()
        match (asked or "first").split("|"):
            case ["t", version, at]:
                if self.clock.now() - datetime.fromisoformat(at) > TOKEN_LIFE:
                    raise PageRefusedError("0x80044352")
                return "token", int(version), self.version, now, 0
            case ["p", since, until, at, offset]:
                return "page", int(since), int(until), at, int(offset)
            case _:
                return "first", -1, self.version, now, 0

    async def gone(self, record: RecordKey) -> bool:
        self.step("row asked for")
        if record.id in self.hidden:
            raise Halt(Reason.DYNAMICS_CREDENTIALS, "status 403")
        return record.id not in self.rows

    async def since(self, moment: datetime, most: int) -> Sequence[FailedJob]:
        self._fail()
        return sorted((job for job in self.jobs if job.completed_at >= moment), key=lambda job: job.completed_at)[:most]


@dataclass
class Marketing(OneProfile):
    """The `Campaign` port over profiles, by contact; a handle is `@` and the id."""

    kept: dict[str, dict[str, Value]] = field(default_factory=dict)
    flags: dict[str, dict[str, bool]] = field(default_factory=dict)

    async def profile(self, contact_id: str) -> Profile | None:
        self._call("GET")
        if contact_id not in self.kept:
            return None
        flags = {name: Flag(value, OLDEST) for name, value in self.flags[contact_id].items()}
        return Profile(f"@{contact_id}", self.kept[contact_id], flags)

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        self._call("POST")
        if contact_id in self.kept:
            return False
        self.kept[contact_id] = dict(fields)
        self.flags[contact_id] = {name: name in opted_out for name in ("blackListEmail", "blackListPhone")}
        return True

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        self._call("PATCH")
        self.kept.get(contact_id, {}).update(fields)
        return contact_id in self.kept

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        self._call("PATCH flags")
        self.flags[handle.removeprefix("@")].update(attributes)
        return True

    async def delete_profile(self, handle: str) -> bool:
        self._call("DELETE")
        self.flags.pop(handle.removeprefix("@"), None)
        return self.kept.pop(handle.removeprefix("@"), None) is not None


class Positions(MemoryPositions):
    """With steps around a write."""

    def __init__(self, step: Callable[[str], None]) -> None:
        super().__init__()
        self._step = step

    async def write(self, position: Position) -> Position | None:
        self._step("position write")
        await asyncio.sleep(0)
        stored = await super().write(position)
        if stored is not None:
            self._step("position written")
        return stored


class SweepWorld:
    """`contacts` are in line in both systems at first. `dies_at`: the number of the step at which the process dies."""

    def __init__(self, contacts: int = 0, pair: Pair = TABLE) -> None:
        self.known = Known(pair)
        self.clock = self.known.clock
        self.org = Organisation(clock=self.clock, step=self.step)
        self.marketing = Marketing(there=None)
        self.notes, self.tallies, self.positions = MemoryOptOutNotes(), MemoryTallies(), Positions(self.step)
        self.steps: list[str] = []
        self.dies_at: int | None = None
        self.meanwhile: Callable[[str], None] = lambda _where: None
        self.pairs = Mappings(pair)
        self.ports = replace(
            self.known.ports,
            dynamics=self.org,
            campaign=self.marketing,
            opt_out_notes=self.notes,
            tallies=self.tallies,
            bus=self,
            mappings=lambda: self.pairs,
        )
        self.engine = Engine(self.ports, self.known.telemetry, Patience(timedelta(days=7), timedelta(days=2)))
        self.pages = MemoryLedgerPages(self.known.ledger, 2)
        self.tools = SweepPorts(self.org, self.pages, self.positions, self.org)
        self.announced = 0
        self.initial = contacts

    async def started(self) -> SweepWorld:
        """Every contact in line, and the first token taken."""
        for number in range(self.initial):
            await self.person(contact_id(number), first=f"Ada {number}")
        await self.drain()
        await self.sweep()
        return self

    # -- the process -------------------------------------------------------------------------------------------------

    def step(self, where: str) -> None:
        self.steps.append(where)
        self.meanwhile(where)
        if self.dies_at is not None and len(self.steps) == self.dies_at:
            raise Killed(where)

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """The `Bus` port: each transfer can be the last thing that the process does, before it or after."""
        for message in messages:
            self.step("hint send")
            await asyncio.sleep(0)
            await self.known.bus.send(lane, [message])
            self.step("hint sent")

    async def sweep(self, *, run_s: float = 150, grace_s: float = 0, most_hints: int = 10_000) -> None:
        """One run of the timer."""
        policy = SweepPolicy(run_s, grace_s, most_hints=most_hints)
        await ChangeSweep(self.ports, self.tools, policy).run()

    async def sweep_to_the_end(self) -> None:
        """As many runs as a compare takes."""
        for _ in range(50):
            await self.sweep()
            if (await self.positions.read("contact")).at_rest:
                return
        raise AssertionError("the sweep never ends")

    async def drain(self) -> None:
        """Every message is worked on; those that wait get their time."""
        for _ in range(500):
            took = False
            for lane in (Lane.CONTACT_UPSERT, Lane.CONTACT_DELETE, Lane.OPTOUT):
                while (message := self.known.bus.take(lane)) is not None:
                    took = True
                    work = self.engine.opt_out if lane is Lane.OPTOUT else self.engine.record
                    await work(delivery(message.body, lane))
            later = self.known.bus.next_visible_at()
            if not took and later is None:
                return
            if not took and later is not None:
                self.clock.time = max(self.clock.time, later)
        raise AssertionError("never at rest")

    # -- people ------------------------------------------------------------------------------------------------------

    async def person(self, record_id: str, *, lost: bool = False, times: int = 1, **columns: Value) -> RowEvent:
        """Creates or changes a contact; announced as often as said, or not at all."""
        change = RowChange.UPDATE if record_id in self.org.rows else RowChange.CREATE
        self.org.put(record_id, columns)
        event = RowEvent(RecordKey("contact", record_id), change, frozenset(columns), "a person", self.clock.now())
        for _ in range(0 if lost else times):
            await self.announce(event)
        return event

    async def delete(self, record_id: str, *, lost: bool = False) -> RowEvent:
        self.org.drop(record_id)
        event = RowEvent(RecordKey("contact", record_id), RowChange.DELETE, frozenset(), "a person")
        if not lost:
            await self.announce(event)
        return event

    async def announce(self, event: RowEvent) -> None:
        self.announced += 1
        hints = intake.decide(self.pairs, event, Source.WEBHOOK, f"e{self.announced}", self.clock.now())
        await lanes.send_hints(replace(self.ports, bus=self.known.bus), *hints)

    # -- what came of it ---------------------------------------------------------------------------------------------

    def drift(self) -> list[str]:
        """Everything in which the two systems differ."""
        rows, profiles = self.org.rows, self.marketing.kept
        found = [f"no profile for {one}" for one in rows.keys() - profiles.keys()]
        found += [f"a profile of {one}, who is gone" for one in profiles.keys() - rows.keys()]
        for one in rows.keys() & profiles.keys():
            columns = rows[one].columns
            if profiles[one] != {"firstName": columns["first"], "location.city": columns["town"]}:
                found.append(f"{one}: {columns} is not {profiles[one]}")
            said = {"blackListEmail": columns["no_mail"], "blackListPhone": columns["no_phone"]}
            if self.marketing.flags[one] != said:
                found.append(f"{one}: {said} is not {self.marketing.flags[one]}")
        return found

    def hinted(self) -> list[tuple[str, Why]]:
        """What the sweep has sent and nobody has taken."""
        hints = [hint for lane, hint in self._waiting() if hint.source is Source.SWEEP and lane is not Lane.PARKED]
        return sorted((hint.record.id, hint.why) for hint in hints)

    def _waiting(self) -> list[tuple[Lane, Hint]]:
        return [(lane, decode_hint(message.body)) for lane, message in self.known.everything_sent()]
