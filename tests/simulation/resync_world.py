"""A resync in virtual time: many contacts, a broker, and a process that can be killed with all it has under way."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from shared.domain.change import RecordKey
from shared.domain.contact import Contact, Flag, Profile, Value
from shared.domain.ledger import LedgerRow, Present, Timings
from shared.domain.mapping import FieldRow, FromColumn, Mappings
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.resync import Run, RunState, Scope, Slice, by_time
from shared.engine.deliver import Delivery, Engine, Patience
from shared.engine.pages import Pages
from shared.engine.resync import Resync
from shared.ports import Ports
from shared.ports.resyncs import RowPage
from shared.stores.memory import MemoryDeletions, MemoryFamily, MemoryLedger
from shared.stores.memory_resyncs import MemoryIdLists, MemoryResyncs
from shared.telemetry import Telemetry
from tests.simulation.broker import Broker
from tests.simulation.faults import Crashed, Plan
from tests.simulation.virtual import EPOCH

MAPPING = MappingRules(
    version="m1",
    table="contact",
    field_rows=(
        FieldRow("lastName", FromColumn("lastname")),
        FieldRow("origin", FromColumn("leadsource"), apply_updates=False),
    ),
)
NOT_ASKED = (
    *("records", "events", "files", "file_ledger", "read_export", "journal", "recollections"),
    *("waiting_opt_outs", "changed_profiles", "watermarks"),
)
CALL_S, STORAGE_S = 0.2, 0.004


def row_id(number: int) -> str:
    """Scattered, as GUIDs are; the number can be seen in it."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012}"


@dataclass
class Table:
    """Dynamics, by the page in the order of ids, and row by row. `paged`, `looked`: how often each row was read."""

    rows: dict[str, Contact]
    page_s: float = 0.5
    paged: Counter[str] = field(default_factory=Counter)
    looked: Counter[str] = field(default_factory=Counter)
    _slices: dict[Slice, list[str]] = field(default_factory=dict)

    async def page(
        self, mapping: MappingRules, more: Collection[str], scope: Scope, part: Slice, size: int, position: str | None
    ) -> RowPage:
        """Positions are the last id of the page before."""
        await asyncio.sleep(self.page_s)
        if part not in self._slices:
            self._slices[part] = sorted(key for key, row in self.rows.items() if _within(row, part))
        ids = self._slices[part]
        start = bisect_right(ids, position) if position else 0
        some = ids[start : start + size]
        self.paged.update(some)
        return RowPage([self.rows[key] for key in some], some[-1] if start + size < len(ids) else None)

    async def read(self, record: RecordKey) -> Contact | None:
        """The row as it is now."""
        await asyncio.sleep(CALL_S)
        self.looked[record.id] += 1
        return self.rows.get(record.id)

    async def own_user(self) -> str:
        """Who the bridge is."""
        return "bridge"

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """The rows that exist."""
        await asyncio.sleep(CALL_S)
        self.paged.update(ids)
        return {key: self.rows[key] for key in ids if key in self.rows}


def _within(row: Contact, part: Slice) -> bool:
    """In this world a row is created when it is modified."""
    at = row.modified_on
    return (part.start is None or part.start <= at) and (part.end is None or at < part.end)


