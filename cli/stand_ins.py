"""What a rehearsal plays before: stand-ins that answer from what was read and only note what they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from typing_extensions import override

from cli.evidence import Evidence
from cli.explanation import differing
from shared.domain.change import Lane, RecordKey
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy, Resource
from shared.errors import Reason
from shared.flows.contact import Sight
from shared.ports import Campaign, Dynamics, Outgoing, Ports, Recorded, Records
from shared.ports.sweep import NoNotes
from shared.stores.memory import (
    MemoryDeletions,
    MemoryFamily,
    MemoryJournal,
    MemoryLedger,
    MemoryRecollections,
    MemoryWatermarks,
)
from shared.wire import decode_hint


@dataclass(frozen=True)
class Step:
    """An order in words: names of fields, never their values. `calls`: engine calls that it costs."""

    order: str
    calls: int = 0


class Unread(Exception):
    """The rest depends on something that was not read."""


def stand_ins(ports: Ports, evidence: Evidence, steps: list[Step]) -> Ports:
    """Everything that can write is replaced; the files and the journal are only read, and not by these flows."""
    ledger, family, campaign = MemoryLedger(), MemoryFamily(), _Campaign(evidence, steps)
    known = (*evidence.kin.ledger_rows, evidence.ledger)
    ledger.rows = {row.key: row for row in known if not row.never_seen}
    family.pairs = dict.fromkeys(evidence.kin.below)
    return replace(
        ports,
        dynamics=_Dynamics(evidence, steps),
        campaign=campaign,
        records=_Records(evidence, steps),
        ledger=ledger,
        family=family,
        deletions=MemoryDeletions(),
        journal=MemoryJournal(),
        recollections=_remembered(evidence),
        watermarks=MemoryWatermarks(),
        opt_out_notes=NoNotes(),
        bus=_Bus(evidence.key, steps),
        telemetry=_Silence(),
        mappings=lambda: evidence.mappings,
    )


@dataclass(frozen=True)
class _Dynamics(Dynamics):
    evidence: Evidence
    steps: list[Step]

    @override
    async def read(self, record: RecordKey) -> Contact | None:
        return self.evidence.contact if record == self.evidence.key else self.evidence.kin.row(record)

    @override
    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        return {self.evidence.key.id: self.evidence.contact} if self.evidence.contact else {}

    @override
    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        self.steps.append(Step(f"write to Dynamics, if the row is still this version: {_truths(columns)}"))
        return True

    @override
    async def own_user(self) -> str:
        return self.evidence.own_user or ""

    @override
    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        raise Unread("the timeline is not rehearsed")


@dataclass(frozen=True)
class _Campaign(Campaign):
    evidence: Evidence
    steps: list[Step]

    @override
    async def profile(self, contact_id: str) -> Profile | None:
        self._note("look up the profile")
        if self._unseen:
            raise Unread("the rest depends on what Campaign shows; leave out --no-look to ask it")
        return self._profile

    @override
    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        flags = f", opted out: {', '.join(sorted(opted_out))}" if opted_out else ""
        self._note(f"create the profile with {_count(fields)}{flags}{self._otherwise('if it is there: look it up')}")
        if self._profile is not None:
            self._remark("Campaign refuses the creation: the profile is there")
        return self._profile is None

    @override
    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        self._note(f"update the profile with {_count(fields)}{self._difference()}")
        if self._profile is None and not self._unseen:
            self._remark("Campaign finds no such profile")
        return self._unseen or self._profile is not None

    @override
    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        self._note(f"write the profile's opt-outs: {_truths(attributes)}")
        return True

    @override
    async def delete_profile(self, handle: str) -> bool:
        self._note("delete the profile; what Campaign logged of the person stays")
        return True

    @override
    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        self._note(f"ask Campaign to delete the person's data, as privacy request {name}")

    @override
    async def privacy_progress(self, name: str) -> Progress:
        self._note(f"ask how far privacy request {name} is")
        raise Unread("while the privacy request runs the hint waits; after its end both sides are looked at anew")

    @property
    def _unseen(self) -> bool:
        return self.evidence.profile is Sight.UNSEEN

    @property
    def _profile(self) -> Profile | None:
        return self.evidence.profile if isinstance(self.evidence.profile, Profile) else None

    def _difference(self) -> str:
        desired, profile = self.evidence.desired, self._profile
        names = differing(desired, profile) if desired and profile else []
        return f"; differing: {', '.join(names)}" if names else self._otherwise("if it is not there: create it")

    def _otherwise(self, words: str) -> str:
        return f" ({words})" if self._unseen else ""

    def _note(self, order: str) -> None:
        self.steps.append(Step(order, calls=1))

    def _remark(self, words: str) -> None:
        self.steps.append(Step(words))


@dataclass(frozen=True)
class _Records(Records):
    """Of the record under test, and of what is there under a former key of it."""

    evidence: Evidence
    steps: list[Step]

    @override
    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        self._note(f"look up the record of {resource.name}")
        seen = self.evidence.sight(key)
        if seen is Sight.UNSEEN:
            raise Unread("the rest depends on what Campaign shows; leave out --no-look to ask it")
        return seen if isinstance(seen, Profile) else None

    @override
    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        unseen = self.evidence.profile is Sight.UNSEEN
        taken = " (if its key is taken: look it up)" if unseen else ""
        self._note(f"create the record of {resource.name} with {_count(fields)}{taken}")
        return not isinstance(self.evidence.profile, Profile)

    @override
    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        desired, seen = self.evidence.desired, self.evidence.profile
        names = differing(desired, seen) if desired and isinstance(seen, Profile) else []
        difference = f"; differing: {', '.join(names)}" if names else ""
        self._note(f"update the record of {resource.name} with {_count(fields)}{difference}")
        return isinstance(seen, Profile)

    @override
    async def delete_record(self, resource: Resource, handle: str) -> bool:
        self._note(f"delete the record of {resource.name}; Campaign deletes, or hides, what needs it")
        return True

    def _note(self, order: str) -> None:
        self.steps.append(Step(order, calls=1))


@dataclass(frozen=True)
class _Bus:
    key: RecordKey
    steps: list[Step]

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        hints = [decode_hint(message.body) for message in messages]
        kin = [hint for hint in hints if hint.record != self.key]
        own = [hint for hint in hints if hint.record == self.key]
        self.steps.extend(Step(f"send a hint ({hint.why}) to the lane {lane}") for hint in own)
        if len(kin) > 1:
            self.steps.append(Step(f"send {len(kin)} hints ({kin[0].why}) to the lane {lane}, first {kin[0].record}"))
        elif kin:
            self.steps.append(Step(f"send a hint ({kin[0].why}) about {kin[0].record} to the lane {lane}"))


class _Silence:
    """A rehearsal is nothing that happened."""

    def counted(self, what: str, **numbers: int | str) -> None:
        pass

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        pass


def _remembered(evidence: Evidence) -> MemoryRecollections:
    recollections = MemoryRecollections()
    if evidence.past is not None and evidence.past.etag is not None:
        recollections.rows[evidence.key] = evidence.past
    return recollections


def _truths(values: Mapping[str, bool]) -> str:
    return ", ".join(f"{name} = {'TRUE' if value else 'FALSE'}" for name, value in sorted(values.items()))


def _count(fields: Mapping[str, Value]) -> str:
    return f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
