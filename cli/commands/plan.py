"""`bridge plan`: what a first load of a table would do, before it is begun."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from cli import screen
from cli.commands import plan_view
from cli.first_load import Choice, FirstLoad
from cli.first_load import plan as planned
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App

MOST_ROWS = 500


def plan(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="contact, or another table of the mapping.")],
    sample: Annotated[int, typer.Option("--sample", min=1, max=MOST_ROWS, help="Rows to try.")] = 50,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", min=0.01, help="Engine calls a second. Default: as measured."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", metavar="N", min=0, help="How many rows there are: Dataverse counts to 5,000 only."),
    ] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what a first load of a table would do: rows, inserts and updates, engine calls, time, guardrails touched.

    Example: [bold]bridge plan new_vehicle --sample 100[/bold]

    Writes nothing. Costs at most one engine call for each row of the sample: none for rows that the ledger vouches for.
    """
    screen.tell(f"Looking at the sample costs at most {screen.count(sample, 'engine call')}.")
    found = run(ctx, settings, lambda opened: _plan(opened, table, Choice(sample, rate, rows)))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*plan_view.load(found))


async def _plan(opened: App, table: str, choice: Choice) -> FirstLoad:
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("rows", total=choice.sample)
        return await planned(opened, table, choice, lambda: progress.advance(task))