@dataclass
class Profiles:
    """Campaign: what it holds, and how often each was written and looked at. A caller may die before or after."""

    random: Random
    held: dict[str, dict[str, Value]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    async def _call(self) -> None:
        await asyncio.sleep(self.random.uniform(0.5, 1.5) * CALL_S / 2)

    async def profile(self, contact_id: str) -> Profile | None:
        """A look."""
        await self._call()
        self.looks[contact_id] += 1
        fields = self.held.get(contact_id)
        await self._call()
        return None if fields is None else Profile(contact_id, fields, {"blackListEmail": Flag(False)})

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: there is one."""
        return await self._write(contact_id, fields, there=False)

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: there is none."""
        return await self._write(contact_id, fields, there=True)

    async def _write(self, contact_id: str, fields: Mapping[str, Value], *, there: bool) -> bool:
        await self._call()
        done = (contact_id in self.held) is there
        if not done and not there:
            self.refused[contact_id] += 1
        if done:
            self.writes[contact_id] += 1
            self.held[contact_id] = {**self.held.get(contact_id, {}), **fields}
        await self._call()
        return done


class SlowLedger(MemoryLedger):
    """A caller may die before and after each call."""

    async def get(self, key: RecordKey) -> LedgerRow:
        """See the port."""
        await asyncio.sleep(STORAGE_S)
        return await super().get(key)

    async def get_many(self, keys: Sequence[RecordKey]) -> Sequence[LedgerRow]:
        """See the port."""
        await asyncio.sleep(STORAGE_S)
        rows = await super().get_many(keys)
        await asyncio.sleep(STORAGE_S)
        return rows

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """See the port."""
        await asyncio.sleep(STORAGE_S)
        stored = await super().put(row)
        await asyncio.sleep(STORAGE_S)
        return stored


class SlowRuns(MemoryResyncs):
    """A caller may die before and after each write."""

    async def put_partition(self, partition: Any) -> Any:
        """See the port."""
        await asyncio.sleep(STORAGE_S)
        stored = await super().put_partition(partition)
        await asyncio.sleep(STORAGE_S)
        return stored


class World:
    """Of every ten contacts six are in line, two are changed since, one Campaign has without us, one is new.

    `all_of`: or every one is of the kind of that number, from 0 to 9.
    """

    def __init__(
        self,
        rows: int,
        *,
        page_rows: int = 500,
        partitions: int = 4,
        seed: int = 1,
        create_first: bool = False,
        all_of: int | None = None,
    ) -> None:
        self.create_first = create_first
        self.random = Random(seed)
        self.page_rows, self.wanted_partitions = page_rows, partitions
        self.broker = Broker(Plan(Random(seed)), self._work)
        self.table = Table({row.id: row for row in map(_contact, range(rows))})
        self.profiles, self.ledger, self.runs = Profiles(Random(seed + 1)), SlowLedger(), SlowRuns()
        self.under_way: set[asyncio.Task[None]] = set()
        self.kills = 0
        self.id_lists = MemoryIdLists()
        self.ports = self._ports()
        self.engine = Engine(self.ports, Telemetry(), Patience(timedelta(days=7), timedelta(days=2)))
        self.pages = Pages(self.ports, self.engine, self.runs, self.table, self.id_lists)
        self.resync = Resync(self.ports, self.runs, self.id_lists)
        for number, row in enumerate(self.table.rows.values()):
            self._remember(number % 10 if all_of is None else all_of, row)

    async def start(self, scope: Scope | None = None, ids: Sequence[str] = (), per_second: float | None = None) -> Run:
        """Slices by the time of creation, unless ids are given."""
        last = max((row.modified_on for row in self.table.rows.values()), default=EPOCH)
        slices = by_time(EPOCH - timedelta(days=900), last, self.wanted_partitions)
        if ids:
            slices = [Slice(first=0, last=len(ids))]
        now = self.broker.clock.now()
        run = Run("r1", scope or Scope("contact"), "m1", 0, "somebody", now, self.page_rows, per_second)
        run = replace(run, create_first=self.create_first)
        return await self.resync.start(run, slices, ids)

    async def run_to_the_end(self, kills_at_s: Sequence[float] = ()) -> None:
        """With the process killed at these times; it is back a minute later, when the locks have run out."""
        began = _now()
        for at_s in kills_at_s:
            await asyncio.sleep(began + at_s - _now())
            self.kill()
        while (await self.state()) is RunState.RUNNING or self.broker.tasks:
            await asyncio.sleep(5)
            assert _now() < 3_000_000, "it never ends"

    async def state(self) -> RunState:
        """The run's."""
        run = await self.runs.run("r1")
        assert run is not None
        return run.state

    def kill(self) -> None:
        """As kill -9: whatever was under way ends where it was."""
        self.kills += bool(self.under_way)
        for task in list(self.under_way):
            task.cancel()

    def violations(self) -> list[str]:
        """What is not as it should be at the end."""
        rows = self.table.rows.values()
        wrong = [f"{row.id} {self.profiles.held.get(row.id)}" for row in rows if not self._in_line(row)]
        wrong += [f"{key} written {count} times" for key, count in self.profiles.writes.items() if count > 1]
        wrong += [f"never settled: {m.message_id}" for m in self.broker.messages if not m.settled]
        wrong += [f"dead: {m.message_id}" for m in self.broker.dead] + [repr(e) for e in self.broker.errors]
        return wrong + [f"parked: {letter.properties}" for letter in self.broker.parked]

    def _in_line(self, row: Contact) -> bool:
        state = self.ledger.rows[RecordKey("contact", row.id)].state
        held = self.profiles.held.get(row.id)
        return held == MAPPING.desired(row).fields and state == Present(MAPPING.desired(row).digest)

    def _remember(self, kind: int, row: Contact) -> None:
        desired, key = MAPPING.desired(row), RecordKey("contact", row.id)
        if kind == 9:
            return
        changed = kind in (6, 7)
        self.profiles.held[row.id] = {**desired.fields, **({"lastName": "Former"} if kind >= 6 else {})}
        if kind < 8:
            state = Present("former" if changed else desired.digest)
            self.ledger.rows[key] = LedgerRow(key, state, once=desired.once, etag="v0")

    async def _work(self, delivery: Delivery) -> None:
        task = asyncio.ensure_future(self.engine.bulk(delivery, self.pages.work))
        self.under_way.add(task)
        try:
            await task
        except asyncio.CancelledError:
            raise Crashed from None
        finally:
            self.under_way.discard(task)

    def _ports(self) -> Ports:
        unused: Any = None
        dynamics: Any = self.table
        campaign: Any = self.profiles
        return Ports(
            dynamics=dynamics,
            campaign=campaign,
            ledger=self.ledger,
            family=MemoryFamily(),
            deletions=MemoryDeletions(),
            bus=self.broker,
            clock=self.broker.clock,
            random=self.random,
            timings=Timings(),
            telemetry=Telemetry(),
            mappings=lambda: Mappings(MAPPING),
            **dict.fromkeys(NOT_ASKED, unused),
        )


def _contact(number: int) -> Contact:
    created = EPOCH - timedelta(days=900) + timedelta(seconds=number * 7919 % 70_000_000)
    columns: dict[str, Value] = {"lastname": f"Name {number}", "leadsource": "fair"}
    return Contact(row_id(number), "1", created, columns)


def _now() -> float:
    return asyncio.get_running_loop().time()
