"""`bridge deadletters`: messages that wait for a person, listed, shown and exported; the rest is beside it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal, TextIO, get_args

import typer

from cli import screen
from cli.commands import dead_letters_desk, dead_letters_view, dead_letters_work
from cli.commands.dead_letter_options import (
    Asked,
    Ids,
    InPlace,
    Newer,
    OfGroup,
    OfLane,
    OfReason,
    OfRecord,
    OfTable,
    Older,
    Values,
    asked,
)
from cli.deadletters.choice import Choice
from cli.deadletters.export import write_csv, write_json
from cli.deadletters.listing import USUAL, Dimension, Group, first, grouped, waiting, with_notes
from cli.deadletters.view import LetterView, line, view
from cli.failures import FAILED
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import Lane
from shared.stores.letter import DeadLetter

app = typer.Typer(no_args_is_help=True, help="Messages that wait for a person: dead-lettered or parked.")


@app.command("list")
def list_(
    ctx: typer.Context,
    group: OfGroup = None,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    table: OfTable = None,
    record: OfRecord = None,
    older: Older = None,
    newer: Newer = None,
    by: Annotated[
        str, typer.Option("--by", metavar="WORDS", help="What to split the groups by: function,place,reason,table,age.")
    ] = ",".join(USUAL),
    each: Annotated[bool, typer.Option("--each", help="Every message, with its sequence number.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """What waits, in groups: how many, since when, what it means and what to do. Only looks.

    Example: [bold]bridge deadletters list --lane optout --by reason,age[/bold]
    """
    which = asked(group, lane, reason, place, table, record, older, newer)
    if each:
        return run(ctx, settings, lambda opened: _each(opened, which, as_json=as_json))
    split = _dimensions(by)
    groups = run(ctx, settings, lambda opened: _groups(opened, which, split))
    return screen.emit(groups) if as_json else screen.show(*dead_letters_view.groups(groups))


@app.command()
def show(
    ctx: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1, help="Its sequence number, as the list gives it.")],
    lane: Annotated[Lane, typer.Option("--lane", help="The lane in whose queue it lies, or that it came from.")],
    place: Annotated[Literal["dead", "parked"], typer.Option("--place", help="Where it lies.")] = "dead",
    show_values: Values = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """One message: its reason, its properties, and its body as far as it holds no personal data. Only looks.

    Example: [bold]bridge deadletters show 17 --lane contact-upsert --place parked[/bold]
    """
    place = "parked" if lane is Lane.PARKED else place
    choice = Choice(lane, place, numbers=frozenset({sequence}))
    shown = run(ctx, settings, lambda opened: _one(opened, choice, show_values=show_values))
    if shown is None:
        screen.complain(f"no message {sequence} waits there ({lane}, {place})", remedy="bridge deadletters list --each")
        raise typer.Exit(FAILED)
    return screen.emit(shown) if as_json else screen.show(*dead_letters_view.letter(shown))


@app.command()
def export(
    ctx: typer.Context,
    group: OfGroup = None,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    table: OfTable = None,
    record: OfRecord = None,
    older: Older = None,
    newer: Newer = None,
    ids: Ids = None,
    form: Annotated[Literal["json", "csv"], typer.Option("--format", help="An array, or a line a message.")] = "json",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", dir_okay=False, help="A file. Default: stdout.")
    ] = None,
    show_values: Values = False,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Every message with all that `show` tells of it, for other tools. Only looks; without a choice, all of them.

    Example: [bold]bridge deadletters export --reason refused_value --format csv --to refused.csv[/bold]
    """
    which = asked(group, lane, reason, place, table, record, older, newer, ids)
    form = "json" if as_json else form
    count = run(ctx, settings, lambda opened: _export(opened, which, form, to, show_values=show_values))
    screen.tell(f"{screen.count(count, 'message')} exported.")


app.command("replay")(dead_letters_work.replay)
app.command("discard")(dead_letters_work.discard)
app.command("edit")(dead_letters_desk.edit)
app.command("note")(dead_letters_desk.note)
app.command("audit")(dead_letters_desk.audit)


def _dimensions(words: str) -> tuple[Dimension, ...]:
    known: dict[str, Dimension] = {word: word for word in get_args(Dimension)}
    found = [word.strip() for word in words.split(",") if word.strip()]
    if not found or not known.keys() >= set(found):
        raise typer.BadParameter(f"some of {', '.join(known)}, with commas", param_hint="--by")
    return tuple(known[word] for word in found)


async def _groups(opened: App, which: Asked, by: tuple[Dimension, ...]) -> tuple[Group, ...]:
    now = opened.ports.clock.now()
    groups = await grouped(waiting(opened.dead_letters, which.at(now)), by, now)
    return await with_notes(opened.letter_desk, groups)


async def _each(opened: App, which: Asked, *, as_json: bool) -> None:
    letters = waiting(opened.dead_letters, which.at(opened.ports.clock.now()))
    lines = (line(letter) async for letter in letters)
    if as_json:
        await write_json(sys.stdout, lines)
    else:
        await dead_letters_view.lines(lines)


async def _one(opened: App, choice: Choice, *, show_values: bool) -> LetterView | None:
    letter = await first(waiting(opened.dead_letters, choice))
    if letter is None:
        return None
    edit = await opened.letter_desk.edit_of(letter, await opened.letter_desk.edited())
    return view(letter, show_values=show_values, edit=edit)


async def _export(
    opened: App, which: Asked, form: Literal["json", "csv"], to: Path | None, *, show_values: bool
) -> int:
    letters = waiting(opened.dead_letters, which.at(opened.ports.clock.now()))
    if to is None:
        return await _write(sys.stdout, form, letters, show_values=show_values)
    try:
        out = to.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise typer.BadParameter(f"{to}: {error.strerror}", param_hint="--to") from None
    with out:
        return await _write(out, form, letters, show_values=show_values)


async def _write(
    out: TextIO, form: Literal["json", "csv"], letters: AsyncIterator[DeadLetter], *, show_values: bool
) -> int:
    if form == "csv":
        return await write_csv(out, letters, show_values=show_values)
    return await write_json(out, (view(letter, show_values=show_values) async for letter in letters))
