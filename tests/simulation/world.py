"""Both systems, broker and ledger in memory, as far as one contact needs them, with a step around every call."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from random import Random
from typing import Any

from shared.domain.change import Lane, RecordKey, RowChange, RowEvent, Source
from shared.domain.contact import OLDEST, Contact, Flag, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.ledger import LedgerRow, Present, Progress, Timings
from shared.domain.mapping import FieldRow, FromColumn, Mappings, OptOutPair, Privacy
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.recollection import Recollection
from shared.engine import checks, lanes
from shared.engine.deliver import Delivery, Engine, Patience
from shared.errors import Reason, Uncertain
from shared.flows import intake
from shared.ports import Outgoing, Ports, Recorded
from shared.stores.memory import MemoryDeletions, MemoryFamily, MemoryJournal, MemoryRecollections
from tests.simulation.faults import Crashed, Plan
from tests.simulation.virtual import VirtualClock

KEY = RecordKey("contact", "a3c5e7f9-1122-4f11-840a-6045bd0e1c77")
MAPPING = MappingRules(
    version="test",
    table="contact",
    field_rows=(FieldRow("val", FromColumn("val")),),
    opt_outs=(OptOutPair("stop", "blackListEmail"),),
    privacy=Privacy("gdpr", "d365ExternalId"),
)
LOCK_S = 60.0
BRIDGE, PERSON = "bridge", "person"
worker_name: contextvars.ContextVar[str] = contextvars.ContextVar("worker_name", default="person")


@dataclass
class Message:
    """In the broker. `until`: hidden until then (scheduled, or locked)."""

    lane: Lane
    body: bytes
    message_id: str
    deliveries: int = 0
    settled: bool = False
    locked_by: str | None = None


@dataclass
class CampaignProfile:
    """As stored in Campaign."""

    handle: str
    fields: dict[str, Value]
    flags: dict[str, Flag]


class World:
    """One history: people act, hints flow, workers work; `violations` says what is wrong at rest."""

    def __init__(self, plan: Plan, timings: Timings | None = None) -> None:
        self.plan = plan
        self.clock = VirtualClock()
        self.row: dict[str, Any] | None = None
        self.version = 0
        self.profile: CampaignProfile | None = None
        self.handles = 0
        self.requests: dict[str, float | None] = {}  # name → end, seconds since the epoch; None: running
        self.privacy_s = 20.0
        self.deletions = MemoryDeletions()
        self.mapping = MAPPING
        self.plug_in: dict[str, Value] = {}  # what the customer's code changes inside our writes
        self.calls: list[str] = []
        self.log: list[str] = []
        self.reasons: list[str] = []
        self.dead: list[Message] = []
        self.parked: list[Outgoing] = []
        self.ledger_row = LedgerRow(KEY)
        self.etags = 0
        self.messages: list[Message] = []
        self.known_ids: dict[str, float] = {}
        self.workers = 0
        self.steps = 0
        self.next_timer = 0.0
        self.landing = 0
        self.silent: dict[str, float] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.errors: list[BaseException] = []
        self.ports = Ports(
            dynamics=DynamicsFake(self),
            campaign=CampaignFake(self),
            records=None,  # type: ignore[arg-type]  # no custom tables here
            events=None,  # type: ignore[arg-type]  # no flow under simulation reads events or files
            files=None,  # type: ignore[arg-type]
            file_ledger=None,  # type: ignore[arg-type]
            read_export=None,  # type: ignore[arg-type]
            ledger=LedgerFake(self),
            family=MemoryFamily(),
            deletions=self.deletions,
            recollections=RecollectionsFake(self),
            waiting_opt_outs=None,  # type: ignore[arg-type]
            changed_profiles=None,  # type: ignore[arg-type]
            journal=MemoryJournal(),
            watermarks=None,  # type: ignore[arg-type]
            bus=BusFake(self),
            clock=self.clock,
            random=Random(plan.random.random()),
            timings=timings or Timings(),
            telemetry=self,
            mappings=lambda: Mappings(self.mapping),
        )
        self.engine = Engine(self.ports, self, Patience(timedelta(days=7), timedelta(days=2)))  # type: ignore[arg-type]

    # -- telemetry port ------------------------------------------------------------------------------------------

    def decision(self, *, lane: Lane, reason: Reason, **_: object) -> None:
        self.reasons.append(reason.slug)
        self.note(f"{lane}: {reason.slug}")

    def counted(self, what: str, **numbers: int | str) -> None:
        pass

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        raise AssertionError(f"alarm {where} {reason}")

    def note(self, text: str) -> None:
        """For reading a history that failed."""
        self.log.append(f"{self.time():9.2f} {worker_name.get():8} {text}")

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    async def step(self, where: str) -> None:
        """A point where the process can stall or die."""
        worker = worker_name.get()
        await asyncio.sleep(self.plan.latency_s(where))
        if worker == "person":
            return
        self.steps += 1
        fault = self.plan.at(worker, self.steps, where)
        if fault is None:
            return
        self.note(f"FAULT at {where}: {fault}")
        if fault.lose_lock:
            self._lose_lock(worker)
        if fault.stall_s:
            await asyncio.sleep(fault.stall_s)
        if fault.crash:
            raise Crashed

    def _lose_lock(self, worker: str) -> None:
        for message in self.messages:
            if message.locked_by == worker and not message.settled:
                self._redeliver(message, LOCK_S)

    # -- people ----------------------------------------------------------------------------------------------------

    def edit(self, **columns: Value) -> None:
        """A person creates the contact, restores it, or changes columns."""
        created = self.row is None
        self.row = {**(self.row or {"val": None, "stop": False}), **columns}
        self._touched(RowChange.CREATE if created else RowChange.UPDATE, frozenset(columns))

    def delete(self) -> None:
        """A person deletes the contact."""
        if self.row is not None:
            self.row = None
            self._touched(RowChange.DELETE, frozenset())

    def opt_out_in_campaign(self, value: bool = True, *, announced: bool = True) -> None:
        """The person uses the unsubscribe link, or a marketer undoes it. The daily file shows it, if announced."""
        if self.profile is not None:
            self.profile.flags["blackListEmail"] = Flag(value, self.clock.now())
            self.note(f"person: Campaign flag={value}")
            if announced:
                self.exported()

    def exported(self) -> None:
        """Campaign's next file shows the changed flag, whoever changed it: a person, or a late write of ours."""
        self.announce(RowEvent(KEY, RowChange.UPDATE, frozenset({"stop"}), None), late=True)

    def _touched(self, change: RowChange, columns: frozenset[str], *, person: bool = True) -> None:
        self.version += 1
        at, by = self.clock.now().replace(microsecond=0), PERSON if person else BRIDGE
        if self.row is not None:
            self.row |= {"modified": at, "by": by}
        self.note(f"{'person' if person else 'bridge'}: {change} {self.row}")
        self.announce(RowEvent(KEY, change, columns, by, at))

    def announce(self, event: RowEvent, *, late: bool = False) -> None:
        """The webhook, as often and as late as the plan says; a lost one is repaired by a later sweep."""
        times = self.plan.webhook()
        delays = [600.0] if late or not times else times
        if late:
            delays = [self.plan.random.uniform(1, 60)]
        for delay in delays:
            self._spawn(self._hint(event, delay))

    async def _hint(self, event: RowEvent, delay: float) -> None:
        await asyncio.sleep(delay)
        hints = intake.decide(
            Mappings(self.mapping), event, Source.WEBHOOK, f"e{self.version}-{self.time():.6f}", self.clock.now()
        )
        await lanes.send_hints(self.ports, *hints)

    # -- broker ------------------------------------------------------------------------------------------------------

    def enqueue(self, lane: Lane, outgoing: Outgoing) -> None:
        if lane is Lane.PARKED:
            self.parked.append(outgoing)
            return
        seen = self.known_ids.get(outgoing.message_id)
        if seen is not None and self.time() - seen < 3600:
            return
        self.known_ids[outgoing.message_id] = self.time()
        message = Message(lane, outgoing.body, outgoing.message_id)
        self.messages.append(message)
        wait = (outgoing.enqueue_at - self.clock.now()).total_seconds() if outgoing.enqueue_at else 0
        self._redeliver(message, max(0.0, wait))

    def _redeliver(self, message: Message, after: float) -> None:
        message.locked_by = None
        self._spawn(self._deliver(message, after))

    async def _deliver(self, message: Message, after: float) -> None:
        await asyncio.sleep(after + self.plan.latency_s("broker"))
        if message.settled or self.workers > 300:
            return
        if message.deliveries >= 10:
            self.dead.append(message)
            message.settled = True
            return
        message.deliveries += 1
        self.workers += 1
        name = message.locked_by = f"w{self.workers}"
        token = worker_name.set(name)
        self.note(f"delivery {message.deliveries} of {message.message_id}")
        try:
            await self._work(message, name)
        finally:
            worker_name.reset(token)

    async def _work(self, message: Message, name: str) -> None:
        delivery = Delivery(message.lane, message.body, message.message_id, message.deliveries)
        try:
            work = self.engine.opt_out if message.lane is Lane.OPTOUT else self.engine.record
            await work(delivery)
            await self.step("complete")
        except Crashed:
            if message.locked_by == name:
                self._redeliver(message, LOCK_S)
            return
        if message.locked_by == name:
            message.settled = True

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.append(f"!! {error!r}")
            self.errors.append(error)

    # -- time --------------------------------------------------------------------------------------------------------

    async def run(self, seconds: float) -> None:
        """Let that much time pass, with the timers, looking every two seconds whether something is silently wrong."""
        end = self.time() + seconds
        while self.time() < end:
            await asyncio.sleep(self._until_next_look(end))
            self._watch()
            if self.time() >= self.next_timer:
                self.next_timer = self.time() + 60
                await self._timer()

    def _until_next_look(self, end: float) -> float:
        """Seconds: two, or, while nothing can change, those to the next timer, since each look would be as the last."""
        now, looks = self.time(), 1
        if not self.tasks and not self.landing and not self._requests_run():
            looks = max(1, ceil((min(end, self.next_timer) - now) / 2))
        return min(2.0 * looks, end - now)

    def _requests_run(self) -> bool:
        return any(end is None for end in self.requests.values())

    def _watch(self) -> None:
        """Wrong and nothing under way that would mend it: no message, no announcement, no privacy request."""
        if not self.tasks and not self._requests_run() and (wrong := self._disagreements()):
            self.silent.setdefault("; ".join(wrong), self.time())

    async def _timer(self) -> None:
        await checks.verify_due(self.ports)
        await checks.follow_privacy_requests(self.ports)

    async def rest(self, longest_s: float = 40_000) -> None:
        """Until nothing is in flight, no privacy request runs and no check is due any more."""
        end = self.time() + longest_s
        while self.time() < end:
            await self.run(120)
            assert self.workers < 300, "messages multiply"
            row = self.ledger_row
            if not self.tasks and not self._requests_run() and row.check_at is None and row.pending is None:
                return
        raise AssertionError("never at rest:\n" + "\n".join(self.log[-60:]))

    def contact(self) -> Contact:
        """The row as Dynamics gives it."""
        assert self.row is not None
        columns = {"val": self.row["val"], "stop": self.row["stop"]}
        return Contact(KEY.id, str(self.version), self.row["modified"], columns, modified_by=self.row["by"])

    def violations(self, *, dead_letters: bool = True) -> list[str]:
        """What is wrong, at rest. Only a fault ends a delivery here: a dead letter is ten of them in a row."""
        found = [f"error {error!r}" for error in self.errors]
        found += [f"dead letter {message.message_id}" for message in self.dead if dead_letters]
        found += [f"parked {letter.properties}" for letter in self.parked]
        found += [f"silently wrong at {at:.0f} s: {what}" for what, at in self.silent.items()]
        return found + self._disagreements()

    def _disagreements(self) -> list[str]:
        found = []
        wanted = self.row is not None and self.mapping.passes(self.contact())
        if not wanted and self.profile is not None:
            found.append("a person who is gone, or kept out, has a profile")
        if wanted and self.profile is None:
            found.append("a contact has no profile")
        if wanted and self.row is not None and self.profile is not None:
            if self.profile.fields.get("val") != self.row["val"]:
                found.append(f"Dynamics {self.row['val']}, Campaign {self.profile.fields.get('val')}")
            if self.profile.flags["blackListEmail"].value != self.row["stop"]:
                found.append(f"opt-out: Dynamics {self.row['stop']}, Campaign {self.profile.flags}")
        state = self.ledger_row.state
        if isinstance(state, Present) and self.profile is None:
            found.append("the ledger says PRESENT, there is no profile")
        return found


