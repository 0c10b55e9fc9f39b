"""Runs in the audit log: begun, ended, and those that never ended and can go on."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cli.deadletters.choice import Choice, boxes
from cli.deadletters.plan import Plan
from cli.deadletters.run import Orders, Report
from cli.failures import said
from shared.errors import Outcome
from shared.stores.letter import Box
from shared.stores.letter_desk import Action, LetterDesk

ENDED = "ended"
DAYS = 30


class UnknownRunError(LookupError):
    """There is no such run to go on with."""


@dataclass(frozen=True)
class Begun:
    """A replay as the audit log has it."""

    run: str
    why: str
    choice: Choice
    horizon: Mapping[Box, int]
    rate: float | None
    canary: bool

    def orders(self, canary_s: float) -> Orders:
        """To go on as it was begun."""
        return Orders(self.run, self.rate, self.canary, canary_s)


def operator() -> str:
    """Who sits at this computer."""
    return getpass.getuser()


async def begin(desk: LetterDesk, plan: Plan, orders: Orders, why: str, *, resumed: bool) -> None:
    """Before anything is touched: what cannot be written down is not done. Raises Retry."""
    detail = {
        "choice": plan.choice.document(),
        "horizon": {str(box): last for box, last in plan.horizon.items()},
        "chosen": plan.count,
        "rate": orders.rate,
        "canary": orders.canary,
        "resumed": resumed,
    }
    await desk.record(operator(), plan.verb, why, run=orders.run, detail=detail)


async def end(desk: LetterDesk, report: Report) -> Report:
    """The report, which says if the log did not take its last line. A run that broke has not ended: it can go on."""
    detail: dict[str, Any] = {
        "chosen": report.chosen,
        "done": report.done,
        "gone": report.gone,
        "left": report.left,
        "refused": report.refused,
        "new_failures": sum(group.count for group in report.new_failures),
        "stopped": report.stopped,
        "failure": report.failure,
    }
    if report.failure is not None:
        return report
    try:
        await desk.record(operator(), f"{report.verb} {ENDED}", "", run=report.run, detail=detail)
    except Outcome as outcome:
        return replace(report, failure=f"the end is not in the audit log: {said(outcome)}")
    return report


async def unfinished(desk: LetterDesk, run: str | None) -> Begun:
    """The last replay that did not end, or the one named. Raises UnknownRunError, Retry."""
    begun: dict[str, Action] = {}
    async for action in desk.actions(DAYS):
        if action.run is not None and action.what == "replay":
            begun[action.run] = action
        elif action.run is not None:
            begun.pop(action.run, None)
    found = list(begun.values())[-1] if begun and run is None else begun.get(run or "")
    if found is None:
        name = "no replay" if run is None else f"no replay {run}"
        raise UnknownRunError(f"{name} of the last {DAYS} days is unfinished")
    return _begun(found)


def _begun(action: Action) -> Begun:
    known = {str(box): box for box in boxes()}
    detail = action.detail
    return Begun(
        run=action.run or "",
        why=action.why,
        choice=Choice.from_document(detail["choice"]),
        horizon={known[name]: last for name, last in detail["horizon"].items() if name in known},
        rate=detail["rate"],
        canary=detail["canary"],
    )
