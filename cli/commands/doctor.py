"""`bridge doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.azure_checks import azure_checks
from cli.checks import all_checks
from cli.diagnosis import Finding, Status, diagnose
from cli.failures import FAILED
from cli.table_checks import table_checks
from cli.wiring import AsJson, SettingsFile, wiring


def doctor(
    ctx: typer.Context,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that one check may take.")] = 20,
    azure: Annotated[
        bool, typer.Option("--azure", help="Also look at the deployment: roles, queues, reachability.")
    ] = False,
    url: Annotated[str | None, typer.Option("--url", help="With --azure: where the function app answers.")] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Check settings, mapping, both systems, queues, tables and the export folder, each on its own. Changes nothing.

    Example: [bold]bridge doctor --settings local.settings.json[/bold]

    After a deployment: [bold]bridge doctor --azure --url https://NAME.azurewebsites.net[/bold]. What only Azure can
    answer is listed as skipped, with the command that asks it.

    Costs one engine call, and four for each custom table. Exits with 1 if a check failed; a warning is for a person.
    """
    checks = all_checks() + (azure_checks(url) if azure else ())
    found = asyncio.run(diagnose(wiring(ctx), settings, checks, timeout, table_checks))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*_view(found))
    if any(finding.status is Status.FAILED for finding in found):
        raise typer.Exit(FAILED)


def _view(found: Sequence[Finding]) -> Iterator[RenderableType]:
    rows = ((finding.check, finding.status, finding.found) for finding in found)
    yield screen.table("Doctor", ("Check", "State", "Found"), rows, firm=2)
    for finding in found:
        if finding.remedy:
            yield Text.assemble((finding.check, "bold"), f" ({finding.about}): {finding.remedy}")
