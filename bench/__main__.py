"""`python -m bench [contacts]`: measure, print the ratios; nothing is judged by the exit code."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from bench.course import Course, run
from bench.errors import BenchError
from bench.report import as_json, show
from sandbox.host_process import HostError

FEWEST = 50


def main(
    contacts: Annotated[
        int, typer.Argument(min=FEWEST, help="How many contacts are changed in each measurement.")
    ] = 600,
    *,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
) -> None:
    """Contact changes through the real trigger and ledger, against a bare loop that sends the same requests."""
    errors = Console(stderr=True)
    try:
        course = asyncio.run(_measured(contacts, errors))
    except (BenchError, HostError) as error:
        errors.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None
    if as_document:
        typer.echo(json.dumps(as_json(course), indent=2))
    else:
        show(course, Console())


async def _measured(contacts: int, console: Console) -> Course:
    with console.status("") as status:
        return await run(contacts, status.update)


if __name__ == "__main__":
    typer.run(main)