@dataclass
class DynamicsFake:
    """The `Dynamics` port: consistent reads, conditional writes."""

    world: World

    async def read(self, record: RecordKey) -> Contact | None:
        await self.world.step("dynamics read")
        found = None if self.world.row is None else self.world.contact()
        await self.world.step("dynamics answer")
        return found

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        raise NotImplementedError

    async def own_user(self) -> str:
        return BRIDGE

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        await self.world.step("dynamics write")
        if self.world.row is None or str(self.world.version) != version:
            return False
        changed = {**columns, **self.world.plug_in}
        self.world.row.update(changed)
        self.world._touched(RowChange.UPDATE, frozenset(changed), person=False)
        await self.world.step("dynamics written")
        return True

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        raise NotImplementedError


@dataclass
class CampaignFake:
    """The `Campaign` port: no conditional writes; a write can land after its client gave up."""

    world: World

    async def _write(self, where: str, apply: Any) -> Any:
        world = self.world
        await world.step(f"{where} send")
        world.calls.append(where)
        late = world.plan.write(worker_name.get(), where)
        if late is None:
            result = apply()
            world.note(f"{where} -> {result}")
            await world.step(f"{where} answer")
            return result
        world.note(f"{where}: no answer; lands {late}")
        if late.lands_after_s is not None:
            world.landing += 1
            asyncio.get_running_loop().call_later(late.lands_after_s, self._land, where, apply)
        if late.crash:
            raise Crashed
        await asyncio.sleep(world.ports.timings.http_timeout_s)
        raise Uncertain(Reason.OUTCOME_UNKNOWN, where)

    def _land(self, where: str, apply: Any) -> None:
        self.world.landing -= 1
        self.world.note(f"LATE {where} -> {apply()}")

    async def profile(self, contact_id: str) -> Profile | None:
        await self.world.step("GET send")
        self.world.calls.append("GET")
        found = self.world.profile
        seen = None if found is None else Profile(found.handle, dict(found.fields), dict(found.flags))
        self.world.note(f"GET -> {seen}")
        await self.world.step("GET answer")
        return seen

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        def apply() -> bool:
            if self.world.profile is not None:
                return False
            self.world.handles += 1
            now = self.world.clock.now()
            flags = {"blackListEmail": Flag(True, now) if "blackListEmail" in opted_out else Flag(False, OLDEST)}
            self.world.profile = CampaignProfile(f"@{self.world.handles}", dict(fields), flags)
            return True

        return bool(await self._write("POST", apply))

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        def apply() -> bool:
            profile = self.world.profile
            if profile is None or (handle is not None and profile.handle != handle):
                return False
            profile.fields.update(fields)
            return True

        return bool(await self._write("PATCH", apply))

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        def apply() -> bool:
            profile = self.world.profile
            if profile is None or profile.handle != handle:
                return False
            for name, value in attributes.items():
                if profile.flags[name].value != value:
                    profile.flags[name] = Flag(value, self.world.clock.now())
                    self.world.exported()
            return True

        return bool(await self._write("PATCH flag", apply))

    async def delete_profile(self, handle: str) -> bool:
        def apply() -> bool:
            if self.world.profile is None or self.world.profile.handle != handle:
                return False
            self.world.profile = None
            return True

        return bool(await self._write("DELETE", apply))

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        def apply() -> None:
            if name not in self.world.requests:
                self.world.requests[name] = None
                asyncio.get_running_loop().call_later(self.world.privacy_s, self._remove, name)

        await self._write("PRIVACY", apply)

    def _remove(self, name: str) -> None:
        self.world.note(f"privacy request {name} removes {self.world.profile}")
        self.world.requests[name] = self.world.time()
        self.world.profile = None

    async def privacy_progress(self, name: str) -> Progress:
        await self.world.step("PRIVACY GET")
        self.world.calls.append("PRIVACY GET")
        if name not in self.world.requests:
            return Progress.NOT_FOUND
        return Progress.RUNNING if self.world.requests[name] is None else Progress.ENDED


