"""What a replay of each letter would lead to now: the engine's own decision, rehearsed on what both sides show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cli.deadletters.view import Line, line
from cli.explanation import Evidence, gather
from cli.failures import said
from cli.rehearsal import Rehearsal, rehearse
from shared.app import App
from shared.domain.change import Hint, Lane
from shared.domain.fact import FactChunk
from shared.errors import Reason, Retry
from shared.stores.letter import DeadLetter
from shared.wire import UnreadableError, decode

Verdict = Literal["would_apply", "already_settled", "still_failing", "would_wait", "unknown"]
# Letters of this many are looked at together: their rows share a read.
AT_ONCE = 50
HINT_LANES = (Lane.CONTACT_UPSERT, Lane.CONTACT_DELETE, Lane.OPTOUT)
APPLIED = {Reason.WRITTEN.slug, Reason.REREAD.slug, Reason.FLAGS_REMEMBERED.slug}
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
    """`look`: ask Campaign where the decision depends on it, one engine call each.

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
        if letter.lane not in (*HINT_LANES, Lane.TIMELINE):
            return _of(letter, "unknown", f"Work of the lane {letter.lane} is not rehearsed.")
        try:
            message = decode(body)
        except UnreadableError as error:
            return _of(letter, "still_failing", f"{Reason.MALFORMED.meaning} ({error})", Reason.MALFORMED)
        try:
            if isinstance(message, Hint):
                return await self._hint(letter, message)
            return await self._facts(letter, message)
        except Retry as outcome:
            return _of(letter, "unknown", said(outcome), outcome.reason)

    async def _hint(self, letter: DeadLetter, hint: Hint) -> Forecast:
        await self.app.ports.refresh_mapping()
        if letter.lane is Lane.TIMELINE or hint.record.table != self.app.ports.mapping().table:
            return _of(letter, "unknown", f"Hints about {hint.record.table} are not rehearsed in this lane.")
        evidence = await gather(self.app.ports, hint.record.id, look=False)
        rehearsal = await rehearse(self.app.ports, evidence, hint.why, hint)
        if rehearsal.ending == "open" and self.look:
            evidence = await gather(self.app.ports, hint.record.id, look=True)
            rehearsal = await rehearse(self.app.ports, evidence, hint.why, hint)
        if self._refused_as_before(letter, evidence, rehearsal):
            words = "The row and the mapping are as they were when it was refused."
            return _of(letter, "still_failing", words, letter.reason, rehearsal.calls)
        follow = [step.order for step in rehearsal.steps if step.order.startswith("send a hint")]
        words = " Then: ".join([rehearsal.meaning, *follow])
        return _of(letter, _verdict(rehearsal), words, rehearsal.reason, rehearsal.calls)

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
            return _of(
                letter, "unknown", f"{Reason.ACTIVITY_REFUSED.meaning} Only a write can tell whether it still does."
            )
        wanted = sorted({fact.contact_id for fact in chunk.facts})
        found = await self.app.ports.dynamics.contacts(wanted)
        missing = len(set(wanted) - found.keys())
        if missing == len(wanted):
            return _of(letter, "would_wait", Reason.NO_CONTACT.meaning, Reason.NO_CONTACT)
        words = f"{len(chunk.facts)} e-mail events; those in the timeline already are not written twice."
        if missing:
            words += f" {missing} of {len(wanted)} contacts are not in Dynamics (yet); their events wait."
        return _of(letter, "would_apply", words, Reason.RECORDED)


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
