"""What a hint would lead to now: the engine's own steps, before stand-ins that answer from what was read and only note.

The flows' `decide` functions are asked by the same code that works on messages, so a rehearsal cannot drift from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from typing_extensions import override

from cli.explanation import Evidence, differing
from shared.domain.change import Hint, Lane, Source, Why
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.engine import optouts
from shared.engine.alignment import Turn
from shared.errors import Drop, Halt, Outcome, Park, Reason
from shared.flows.contact import Sight
from shared.ports import Campaign, Dynamics, Outgoing, Ports, Recorded
from shared.stores.memory import MemoryDeletions, MemoryLedger, MemoryWatermarks
from shared.wire import decode_hint

Ending = Literal["settled", "later", "parked", "halted", "open"]


@dataclass(frozen=True)
class Step:
    """An order in words: names of fields, never their values. `calls`: engine calls that it costs."""

    order: str
    calls: int = 0


@dataclass(frozen=True)
class Rehearsal:
    """What a hint of this kind, delivered for the first time, would do.

    `ending`: settled, later (it comes back), parked, halted, or open where the rest depends on a look that was not
    taken; then there is no reason.
    """

    why: Why
    steps: tuple[Step, ...]
    ending: Ending
    reason: str | None
    meaning: str

    @property
    def calls(self) -> int:
        """Engine calls in all."""
        return sum(step.calls for step in self.steps)


class _Unread(Exception):
    """The rest depends on something that was not read."""


async def rehearse(ports: Ports, evidence: Evidence, why: Why, hint: Hint | None = None) -> Rehearsal:
    """Calls nobody and writes nothing. `ports` gives clock, timings and mapping. `hint`: a certain one."""
    steps: list[Step] = []
    try:
        reason = await work(_stand_ins(ports, evidence, steps), hint or _hint(evidence, why))
    except _Unread as unread:
        return Rehearsal(why, tuple(steps), "open", None, str(unread))
    except Outcome as outcome:
        return Rehearsal(why, tuple(steps), ending(outcome), outcome.reason.slug, outcome.reason.meaning)
    return Rehearsal(why, tuple(steps), "settled", reason.slug, reason.meaning)


async def work(ports: Ports, hint: Hint) -> Reason:
    """What the engine does with a hint that is delivered for the first time. Raises Outcome."""
    if hint.lane is Lane.OPTOUT:
        return await optouts.settle(ports, hint)
    return await Turn(ports, hint, delivery_count=1).run()


def _hint(evidence: Evidence, why: Why) -> Hint:
    return Hint(f"rehearsal/{why}", evidence.key, why, Source.CLI, evidence.now)


def ending(outcome: Outcome) -> Ending:
    """What the engine does with a message whose work ended so."""
    match outcome:
        case Drop():
            return "settled"
        case Park():
            return "parked"
        case Halt():
            return "halted"
        case _:
            return "later"


def _stand_ins(ports: Ports, evidence: Evidence, steps: list[Step]) -> Ports:
    """Everything that can write is replaced; the files and the journal are only read, and not by these flows."""
    ledger = MemoryLedger()
    if not evidence.ledger.never_seen:
        ledger.rows[evidence.key] = evidence.ledger
    return replace(
        ports,
        dynamics=_Dynamics(evidence, steps),
        campaign=_Campaign(evidence, steps),
        ledger=ledger,
        deletions=MemoryDeletions(),
        watermarks=MemoryWatermarks(),
        bus=_Bus(steps),
        telemetry=_Silence(),
        mapping=lambda: evidence.mapping,
    )


@dataclass(frozen=True)
class _Dynamics(Dynamics):
    evidence: Evidence
    steps: list[Step]

    @override
    async def contact(self, contact_id: str) -> Contact | None:
        return self.evidence.contact

    @override
    async def contacts(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        return {self.evidence.key.id: self.evidence.contact} if self.evidence.contact else {}

    @override
    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        words = ", ".join(f"{name} = {'TRUE' if value else 'FALSE'}" for name, value in sorted(columns.items()))
        self.steps.append(Step(f"write to Dynamics, if the row is still this version: {words}"))
        return True

    @override
    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        raise _Unread("the timeline is not rehearsed")


@dataclass(frozen=True)
class _Campaign(Campaign):
    evidence: Evidence
    steps: list[Step]

    @override
    async def profile(self, contact_id: str) -> Profile | None:
        self._note("look up the profile")
        if self._unseen:
            raise _Unread("the rest depends on what Campaign shows; leave out --no-look to ask it")
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
    async def opt_out(self, handle: str, attributes: frozenset[str]) -> bool:
        self._note(f"opt the profile out: {', '.join(sorted(attributes))} = TRUE")
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
        raise _Unread("while the privacy request runs the hint waits; after its end both sides are looked at anew")

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
class _Bus:
    steps: list[Step]

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            self.steps.append(Step(f"send a hint ({decode_hint(message.body).why}) to the lane {lane}"))


class _Silence:
    """A rehearsal is nothing that happened."""

    def counted(self, what: str, **numbers: int | str) -> None:
        pass

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        pass


def _count(fields: Mapping[str, Value]) -> str:
    return f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
