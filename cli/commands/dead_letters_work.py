"""`bridge deadletters replay` and `discard`: forecast, confirmed, carried out, and gone on with."""

from __future__ import annotations

import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import screen
from cli.commands import dead_letters_view
from cli.commands.dead_letter_options import (
    Asked,
    DryRun,
    Everything,
    Ids,
    InPlace,
    Newer,
    OfGroup,
    OfLane,
    OfReason,
    OfRecord,
    OfTable,
    Older,
    Why,
    Yes,
    asked,
    narrowed,
    required,
)
from cli.deadletters.audit import UnknownRunError, begin, end, unfinished
from cli.deadletters.choice import Choice
from cli.deadletters.export import write_json
from cli.deadletters.forecast import Forecast, Forecaster
from cli.deadletters.listing import waiting
from cli.deadletters.plan import Plan, Verb, plan
from cli.deadletters.posting import Posting
from cli.deadletters.run import Orders, Report, Run
from cli.failures import FAILED
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.stores.letter import DeadLetter
from shared.stores.mapping_entry import UnreadableEntryError


@dataclass(frozen=True)
class Manner:
    """How the command was asked to go about it."""

    orders: Orders
    why: str
    dry_run: bool
    look: bool
    yes: bool
    as_json: bool


def replay(
    ctx: typer.Context,
    group: OfGroup = None,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    table: OfTable = None,
    record: OfRecord = None,
    older: Older = None,
    newer: Newer = None,
    ids: Ids = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    no_look: Annotated[bool, typer.Option("--no-look", help="--dry-run without any engine call.")] = False,
    canary: Annotated[bool, typer.Option("--canary", help="1, then 10, then the rest; stop on failures.")] = False,
    canary_s: Annotated[float, typer.Option("--canary-wait", min=1, help="Seconds for a canary to be settled.")] = 120,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, metavar="N", help="At most N a second.")] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was interrupted; or `last`.")
    ] = None,
    why: Why = "",
    yes: Yes = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Send messages to their lanes again. A copy is sent first, and only when it is durable the original is removed.

    A message is a hint to look, so a replay does harm neither late nor twice: over newer data it changes nothing.

    Example: [bold]bridge deadletters replay --reason refused_email --canary --why "addresses corrected"[/bold]
    """
    manner = Manner(Orders(_run_id(), rate, canary, canary_s), why.strip(), dry_run, not no_look, yes, as_json)
    which = asked(group, lane, reason, place, table, record, older, newer, ids)
    if resume is None:
        which = narrowed(which, everything=everything)
        return run(ctx, settings, lambda opened: _begun(opened, "replay", which, manner))
    if which != Asked() or everything or dry_run:
        raise typer.BadParameter("a run goes on with the messages it was begun for", param_hint="--resume")
    return run(ctx, settings, lambda opened: _resumed(opened, resume, manner))


def discard(
    ctx: typer.Context,
    group: OfGroup = None,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    table: OfTable = None,
    record: OfRecord = None,
    older: Older = None,
    newer: Newer = None,
    ids: Ids = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    why: Why = "",
    yes: Yes = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove messages for good, without a copy: what is malformed, or settled by other means. Needs --why.

    Example: [bold]bridge deadletters discard --reason malformed --why "an old test of ours"[/bold]
    """
    which = asked(group, lane, reason, place, table, record, older, newer, ids)
    which = narrowed(which, everything=everything)
    if not dry_run:
        required(why, "what is discarded is gone, and the audit log keeps the reason")
    manner = Manner(Orders(_run_id()), why.strip(), dry_run, False, yes, as_json)
    run(ctx, settings, lambda opened: _begun(opened, "discard", which, manner))


def _run_id() -> str:
    return uuid.uuid4().hex[:12]


