"""`bridge adopt`: which of Campaign's profiles belong to contacts, before the bridge meets them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from cli import screen
from cli.adoption import survey
from cli.adoption_report import Choice, Report
from cli.commands import adopt_view
from cli.failures import FAILED
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App

BY_ITSELF = (
    "a profile whose externalId is a contact's id is adopted by itself, with the contact's next hint; --report says how"
    " many there are. To hasten it, change the contact in Dynamics, or run `bridge explain contact ID --perform`"
)
PAGE_SIZE, MOST_ROWS_A_PAGE = 200, 1000


def adopt(
    ctx: typer.Context,
    report: Annotated[bool, typer.Option("--report", help="Read all profiles and say what they are.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N profiles.", show_default=False)
    ] = None,
    page_size: Annotated[
        int, typer.Option("--page-size", min=1, max=MOST_ROWS_A_PAGE, help="Profiles an engine call.")
    ] = PAGE_SIZE,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Read Campaign's profiles and say which are the bridge's, which it will adopt and which it leaves alone.

    Example: [bold]bridge adopt --report --limit 1000[/bold]

    Writes nothing, anywhere. Costs one engine call a page, and two to count the profiles first.
    """
    if not report:
        raise typer.BadParameter(BY_ITSELF, param_hint="--report")
    found = run(ctx, settings, lambda opened: _survey(opened, Choice(page_size, limit)))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*adopt_view.tables(found))
    if found.stopped is not None:
        screen.complain(
            f"the report is not whole: {found.stopped}", remedy="Run it again; `bridge doctor` looks first."
        )
        raise typer.Exit(FAILED)


async def _survey(opened: App, choice: Choice) -> Report:
    in_campaign = await opened.campaign.profile_count()
    screen.tell(adopt_view.estimate(in_campaign, choice))
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        total = None if in_campaign is None else choice.rows(in_campaign)
        task = progress.add_task("profiles", total=total)
        return await survey(opened, choice, in_campaign, lambda more: progress.advance(task, more))
