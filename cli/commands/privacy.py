"""`bridge privacy`: the privacy requests that Campaign has not ended yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from cli import screen
from cli.commands import privacy_view
from cli.failures import FAILED
from cli.privacy_list import pending
from cli.wiring import AsJson, SettingsFile, run

app = typer.Typer(no_args_is_help=True, help="Privacy requests that Campaign has not ended yet.")
LATE_DAYS = 3.0


@app.callback()
def kinds() -> None:
    """Makes `list` a word of its own."""


@app.command("list")
def list_(
    ctx: typer.Context,
    late: Annotated[
        float, typer.Option("--late", metavar="DAYS", min=0, help="Exit with 1 when one has waited for longer.")
    ] = LATE_DAYS,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Every privacy request that has not ended: since when, what Campaign says of it, what it waits for. Only looks.

    Example: [bold]bridge privacy list --late 2[/bold]

    Reading Campaign's list of requests is one engine call a page of 200, however many wait.
    """
    found = run(ctx, settings, lambda opened: pending(opened, timedelta(days=late)))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*privacy_view.lines(found))
    if found.late:
        screen.complain(
            f"{found.late} waiting for longer than {late:g} days",
            remedy="Confirm those that wait for a person; for the others look at Campaign's technical workflows.",
        )
        raise typer.Exit(FAILED)
