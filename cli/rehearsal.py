"""What a hint would lead to now: the engine's own steps, before stand-ins that answer from what was read and only note.

The flows' `decide` functions are asked by the same code that works on messages, so a rehearsal cannot drift from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cli.evidence import Evidence
from cli.stand_ins import Step, Unread, stand_ins
from shared.domain.change import CONTACT, Hint, Lane, Source, Why
from shared.engine import optouts
from shared.engine.alignment import Turn
from shared.errors import Drop, Halt, Outcome, Park, Reason
from shared.ports import Ports

Ending = Literal["settled", "later", "parked", "halted", "open"]


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


def kinds(table: str) -> tuple[Why, ...]:
    """The hints that a record of the table can have: only contacts have opt-outs."""
    return tuple(why for why in Why if table == CONTACT or why is not Why.OPTOUT)


async def rehearse(
    ports: Ports, evidence: Evidence, why: Why, hint: Hint | None = None, lane: Lane | None = None
) -> Rehearsal:
    """Calls nobody and writes nothing. `ports` gives clock and timings. `hint`: a certain one; `lane`: see `work`."""
    steps: list[Step] = []
    try:
        reason = await work(stand_ins(ports, evidence, steps), hint or _hint(evidence, why), lane)
    except Unread as unread:
        return Rehearsal(why, tuple(steps), "open", None, str(unread))
    except Outcome as outcome:
        return Rehearsal(why, tuple(steps), ending(outcome), outcome.reason.slug, outcome.reason.meaning)
    return Rehearsal(why, tuple(steps), "settled", reason.slug, reason.meaning)


async def work(ports: Ports, hint: Hint, lane: Lane | None = None) -> Reason:
    """What the engine does with a hint that is delivered for the first time. Raises Outcome.

    `lane`: the one that delivers it; a retry stays in its lane though it has become a verify.
    """
    if (lane or hint.lane) is Lane.OPTOUT:
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
