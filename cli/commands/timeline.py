"""`bridge timeline`: what a contact's timeline in Dynamics shows."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import screen
from cli.failures import USAGE
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.clients.dynamics.wire_timeline import Entry


def timeline(
    ctx: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id.")],
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the activities and tasks that regard a contact, the latest first. Changes nothing.

    Example: [bold]bridge timeline 5e08399a-1398-4784-943a-3503743d34e7[/bold]
    """

    async def work(opened: App) -> list[Entry]:
        return await opened.dynamics.timeline(contact)

    try:
        found = run(ctx, settings, work)
    except ValueError as error:
        screen.complain(str(error), remedy="Copy it from the contact's address in Dynamics.")
        raise typer.Exit(USAGE) from None
    if as_json:
        return screen.emit(found)
    if not found:
        return screen.show(f"Nothing regards the contact {contact}.")
    rows = ((_when(entry), entry.kind, entry.state, entry.subject) for entry in found)
    return screen.show(screen.table(f"Timeline of {contact}", ("When", "Kind", "State", "Subject"), rows, firm=3))


def _when(entry: Entry) -> str:
    """What is open has no time at which it happened."""
    return screen.text(entry.at) if entry.at or not entry.due else f"due {entry.due:%Y-%m-%d}"
