"""`bridge explain`: why a record is as it is, and what the bridge would do with it now."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

import typer

from cli import screen
from cli.commands import explain_view
from cli.execution import ORDER, Execution, execute
from cli.explanation import Explanation, explain, gather
from cli.failures import FAILED
from cli.rehearsal import Rehearsal, rehearse
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import Why

app = typer.Typer(no_args_is_help=True, help="Why a record is as it is, and what the bridge would do with it now.")
GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


@dataclass(frozen=True)
class Answer:
    """Both sides, what each kind of hint would lead to, and, if it was asked for, how the real work ended."""

    explanation: Explanation
    hints: tuple[Rehearsal, ...]
    performed: tuple[Execution, ...] | None = None


@app.callback()
def kinds() -> None:
    """Makes `contact` a word of its own; other kinds of record may join it."""


@app.command()
def contact(
    ctx: typer.Context,
    contact_id: Annotated[str, typer.Argument(metavar="ID", help="The contact's id in Dynamics, a GUID.")],
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="Read the profile from Campaign: one engine call.")
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
    """Show both sides of one contact, the ledger, the opt-out rule, and what a hint would lead to now.

    Example: [bold]bridge explain contact 0f8fad5b-d9cb-469f-a165-70867728950e --no-look[/bold]

    Writes nothing, unless [bold]--perform[/bold] is given: then this process does what a worker does with a verify and
    an optout hint, and exits with 1 unless both are settled.
    """
    checked = _checked(contact_id)
    if yes and not perform:
        raise typer.BadParameter("there is nothing to ask about without --perform", param_hint="--yes")
    if look:
        screen.tell("Reading the profile costs one engine call; --no-look does without.")
    order = _Order(checked, look, show_values, perform, yes, as_json)
    answer = run(ctx, settings, lambda opened: _answer(opened, order))
    if as_json:
        screen.emit(answer)
    if not all(one.settled for one in answer.performed or ()):
        raise typer.Exit(FAILED)


@dataclass(frozen=True)
class _Order:
    """What was asked for."""

    contact_id: str
    look: bool
    show_values: bool
    perform: bool
    yes: bool
    as_json: bool


async def _answer(opened: App, order: _Order) -> Answer:
    """For people each part is shown as soon as it is there: what is to be performed before it is."""
    evidence = await gather(opened.ports, order.contact_id, look=order.look)
    hints = tuple([await rehearse(opened.ports, evidence, why) for why in Why])
    answer = Answer(explain(evidence, show_values=order.show_values), hints)
    if not order.as_json:
        screen.show(*explain_view.tables(answer.explanation, answer.hints))
    if not order.perform:
        return answer
    if not order.yes:
        typer.confirm(f"Perform {' and '.join(ORDER)} now, on both real systems?", abort=True, err=True)
    done = await execute(opened, order.contact_id)
    if not order.as_json:
        screen.show(*explain_view.executions(done))
    return replace(answer, performed=done)


def _checked(contact_id: str) -> str:
    if not GUID.fullmatch(contact_id.strip()):
        raise typer.BadParameter("a contact's id looks like 0f8fad5b-d9cb-469f-a165-70867728950e", param_hint="ID")
    return str(UUID(contact_id.strip()))
