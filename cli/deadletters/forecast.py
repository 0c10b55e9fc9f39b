"""What a replay of each letter would lead to now: the engine's own decision, rehearsed on what both sides show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from cli.deadletters.choice import readable
from cli.deadletters.posting import lane_for
from cli.deadletters.view import Line, line
from cli.evidence import Evidence, UnmappedTableError, gather
from cli.failures import said
from cli.rehearsal import Rehearsal, rehearse
from shared.app import App
from shared.domain.change import CONTACT, Hint, Lane
from shared.domain.fact import FactChunk
from shared.domain.resync import PageOrder
from shared.errors import Reason, Retry
from shared.flows import engagement
from shared.stores.letter import DeadLetter
from shared.wire import UnreadableError, decode_facts, decode_hint

Verdict = Literal["would_apply", "already_settled", "still_failing", "would_wait", "unknown"]
# Letters of this many are looked at together: their rows share a read.
AT_ONCE = 50
REHEARSED = (Lane.CONTACT_UPSERT, Lane.CONTACT_DELETE, Lane.CUSTOM_ENTITY, Lane.OPTOUT, Lane.TIMELINE, Lane.BULK)
APPLIED = {Reason.WRITTEN.slug, Reason.REREAD.slug, Reason.FLAGS_REMEMBERED.slug}
ONLY_A_WRITE = "Only a write can tell whether it is still so."
# Only the other side knows whether it still refuses; while nothing changed here there is no cause to expect otherwise.
REFUSALS = {
    reason.slug
    for reason in (
        Reason.REFUSED_VALUE,
        Reason.REFUSED_FIELD,
        Reason.REFUSED_EMAIL,
        Reason.CAMPAIGN_REFUSED,
        Reason.DYNAMICS_REFUSED,
    )
}


@dataclass(frozen=True)
class Forecast:
    """`calls`: engine calls that the replay would make. `because`: a reason's meaning, or what cannot be known."""

    line: Line
    verdict: Verdict
    because: str
    reason: str | None = None
    calls: int = 0


