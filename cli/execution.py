"""A hint carried out here and now by the engine's own steps, on the real systems, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from cli.failures import remedy, said
from cli.rehearsal import Ending, ending, work
from shared import priority
from shared.app import App
from shared.domain.change import CONTACT, Hint, Lane, RecordKey, Source, Why
from shared.errors import Outcome
from shared.ports import BusUnavailableError
from shared.priority import Priority

# A verify trusts nothing, and a deletion it does only on another's witness: a command's own word must not be one.
_ORDER = (Why.VERIFY, Why.OPTOUT)


@dataclass(frozen=True)
class Execution:
    """How it ended. `reason` None: the broker did not take a hint that followed. `calls`: engine calls made.

    `detail`: ids, field names and codes. `after_s`: when another try has a chance, where the failure says so.
    """

    why: Why
    ending: Ending
    reason: str | None
    meaning: str
    calls: int
    detail: str | None = None
    remedy: str | None = None
    after_s: float | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.ending == "settled"


def order(table: str) -> tuple[Why, ...]:
    """What is carried out for a record of the table: only contacts have opt-outs."""
    return _ORDER if table == CONTACT else _ORDER[:1]


async def execute(app: App, key: RecordKey) -> tuple[Execution, ...]:
    """One hint after the other; how the one ends does not stop the next."""
    return tuple([await _execute(app, key, why) for why in order(key.table)])


async def _execute(app: App, key: RecordKey, why: Why) -> Execution:
    name = f"cli/{why}/{app.ports.random.getrandbits(64):016x}"
    hint = Hint(name, key, why, Source.CLI, app.ports.clock.now())
    before = app.campaign.engine_calls
    try:
        with priority.of(Priority.FIRST if hint.lane is Lane.OPTOUT else Priority.NORMAL):
            reason = await work(app.ports, hint)
    except Outcome as outcome:
        return _failed(why, outcome, app.campaign.engine_calls - before)
    except BusUnavailableError as error:
        calls = app.campaign.engine_calls - before
        return Execution(why, "later", None, said(error), calls, remedy=remedy(error))
    return Execution(why, "settled", reason.slug, reason.meaning, app.campaign.engine_calls - before)


def _failed(why: Why, outcome: Outcome, calls: int) -> Execution:
    reason, how = outcome.reason, ending(outcome)
    advice = None if how == "settled" else remedy(outcome)
    return Execution(why, how, reason.slug, reason.meaning, calls, outcome.detail or None, advice, outcome.after_s)
