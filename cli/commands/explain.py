"""`bridge explain`: why a record is as it is, and what the bridge would do with it now."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

import typer

from cli import screen
from cli.commands import explain_view
from cli.evidence import gather
from cli.execution import Execution, execute, order
from cli.explanation import Explanation
from cli.explanation import explain as explained
from cli.failures import FAILED
from cli.rehearsal import Rehearsal, kinds, rehearse
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import CONTACT, RecordKey

GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


@dataclass(frozen=True)
class Answer:
    """Both sides, what each kind of hint would lead to, and, if it was asked for, how the real work ended."""

    explanation: Explanation
    hints: tuple[Rehearsal, ...]
    performed: tuple[Execution, ...] | None = None


def explain(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="contact, or another table of the mapping.")],
    record_id: Annotated[str, typer.Argument(metavar="ID", help="The row's id in Dynamics, a GUID.")],
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="Read the record from Campaign: one engine call.")
    ] = True,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show the fields' values: personal data, on your screen.")
    ] = False,
    perform: Annotated[
        bool, typer.Option("--perform", help="Then bring both sides into line for real, and say how it ended.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before performing.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show both sides of one record, the ledger, its parents or opt-outs, and what a hint would lead to now.

    Example: [bold]bridge explain contact 0f8fad5b-d9cb-469f-a165-70867728950e --no-look[/bold]

    Writes nothing, unless [bold]--perform[/bold] is given: then this process does what a worker does with a verify hint
    (and, of a contact, an optout hint), and exits with 1 unless all is settled.
    """
    key = RecordKey(table, _checked(table, record_id))
    if yes and not perform:
        raise typer.BadParameter("there is nothing to ask about without --perform", param_hint="--yes")
    if look:
        what = "profile" if table == CONTACT else "record"
        screen.tell(f"Reading the {what} costs one engine call; --no-look does without.")
    wanted = _Wanted(key, look, show_values, perform, yes, as_json)
    answer = run(ctx, settings, lambda opened: _answer(opened, wanted))
    if as_json:
        screen.emit(answer)
    if not all(one.settled for one in answer.performed or ()):
        raise typer.Exit(FAILED)


@dataclass(frozen=True)
class _Wanted:
    """What was asked for."""

    key: RecordKey
    look: bool
    show_values: bool
    perform: bool
    yes: bool
    as_json: bool


async def _answer(opened: App, wanted: _Wanted) -> Answer:
    """For people each part is shown as soon as it is there: what is to be performed before it is."""
    evidence = await gather(opened.ports, wanted.key, look=wanted.look)
    hints = tuple([await rehearse(opened.ports, evidence, why) for why in kinds(wanted.key.table)])
    answer = Answer(explained(evidence, show_values=wanted.show_values), hints)
    if not wanted.as_json:
        screen.show(*explain_view.tables(answer.explanation, answer.hints))
    if not wanted.perform:
        return answer
    if not wanted.yes:
        what = " and ".join(order(wanted.key.table))
        typer.confirm(f"Perform {what} now, on both real systems?", abort=True, err=True)
    done = await execute(opened, wanted.key)
    if not wanted.as_json:
        screen.show(*explain_view.executions(done))
    return replace(answer, performed=done)


def _checked(table: str, record_id: str) -> str:
    if not GUID.fullmatch(record_id.strip()):
        what = "a contact's" if table == CONTACT else "a row's"
        raise typer.BadParameter(f"{what} id looks like 0f8fad5b-d9cb-469f-a165-70867728950e", param_hint="ID")
    return str(UUID(record_id.strip()))
