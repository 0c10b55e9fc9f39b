"""`bridge explain`: why a record is as it is, and what the bridge would do with it now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from cli import screen
from cli.commands.explain_view import tables
from cli.explanation import Explanation, explain, gather
from cli.rehearsal import Rehearsal, rehearse
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import Why

app = typer.Typer(no_args_is_help=True, help="Why a record is as it is, and what the bridge would do with it now.")
GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


@dataclass(frozen=True)
class Answer:
    """Both sides, and what each kind of hint would lead to."""

    explanation: Explanation
    hints: tuple[Rehearsal, ...]


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
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show both sides of one contact, the ledger, the opt-out rule, and what a hint would lead to now. Writes nothing.

    Example: [bold]bridge explain contact 0f8fad5b-d9cb-469f-a165-70867728950e --no-look[/bold]
    """
    checked = _checked(contact_id)
    if look:
        screen.tell("Reading the profile costs one engine call; --no-look does without.")
    answer = run(ctx, settings, lambda opened: _answer(opened, checked, look=look, show_values=show_values))
    if as_json:
        return screen.emit(answer)
    screen.show(*tables(answer.explanation, answer.hints))


async def _answer(opened: App, contact_id: str, *, look: bool, show_values: bool) -> Answer:
    evidence = await gather(opened.ports, contact_id, look=look)
    hints = [await rehearse(opened.ports, evidence, why) for why in Why]
    return Answer(explain(evidence, show_values=show_values), tuple(hints))


def _checked(contact_id: str) -> str:
    if not GUID.fullmatch(contact_id.strip()):
        raise typer.BadParameter("a contact's id looks like 0f8fad5b-d9cb-469f-a165-70867728950e", param_hint="ID")
    return str(UUID(contact_id.strip()))
