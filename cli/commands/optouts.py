"""`bridge optouts`: the journal of opt-out decisions, and the files that they came from."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO
from uuid import UUID

import typer

from cli import journal_reading, screen
from cli.commands import optouts_view
from cli.failures import FAILED, USAGE
from cli.journal_reading import Span
from cli.wiring import AsJson, SettingsFile, run

app = typer.Typer(no_args_is_help=True, help="The opt-out journal, and the opt-out files.")
BROKEN = "Keep a copy of the container, and find out who may write to it; docs/flows/optout_journal.md."

Since = Annotated[
    datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="The first day (UTC). Default: all.")
]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The last day (UTC). Default: today.")
]


@app.command("verify")
def verify(
    ctx: typer.Context,
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="HASH", help="A seal's hash noted earlier, e.g. from the log.")
    ] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Prove that no entry was changed and that no chain is missing or cut. Reads the whole journal.

    Example: [bold]bridge optouts verify --anchor 4f1c…[/bold]

    Exits with 1 if anything is wrong. Who can rewrite the whole container can also rewrite its seals: only a hash kept
    elsewhere proves against that.
    """
    proof = run(ctx, settings, lambda opened: journal_reading.verify(opened, anchor))
    if as_json:
        screen.emit(proof)
    else:
        screen.show(*optouts_view.proof(proof))
    if proof.faults:
        screen.complain(f"{screen.count(len(proof.faults), 'fault')} in the journal", remedy=BROKEN)
        raise typer.Exit(FAILED)


@app.command("show")
def show(
    ctx: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id.")],
    since: Since = None,
    until: Until = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Every decision about a contact's opt-outs: what each side said and when, what was decided and written.

    Example: [bold]bridge optouts show 5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d[/bold]

    Reads all days asked for; give [bold]--since[/bold] where the journal is long.
    """
    wanted, span = _contact(contact), _span(since, until)
    found = run(
        ctx,
        settings,
        lambda opened: journal_reading.entries(opened, span, lambda entry: entry.contact_id == wanted),
    )
    if as_json:
        screen.emit(found)
    else:
        screen.show(*optouts_view.entries(found))


@app.command("conflicts")
def conflicts(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Decisions that a person may want to look at: where the policy erased an opt-out or held back an opt-in.

    Example: [bold]bridge optouts conflicts --since 2026-11-01[/bold]
    """
    span = _span(since, until)
    found = run(ctx, settings, lambda opened: journal_reading.entries(opened, span, lambda entry: bool(entry.flag)))
    if as_json:
        screen.emit(found)
    else:
        screen.show(*optouts_view.conflicts(found))


@app.command("export")
def export(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", dir_okay=False, help="A file. Default: stdout.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """The journal's lines as they are stored, one JSON object each. Ids only, no names and no addresses.

    Example: [bold]bridge optouts export --since 2026-11-01 --out november.jsonl[/bold]
    """
    span = _span(since, until)
    if out is None:
        count = run(ctx, settings, lambda opened: journal_reading.export(opened, span, sys.stdout))
    else:
        with _opened(out) as file:
            count = run(ctx, settings, lambda opened: journal_reading.export(opened, span, file))
    screen.tell(screen.count(count, "line"))


@app.command("files")
def files(ctx: typer.Context, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """The opt-out files that were seen, how far each one is, and how much room the folders take.

    Example: [bold]bridge optouts files[/bold]
    """
    found = run(ctx, settings, journal_reading.files)
    if as_json:
        screen.emit(found)
    else:
        screen.show(*optouts_view.files(found))


def _opened(out: Path) -> TextIO:
    try:
        return out.open("w", encoding="utf-8")
    except OSError as error:
        screen.complain(f"{out} cannot be written: {error.strerror}", remedy="Name a file in a folder that is there.")
        raise typer.Exit(USAGE) from None


def _contact(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        screen.complain(f"{text!r} is not a contact's id", remedy="It is a GUID; Dynamics shows it in the address.")
        raise typer.Exit(USAGE) from None


def _span(since: datetime | None, until: datetime | None) -> Span:
    if since and until and since > until:
        remedy = "Exchange them; both days are included."
        screen.complain(f"{since:%Y-%m-%d} is after {until:%Y-%m-%d}", remedy=remedy)
        raise typer.Exit(USAGE)
    return Span(since.date() if since else None, until.date() if until else None)
