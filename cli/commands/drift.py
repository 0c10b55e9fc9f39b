"""`bridge drift`: whether anything was missed, and whether it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from cli import screen
from cli.drift import TableDrift, measure
from cli.failures import FAILED
from cli.wiring import AsJson, SettingsFile, run

MOST_SAMPLED = 500
REMEDY = (
    "What was changed within the last minutes is probably still in its lane: repeat the command. `bridge explain TABLE"
    " ID` tells of one record; a table that was never loaded needs its first load."
)


def drift(
    ctx: typer.Context,
    sample: Annotated[
        int, typer.Option("--sample", min=1, max=MOST_SAMPLED, help="Rows of each table to look at, the last changed.")
    ] = 100,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every row, and at every record of the ledger. Takes its time.")
    ] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show by table: lost announcements that the sweep repaired, failed ones, age of the token, rows out of line.

    Example: [bold]bridge drift --sample 500[/bold]

    Writes nothing and costs no engine call. Exits with 1 if a row is out of line.
    """
    found = run(ctx, settings, lambda opened: measure(opened, sample=sample, full=full))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*_view(found))
    count = sum(table.out_of_line for table in found)
    if count:
        screen.complain(f"{screen.count(count, 'row')} out of line", remedy=REMEDY)
        raise typer.Exit(FAILED)


def _view(found: Sequence[TableDrift]) -> Iterator[RenderableType]:
    columns = ("Table", "Sweep", "Token's age", "Repaired", "Failed", "Looked at", "Out of line")
    yield screen.table(f"Drift, counted since {found[0].since:%Y-%m-%d}", columns, map(_row, found), firm=6)
    lines = [(one.record, ", ".join(one.why)) for table in found for one in table.shown]
    if lines:
        yield screen.table("Out of line, the first of each table", ("Record", "Needs"), lines)


def _row(table: TableDrift) -> Sequence[object]:
    age = None if table.token_age_s is None else timedelta(seconds=round(table.token_age_s))
    stale = f"{age}, stale" if table.stale else age
    counts = (table.repaired, table.failed_jobs, table.looked_at, table.out_of_line)
    return (table.table, table.phase, stale, *counts)