async def _begun(opened: App, verb: Verb, which: Asked, manner: Manner) -> None:
    if manner.yes and not manner.dry_run:
        required(manner.why, "nobody is asked, and the audit log keeps the reason")
    choice = which.at(opened.ports.clock.now())
    made = await plan(opened.dead_letters, verb, choice)
    if made.doubled:
        raise typer.BadParameter("one number is that of two messages, dead and parked: add --place", param_hint="--ids")
    if manner.dry_run:
        return await _forecast(opened, made, manner)
    if not made.count:
        screen.tell("No message that waits is one of these.")
    elif not manner.yes:
        manner = _confirmed(made, manner)
    await begin(opened.letter_desk, made, manner.orders, manner.why, resumed=False)
    await _carry_out(opened, made, manner.orders, as_json=manner.as_json)


async def _resumed(opened: App, name: str, manner: Manner) -> None:
    try:
        begun = await unfinished(opened.letter_desk, None if name == "last" else name)
    except UnknownRunError as error:
        raise typer.BadParameter(f"{error}; `bridge deadletters audit` lists them", param_hint="--resume") from None
    orders = begun.orders(manner.orders.canary_s)
    made = await plan(opened.dead_letters, "replay", begun.choice, begun.horizon)
    screen.tell(f"Run {begun.run}: {screen.count(made.count, 'message')} left.")
    if made.count and not manner.yes:
        _confirm(made)
    await begin(opened.letter_desk, made, orders, begun.why, resumed=True)
    await _carry_out(opened, made, orders, as_json=manner.as_json)


def _confirmed(made: Plan, manner: Manner) -> Manner:
    """Whoever sits at the terminal is asked why, too: the audit log should tell others."""
    why = manner.why or typer.prompt("Why (for the audit log)", err=True)
    _confirm(made)
    return replace(manner, why=why.strip())


def _confirm(made: Plan) -> None:
    lanes = ", ".join(f"{lane}: {count}" for lane, count in sorted(made.lanes.items()))
    typer.confirm(f"{made.verb.capitalize()} {made.count} ({lanes})?", abort=True, err=True)


async def _carry_out(opened: App, made: Plan, orders: Orders, *, as_json: bool) -> None:
    edited = await opened.letter_desk.edited() if made.verb == "replay" else frozenset[str]()
    posting = Posting(opened.letter_desk, edited, orders.run)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(made.verb, total=made.count)
        working = Run(opened, made, orders, posting, lambda more: progress.advance(task, more), screen.tell)
        report = await end(opened.letter_desk, await working.carry_out())
    _tell(report, as_json=as_json)


def _tell(report: Report, *, as_json: bool) -> None:
    screen.emit(report) if as_json else screen.show(*dead_letters_view.report(report))
    if not report.complete:
        raise typer.Exit(FAILED)


async def _forecast(opened: App, made: Plan, manner: Manner) -> None:
    if made.verb == "discard":
        report = dead_letters_view.Discarding(made.verb, True, made.count, dict(sorted(made.lanes.items())))
        return screen.emit(report) if manner.as_json else screen.show(*dead_letters_view.discarding(report))
    forecaster = Forecaster(opened, manner.look, await _mapping_since(opened))
    before, found = opened.campaign.engine_calls, Counter[str]()
    forecasts = _counted(forecaster.all(_as_sent(opened, made.choice)), found)
    if manner.as_json:
        await write_json(sys.stdout, forecasts)
    else:
        await dead_letters_view.forecasts(forecasts, found)
    screen.tell(f"{screen.count(opened.campaign.engine_calls - before, 'engine call')} made. Nothing was changed.")


async def _mapping_since(opened: App) -> datetime | None:
    """A version that cannot be read is not in force: the one before stays, and nobody says since when."""
    try:
        current = await opened.mappings.current()
    except UnreadableEntryError:
        return None
    return current.applied_at if current else None


async def _as_sent(opened: App, choice: Choice) -> AsyncIterator[tuple[DeadLetter, bytes]]:
    posting = Posting(opened.letter_desk, await opened.letter_desk.edited(), "")
    async for letter in waiting(opened.dead_letters, choice):
        yield letter, await posting.body(letter)


async def _counted(forecasts: AsyncIterator[Forecast], found: Counter[str]) -> AsyncIterator[Forecast]:
    async for forecast in forecasts:
        found[forecast.verdict] += 1
        yield forecast
