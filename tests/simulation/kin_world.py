"""Contacts, their vehicles and those vehicles' visits in both systems, in virtual time, with faults at every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from shared.domain.change import RecordKey, RowChange, RowEvent, Source
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.field_row import FieldRow, FromColumn, Lookup
from shared.domain.filters import Filter
from shared.domain.ledger import Absent, LedgerRow, Present, Progress, Timings
from shared.domain.mapping import DeleteMode, Link, Mappings, Privacy, Resource, WhenFilteredOut
from shared.domain.mapping import Mapping as TableMapping
from shared.engine import checks, lanes
from shared.engine.deliver import Delivery, Engine, Patience
from shared.errors import Reason, Uncertain
from shared.flows import intake
from shared.ports import Outgoing, Ports, Recorded
from shared.stores.memory import MemoryDeletions, MemoryFamily, MemoryLedger
from shared.wire import decode_hint
from tests.simulation.broker import Broker, worker
from tests.simulation.faults import Crashed, Plan
from tests.simulation.virtual import VirtualClock

T = TypeVar("T")
CONTACT, VEHICLE, VISIT = "contact", "new_vehicle", "new_visit"
PARENT_TABLE = {VEHICLE: CONTACT, VISIT: VEHICLE}
RESOURCES = {VEHICLE: "cusVehicle", VISIT: "cusVisit"}


@dataclass(frozen=True)
class Variant:
    """How contacts are deleted, whether some are kept out, and whether Campaign deletes children with their parent."""

    delete_mode: DeleteMode = DeleteMode.PROFILE_DELETE
    filters: Filter | None = None
    entity_delete_mode: DeleteMode = DeleteMode.PROFILE_DELETE
    cascade: bool = True


def mappings(variant: Variant) -> Mappings:
    """Three tables, each the next one's parent, with links that hide."""
    contact = TableMapping(
        "test",
        CONTACT,
        (FieldRow("val", FromColumn("val")),),
        privacy=Privacy("gdpr", "ns"),
        delete_mode=variant.delete_mode,
        filters=variant.filters,
        when_filtered_out=WhenFilteredOut.DELETE if variant.filters else WhenFilteredOut.LEAVE,
    )
    return Mappings(contact, tuple(_entity(table, variant) for table in (VEHICLE, VISIT)))


def _entity(table: str, variant: Variant) -> TableMapping:
    link = Link("parent", "parentId", PARENT_TABLE[table], cascade=variant.cascade)
    return TableMapping(
        "test",
        table,
        (FieldRow("parentId", FromColumn("parent", lookup=Lookup.ID)), FieldRow("val", FromColumn("val"))),
        resource=Resource(RESOURCES[table], "byExternalId", "externalId_parameter"),
        key_column=f"{table}id",
        links=(link,),
        delete_mode=variant.entity_delete_mode,
    )


@dataclass
class Stored:
    """In Campaign, shown or hidden."""

    handle: str
    fields: dict[str, Value]