@dataclass(frozen=True)
class Forecaster:
    """`look`: ask Campaign where the decision depends on it, one engine call each; two where a record's key changed.

    `mapping_since`: when the mapping in force was applied; None: it came with the deployment.
    """

    app: App
    look: bool
    mapping_since: datetime | None

    async def all(self, letters: AsyncIterator[tuple[DeadLetter, bytes]]) -> AsyncGenerator[Forecast, None]:
        """Each with the body that would be sent. Raises Outcome where every letter would meet the same fault."""
        chunk: list[tuple[DeadLetter, bytes]] = []
        async for one in letters:
            chunk.append(one)
            if len(chunk) == AT_ONCE:
                for forecast in await asyncio.gather(*(self.one(*pair) for pair in chunk)):
                    yield forecast
                chunk = []
        for forecast in await asyncio.gather(*(self.one(*pair) for pair in chunk)):
            yield forecast

    async def one(self, letter: DeadLetter, body: bytes) -> Forecast:
        """Writes nothing."""
        if letter.lane is None:
            return _of(letter, "still_failing", "It names no lane, so nobody knows where to send it: discard it.")
        lane = lane_for(letter, body if body != letter.body else None)
        if isinstance(readable(body), PageOrder):
            return _of(letter, "unknown", "A page of a resync; `bridge resync resume` orders it anew.")
        if lane not in REHEARSED:
            return _of(letter, "unknown", f"Work of the lane {lane} is not rehearsed.")
        try:
            if lane is Lane.TIMELINE:
                return await self._facts(letter, decode_facts(body))
            return await self._hint(letter, decode_hint(body), lane)
        except UnreadableError as error:
            return _of(letter, "still_failing", f"{Reason.MALFORMED.meaning} ({error})", Reason.MALFORMED)
        except UnmappedTableError:
            return _of(letter, "already_settled", Reason.NOT_MAPPED.meaning, Reason.NOT_MAPPED)
        except Retry as outcome:
            return _of(letter, "unknown", said(outcome), outcome.reason)

    async def _hint(self, letter: DeadLetter, hint: Hint, lane: Lane) -> Forecast:
        if lane is Lane.OPTOUT and hint.record.table != CONTACT:
            return _of(letter, "unknown", f"Hints about {hint.record.table} are not rehearsed in this lane.")
        evidence, rehearsal = await self._rehearsed(hint, lane, look=False)
        if rehearsal.ending == "open" and self.look:
            evidence, rehearsal = await self._rehearsed(hint, lane, look=True)
        if self._refused_as_before(letter, evidence, rehearsal):
            words = "The row and the mapping are as they were when it was refused."
            return _of(letter, "still_failing", words, letter.reason, rehearsal.calls)
        if letter.reason == Reason.HIDDEN.slug and _verdict(rehearsal) == "would_apply":
            return _of(letter, "unknown", f"{Reason.HIDDEN.meaning} {ONLY_A_WRITE}", Reason.HIDDEN, rehearsal.calls)
        return _of(letter, _verdict(rehearsal), _because(rehearsal, evidence), rehearsal.reason, rehearsal.calls)

    async def _rehearsed(self, hint: Hint, lane: Lane, *, look: bool) -> tuple[Evidence, Rehearsal]:
        """As the engine takes a replayed hint: its patience starts anew."""
        evidence = await gather(self.app.ports, hint.record, look=look)
        replayed = replace(hint, first_seen=evidence.now)
        return evidence, await rehearse(self.app.ports, evidence, hint.why, replayed, lane)

    def _refused_as_before(self, letter: DeadLetter, evidence: Evidence, rehearsal: Rehearsal) -> bool:
        """A rehearsal cannot ask for a refusal; whether anything has changed since can be told."""
        if letter.reason not in REFUSALS or letter.enqueued_at is None or evidence.contact is None:
            return False
        changed = evidence.contact.modified_on > letter.enqueued_at
        remapped = self.mapping_since is not None and self.mapping_since > letter.enqueued_at
        return _verdict(rehearsal) == "would_apply" and not changed and not remapped

    async def _facts(self, letter: DeadLetter, chunk: FactChunk) -> Forecast:
        """What is in the timeline already is not asked for: a second write finds it by its id and changes nothing."""
        if letter.reason == Reason.ACTIVITY_REFUSED.slug:
            return _of(letter, "unknown", f"{Reason.ACTIVITY_REFUSED.meaning} {ONLY_A_WRITE}")
        ports = self.app.ports
        shown = [fact for fact in chunk.facts if engagement.decide(fact, ports.timeline, ports.clock.now())]
        if not shown:
            return _of(letter, "already_settled", Reason.NOT_SHOWN.meaning, Reason.NOT_SHOWN)
        wanted = sorted({fact.contact_id for fact in shown})
        found = await ports.dynamics.read_many(CONTACT, wanted)
        missing = len(set(wanted) - found.keys())
        if missing == len(wanted):
            return _of(letter, "would_wait", Reason.NO_CONTACT.meaning, Reason.NO_CONTACT)
        words = f"{len(shown)} e-mail events; those in the timeline already are not written twice."
        if missing:
            words += f" {missing} of {len(wanted)} contacts are not in Dynamics (yet); their events wait."
        return _of(letter, "would_apply", words, Reason.RECORDED)


def _because(rehearsal: Rehearsal, evidence: Evidence) -> str:
    """With the hints that would follow, and with what a record waits for."""
    follow = [step.order for step in rehearsal.steps if step.order.startswith("send ")]
    words = " Then: ".join([rehearsal.meaning, *follow])
    if rehearsal.reason != Reason.PARENT_MISSING.slug:
        return words
    missing = [f"{one.record or one.link.parent}: {one.missing}" for one in evidence.kin.parents if one.missing]
    return f"{words} ({'; '.join(missing)})"


def _verdict(rehearsal: Rehearsal) -> Verdict:
    match rehearsal.ending:
        case "settled":
            return "would_apply" if rehearsal.reason in APPLIED else "already_settled"
        case "later":
            return "would_wait"
        case "parked" | "halted":
            return "still_failing"
        case _:
            return "unknown"


def _of(
    letter: DeadLetter, verdict: Verdict, because: str, reason: Reason | str | None = None, calls: int = 0
) -> Forecast:
    slug = reason.slug if isinstance(reason, Reason) else reason
    return Forecast(line(letter), verdict, because, slug, calls)
