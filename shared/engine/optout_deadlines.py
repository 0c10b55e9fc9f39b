"""The watch on deadlines: opt-outs that wait for longer than their regulation gives, and are not in both systems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.change import Hint
from shared.domain.contact import OLDEST
from shared.domain.mapping import OptOutPair
from shared.domain.optout import Configuration, OptOutRules
from shared.engine import optouts
from shared.errors import Outcome, Reason
from shared.flows import optout
from shared.flows.optout import Verdict
from shared.ports import Ports
from shared.wire import UnreadableError, decode_hint

MOST_LOOKED_AT = 200  # one engine call each; a run that finds more says so
MOST_TOLD = 20


@dataclass
class Watch:
    """What one run saw. `overdue`: contacts with an opt-out past its deadline; `unseen`: old ones not looked at."""

    waiting: int = 0
    overdue: int = 0
    unseen: int = 0


async def run(ports: Ports) -> Watch:
    """Raises alarms. Whatever is not settled waits in a queue, so the queues are all that needs watching.

    Raises BusUnavailableError.
    """
    watch, mapping = Watch(), ports.mappings().contact
    rules = mapping.opt_out_rules
    if not rules.regulations or not mapping.opt_outs or rules.configuration is Configuration.DISABLED:
        return watch
    soonest = min(_given(rules, pair) for pair in mapping.opt_outs)
    oldest = await _oldest(ports, watch)
    late = [hint for hint in oldest.values() if ports.clock.now() - _since(hint) >= soonest]
    watch.unseen = len(late[MOST_LOOKED_AT:])
    for hint in sorted(late, key=_since)[:MOST_LOOKED_AT]:
        if problem := await _problem(ports, hint):
            watch.overdue += 1
            if watch.overdue <= MOST_TOLD:
                ports.telemetry.alarm("optout_deadlines", Reason.OPT_OUT_OVERDUE, f"{hint.record}: {problem}")
    if untold := watch.unseen + max(0, watch.overdue - MOST_TOLD):
        ports.telemetry.alarm("optout_deadlines", Reason.OPT_OUT_OVERDUE, f"and {untold} more contacts")
    return watch


async def _oldest(ports: Ports, watch: Watch) -> dict[str, Hint]:
    """By contact the hint that has waited longest."""
    oldest: dict[str, Hint] = {}
    async for body in ports.waiting_opt_outs.bodies():
        watch.waiting += 1
        try:
            hint = decode_hint(body)
        except UnreadableError:
            continue  # parked or about to be, with a reason of its own
        key = hint.record.id
        if key not in oldest or _since(hint) < _since(oldest[key]):
            oldest[key] = hint
    return oldest


def _since(hint: Hint) -> datetime:
    """When it was said, as far as the announcement tells; replaying a message does not set this back."""
    return min(hint.first_seen, hint.changed_at or hint.first_seen)


async def _problem(ports: Ports, hint: Hint) -> str:
    """What is not in both systems; empty: nothing. What cannot be looked at counts as a problem."""
    try:
        sides = await optouts.look(ports, hint)
    except Outcome as outcome:
        return f"waits since {_since(hint):%Y-%m-%d} and cannot be looked at ({outcome.reason.slug})"
    late = [] if sides is None else [v for v in optout.missing(optout.verdicts(sides)) if _is_late(ports, hint, v)]
    return ", ".join(_words(ports.mappings().contact.opt_out_rules, verdict) for verdict in late)


def _is_late(ports: Ports, hint: Hint, verdict: Verdict) -> bool:
    said_at = verdict.campaign.at if verdict.campaign.value and verdict.campaign.at > OLDEST else _since(hint)
    given = _given(ports.mappings().contact.opt_out_rules, verdict.pair)
    return ports.clock.now() - min(said_at, _since(hint)) >= given


def _given(rules: OptOutRules, pair: OptOutPair) -> timedelta:
    return timedelta(days=rules.deadline(pair.regulation)[1])


def _words(rules: OptOutRules, verdict: Verdict) -> str:
    lacking = "Dynamics" if verdict.to_dynamics else "Campaign"
    name, days = rules.deadline(verdict.pair.regulation)
    return f"{verdict.pair.attribute} is not in {lacking} after {days} days ({name})"