class KinWorld:
    """One history: people act, hints flow, workers work; `violations` says what is wrong at rest."""

    def __init__(self, plan: Plan, variant: Variant = Variant()) -> None:
        self.plan = plan
        self.clock = VirtualClock()
        self.variant = variant
        self.mappings = mappings(variant)
        self.privacy_s = 20.0
        self.rows: dict[RecordKey, dict[str, Any]] = {}
        self.events = 0
        self.next_timer = 0.0
        self.campaign = CampaignFake(self)
        self.ledger = LedgerFake(self)
        self.broker = Broker(plan, self._work)
        self.ports = Ports(
            dynamics=DynamicsFake(self),
            campaign=self.campaign,
            records=self.campaign,
            events=None,  # type: ignore[arg-type]  # no flow under simulation reads events or files
            files=None,  # type: ignore[arg-type]
            read_export=None,  # type: ignore[arg-type]
            file_ledger=None,  # type: ignore[arg-type]
            ledger=self.ledger,
            family=FamilyFake(self),
            journal=None,  # type: ignore[arg-type]  # nobody opts out here
            recollections=None,  # type: ignore[arg-type]
            waiting_opt_outs=None,  # type: ignore[arg-type]
            changed_profiles=None,  # type: ignore[arg-type]
            deletions=MemoryDeletions(),
            watermarks=None,  # type: ignore[arg-type]
            bus=self.broker,
            clock=self.clock,
            random=Random(plan.random.random()),
            timings=Timings(),
            telemetry=self,
            mappings=lambda: self.mappings,
        )
        patience = Patience(timedelta(days=7), timedelta(days=2), parent=timedelta(hours=3))
        self.engine = Engine(self.ports, self, patience)  # type: ignore[arg-type]

    # -- telemetry port ------------------------------------------------------------------------------------------

    def decision(self, *, reason: Reason, detail: str = "", **_: object) -> None:
        self.broker.note(f"{reason.slug} {detail}")

    def counted(self, what: str, **numbers: int | str) -> None:
        pass

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        raise AssertionError(f"alarm {where} {reason}")

    # -- people ----------------------------------------------------------------------------------------------------

    def create(self, record: RecordKey, parent: RecordKey | None, val: int) -> None:
        """A row, or one that was deleted before."""
        self.rows[record] = {"val": val, "parent": parent.id if parent else None, "modified": self.clock.now()}
        self._announce(record, RowChange.CREATE, frozenset())

    def change(self, record: RecordKey, **columns: Value) -> None:
        """A person edits a row, or gives it to another parent."""
        self.rows[record] |= {**columns, "modified": self.clock.now()}
        self._announce(record, RowChange.UPDATE, frozenset(columns))

    def delete(self, record: RecordKey) -> None:
        """With all that hangs on it, as a parental relationship does."""
        for child in self.children(record):
            self.delete(child)
        del self.rows[record]
        self._announce(record, RowChange.DELETE, frozenset())

    def children(self, record: RecordKey) -> list[RecordKey]:
        """In Dynamics."""
        return [
            key
            for key, row in self.rows.items()
            if PARENT_TABLE.get(key.table) == record.table and row["parent"] == record.id
        ]

    def _announce(self, record: RecordKey, change: RowChange, columns: frozenset[str]) -> None:
        """As often and as late as the plan says; a lost announcement is repaired by a later sweep."""
        self.broker.note(f"{change} {record} {self.rows.get(record)}")
        event = RowEvent(record, change, columns, None)
        for delay in self.plan.webhook() or [600.0]:
            self.broker.spawn(self._hint(event, delay))

    async def _hint(self, event: RowEvent, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self.events += 1
        hints = intake.decide(self.mappings, event, Source.WEBHOOK, f"e{self.events}", self.clock.now())
        await lanes.send_hints(self.ports, *hints)

    # -- time --------------------------------------------------------------------------------------------------------

    async def _work(self, delivery: Delivery) -> None:
        await self.engine.record(delivery)

    async def rest(self, longest_s: float = 60_000) -> None:
        """Until nothing is in flight and no check is due any more."""
        end = asyncio.get_running_loop().time() + longest_s
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(60)
            await checks.verify_due(self.ports)
            await checks.follow_privacy_requests(self.ports)
            open_ = [row for row in self.ledger.rows.values() if row.check_at is not None or row.pending is not None]
            if not self.broker.tasks and not open_:
                return
        raise AssertionError("never at rest:\n" + "\n".join(self.broker.log[-60:]))

    def contact(self, record: RecordKey) -> Contact:
        """The row as Dynamics gives it."""
        row = self.rows[record]
        return Contact(record.id, "1", row["modified"], {"val": row["val"], "parent": row["parent"]})

    def violations(self, *, dead_letters: bool = True) -> list[str]:
        """What is wrong, at rest. Only a fault ends a delivery here: a dead letter is ten of them in a row."""
        found = [f"error {error!r}" for error in self.broker.errors]
        found += [f"dead letter {message.message_id}" for message in self.broker.dead if dead_letters]
        found += [f"parked {letter.properties}" for letter in self.broker.parked if not self._parentless(letter)]
        found += self.campaign.wrongs
        return found + self._disagreements()

    def expected(self, record: RecordKey) -> bool:
        """Whether it should be in Campaign: it passes, and so does everything above it."""
        row = self.rows.get(record)
        if row is None:
            return False
        mapping = self._mapping(record)
        if mapping.kept_out(self.contact(record)) is not None:
            return False
        return record.table == CONTACT or self.expected(RecordKey(PARENT_TABLE[record.table], row["parent"]))

    def _parentless(self, letter: Outgoing) -> bool:
        """Parked because its parent is kept out, as it should be."""
        hint = decode_hint(letter.body)
        return letter.properties["reason"] == Reason.PARENT_MISSING.slug and not self.expected(hint.record)

    def _mapping(self, record: RecordKey) -> TableMapping:
        return next(mapping for mapping in self.mappings.tables if mapping.table == record.table)

    def _disagreements(self) -> list[str]:
        records = self.rows.keys() | self.campaign.records.keys()
        found = [wrong for record in records if (wrong := self._disagreement(record)) is not None]
        for record, row in self.ledger.rows.items():
            there = record in self.campaign.records
            if (isinstance(row.state, Present) and not there) or (isinstance(row.state, Absent) and there):
                found.append(f"{record}: the ledger says {row.state}")
        return found

    def _disagreement(self, record: RecordKey) -> str | None:
        stored, expected = self.campaign.records.get(record), self.expected(record)
        if stored is None:
            return f"{record}: not in Campaign" if expected else None
        if not expected:
            kept = self.campaign.hidden(record) and not self.variant.cascade  # nobody can reach it any more
            return None if kept else f"{record}: gone or kept out, but in Campaign"
        wanted = self._mapping(record).desired(self.contact(record)).fields
        if {name: stored.fields.get(name) for name in wanted} != wanted:
            return f"{record}: Dynamics {wanted}, Campaign {stored.fields}"
        return None


@dataclass
class DynamicsFake:
    """The `Dynamics` port: consistent reads."""

    world: KinWorld

    async def read(self, record: RecordKey) -> Contact | None:
        await self.world.broker.step("dynamics read")
        found = self.world.contact(record) if record in self.world.rows else None
        await self.world.broker.step("dynamics answer")
        return found

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        raise NotImplementedError

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        raise NotImplementedError

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        raise NotImplementedError

    async def own_user(self) -> str:
        raise NotImplementedError


@dataclass
class CampaignFake:
    """The `Campaign` and `Records` ports: hides children without a parent, deletes them with it, may answer late.

    `wrongs`: writes to hidden records, and writes that made one.
    """

    world: KinWorld
    records: dict[RecordKey, Stored] = field(default_factory=dict)
    requests: dict[str, bool] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    handles: int = 0

    def hidden(self, record: RecordKey) -> bool:
        """Its parent is not there, or hidden itself."""
        if record.table == CONTACT:
            return False
        parent = RecordKey(PARENT_TABLE[record.table], str(self.records[record].fields["parentId"]))
        return parent not in self.records or self.hidden(parent)

    async def _call(self, where: str, read: Callable[[], T]) -> T:
        await self.world.broker.step(f"{where} send")
        self.calls.append(where)
        result = read()
        self.world.broker.note(f"{where} -> {result}")
        await self.world.broker.step(f"{where} answer")
        return result

    async def _write(self, where: str, apply: Callable[[], T]) -> T:
        late = self.world.plan.write(worker.get(), where)
        if late is None:
            return await self._call(where, apply)
        await self.world.broker.step(f"{where} send")
        self.world.broker.note(f"{where}: no answer; lands {late}")
        if late.lands_after_s is not None:
            self.world.broker.spawn(self._land(where, apply, late.lands_after_s))
        if late.crash:
            raise Crashed
        await asyncio.sleep(self.world.ports.timings.http_timeout_s)
        raise Uncertain(Reason.OUTCOME_UNKNOWN, where)

    async def _land(self, where: str, apply: Callable[[], object], after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.world.broker.note(f"LATE {where} -> {apply()}")

    # -- contacts ----------------------------------------------------------------------------------------------------

    async def profile(self, contact_id: str) -> Profile | None:
        return await self._call(f"GET {contact_id[:4]}", lambda: self._shown(RecordKey(CONTACT, contact_id)))

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        return await self._write(f"POST {contact_id[:4]}", lambda: self._create(RecordKey(CONTACT, contact_id), fields))

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        return await self._write(f"PATCH {contact_id[:4]}", lambda: self._update_contact(contact_id, handle, fields))

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        raise NotImplementedError

    async def delete_profile(self, handle: str) -> bool:
        return await self._write(f"DELETE {handle}", lambda: self._delete(handle))

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        await self._write(f"PRIVACY {name[-6:]}", lambda: self._ask(contact_id, name))

    async def privacy_progress(self, name: str) -> Progress:
        ended = await self._call(f"PRIVACY GET {name[-6:]}", lambda: self.requests.get(name))
        return Progress.NOT_FOUND if ended is None else Progress.ENDED if ended else Progress.RUNNING

    # -- records -----------------------------------------------------------------------------------------------------

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        return await self._call(f"GET {resource.name} {key[:4]}", lambda: self._shown(_key(resource, key)))

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        key = str(fields["externalId"])
        return await self._write(f"POST {resource.name} {key[:4]}", lambda: self._create(_key(resource, key), fields))

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        return await self._write(f"PATCH {resource.name} {handle}", lambda: self._update(handle, fields))

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        return await self._write(f"DELETE {resource.name} {handle}", lambda: self._delete(handle))

    # -- what Campaign does ------------------------------------------------------------------------------------------

    def _shown(self, record: RecordKey) -> Profile | None:
        stored = self.records.get(record)
        return None if stored is None or self.hidden(record) else Profile(stored.handle, dict(stored.fields))

    def _create(self, record: RecordKey, fields: Mapping[str, Value]) -> bool:
        if record in self.records:
            return False
        self.handles += 1
        self.records[record] = Stored(f"@{self.handles}", dict(fields))
        self._look_for_hidden(f"creation of {record}", record)
        return True

    def _update_contact(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        stored = self.records.get(RecordKey(CONTACT, contact_id))
        if stored is None or handle not in (None, stored.handle):
            return False
        stored.fields |= fields
        return True

    def _update(self, handle: str, fields: Mapping[str, Value]) -> bool:
        record = self._at(handle)
        if record is None:
            return False
        self._look_for_hidden(f"update of {record}", record)
        self.records[record].fields |= fields
        self._look_for_hidden(f"update of {record} hides it", record)
        return True

    def _delete(self, handle: str) -> bool:
        record = self._at(handle)
        if record is None:
            return False
        self._look_for_hidden(f"deletion of {record}", record)
        self._remove(record)
        return True

    def lose(self, record: RecordKey) -> None:
        """A person deletes it in Campaign."""
        self.world.broker.note(f"person deletes {record} in Campaign")
        self._remove(record)

    def _remove(self, record: RecordKey) -> None:
        children = [
            key
            for key, stored in self.records.items()
            if PARENT_TABLE.get(key.table) == record.table and stored.fields["parentId"] == record.id
        ]
        for child in children if self.world.variant.cascade else ():
            self._remove(child)
        del self.records[record]

    def _ask(self, contact_id: str, name: str) -> None:
        if name not in self.requests:
            self.requests[name] = False
            self.world.broker.spawn(self._execute(contact_id, name))

    async def _execute(self, contact_id: str, name: str) -> None:
        await asyncio.sleep(self.world.privacy_s)
        self.world.broker.note(f"privacy request {name} is executed")
        self.requests[name] = True
        if (record := RecordKey(CONTACT, contact_id)) in self.records:
            self._remove(record)

    def _at(self, handle: str) -> RecordKey | None:
        return next((record for record, stored in self.records.items() if stored.handle == handle), None)

    def _look_for_hidden(self, what: str, record: RecordKey) -> None:
        if self.hidden(record):
            self.wrongs.append(f"hidden: {what} at {asyncio.get_running_loop().time():.0f} s")


def _key(resource: Resource, key: str) -> RecordKey:
    return RecordKey(next(table for table, name in RESOURCES.items() if name == resource.name), key)


class LedgerFake(MemoryLedger):
    """The `Ledger` port, with steps; it can lie about a write that it applied."""

    def __init__(self, world: KinWorld) -> None:
        super().__init__()
        self.world = world

    async def get(self, key: RecordKey) -> LedgerRow:
        await self.world.broker.step("ledger read")
        row = await super().get(key)
        await self.world.broker.step("ledger answer")
        return row

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        await self.world.broker.step("ledger write")
        stored = await super().put(row)
        if stored is None:
            return None
        self.world.broker.note(f"ledger {row.key} {row.state} claim={row.claim is not None} w={row.witness}")
        await self.world.broker.step("ledger written")
        return None if self.world.plan.lies("ledger") else stored

    async def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        for row in list(self.rows.values()):
            if row.check_at is not None and row.check_at <= now:
                yield row


class FamilyFake(MemoryFamily):
    """The `Family` port, with steps."""

    def __init__(self, world: KinWorld) -> None:
        super().__init__()
        self.world = world

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        await self.world.broker.step("family join")
        await super().join(child, parents)
        await self.world.broker.step("family joined")

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        await self.world.broker.step("family leave")
        await super().leave(child, parents)

    async def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        await self.world.broker.step("family read")
        async for child in super().children(parent):
            yield child