@dataclass
class LedgerFake:
    """The `Ledger` port: one row, ETag-guarded; it can lie about a write that it applied."""

    world: World

    async def get(self, key: RecordKey) -> LedgerRow:
        await self.world.step("ledger read")
        row = self.world.ledger_row
        await self.world.step("ledger answer")
        return row

    async def get_many(self, keys: Sequence[RecordKey]) -> Sequence[LedgerRow]:
        return [await self.get(key) for key in keys]

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        await self.world.step("ledger write")
        if row.etag != self.world.ledger_row.etag:
            return None
        self.world.etags += 1
        self.world.ledger_row = replace(row, etag=str(self.world.etags))
        stored = self.world.ledger_row
        self.world.note(
            f"ledger {row.state} claim={row.claim} pending={row.pending} w={row.witness} g={row.generation}"
        )
        await self.world.step("ledger written")
        return None if self.world.plan.lies("ledger") else stored

    async def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        row = self.world.ledger_row
        if row.check_at is not None and row.check_at <= now:
            yield row

    async def pending(self) -> AsyncIterator[LedgerRow]:
        if self.world.ledger_row.pending is not None:
            yield self.world.ledger_row


class RecollectionsFake(MemoryRecollections):
    """The `Recollections` port, with steps around it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    async def get(self, key: RecordKey) -> Recollection:
        await self.world.step("memory read")
        return await super().get(key)

    async def put(self, past: Recollection) -> Recollection | None:
        await self.world.step("memory write")
        stored = await super().put(past)
        await self.world.step("memory written")
        return stored


@dataclass
class BusFake:
    """The `Bus` port."""

    world: World

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        await self.world.step("bus send")
        for message in messages:
            self.world.enqueue(lane, message)
        await self.world.step("bus sent")
