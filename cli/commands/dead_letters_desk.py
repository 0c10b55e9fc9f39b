"""`bridge deadletters edit`, `note` and `audit`: what people do with dead letters besides sending them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli import screen
from cli.commands import dead_letters_view
from cli.commands.dead_letter_options import Values, Why, group_name, required
from cli.deadletters.audit import operator
from cli.deadletters.choice import Choice
from cli.deadletters.editing import EditError, edited
from cli.deadletters.listing import first, waiting
from cli.deadletters.view import LetterView, view
from cli.failures import FAILED
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import Lane
from shared.stores.letter_desk import Action


def edit(
    ctx: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1, help="Its sequence number, as the list gives it.")],
    lane: Annotated[Lane, typer.Option("--lane", help="The lane in whose queue it lies, or that it came from.")],
    changes: Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="What to change; may be repeated.")],
    why: Why,
    place: Annotated[Literal["dead", "parked"], typer.Option("--place", help="Where it lies.")] = "dead",
    fact: Annotated[str | None, typer.Option("--fact", metavar="ID", help="The e-mail event to change.")] = None,
    show_values: Values = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Correct a hint or an e-mail event before its replay. The original stays as it is, and is kept beside the edit.

    Of a hint: why, table, record, columns, created. Of an event: event, contact, campaign, delivery, at, and its
    addresses. The last edit counts; the replay sends it to the lane of what it has become.

    Example: [bold]bridge deadletters edit 17 --lane contact-upsert --set why=verify --why "look at both sides"[/bold]
    """
    required(why, "the audit log keeps the reason beside the original")
    place = "parked" if lane is Lane.PARKED else place
    choice = Choice(lane, place, numbers=frozenset({sequence}))
    shown = run(ctx, settings, lambda opened: _edit(opened, choice, changes, fact, why, show_values=show_values))
    if shown is None:
        screen.complain(f"no message {sequence} waits there ({lane}, {place})", remedy="bridge deadletters list --each")
        raise typer.Exit(FAILED)
    return screen.emit(shown) if as_json else screen.show(*dead_letters_view.letter(shown))


def note(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A group's name, as the list gives it.")],
    text: Annotated[str, typer.Argument(help="What others should know.")],
    settings: SettingsFile = None,
) -> None:
    """Write a note on a group; the list shows it to everybody. No personal data, please: notes stay.

    Example: [bold]bridge deadletters note contact-upsert/parked/refused_email/contact "asked the web team"[/bold]
    """
    name, words = group_name(group), required(text, "a note without words helps nobody")
    run(ctx, settings, lambda opened: _note(opened, name, words))
    screen.tell(f"Noted on {group}.")


def audit(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How far back.")] = 30,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Who did what to dead letters, when, why, and with what result. A replay that has no end can be resumed.

    Example: [bold]bridge deadletters audit --days 7[/bold]
    """
    actions = run(ctx, settings, lambda opened: _actions(opened, days))
    return screen.emit(actions) if as_json else screen.show(*dead_letters_view.actions(actions))


async def _edit(
    opened: App, choice: Choice, changes: list[str], fact: str | None, why: str, *, show_values: bool
) -> LetterView | None:
    letter = await first(waiting(opened.dead_letters, choice))
    if letter is None:
        return None
    desk = opened.letter_desk
    before = await desk.edit_of(letter, await desk.edited())
    try:
        body = edited(before.edited if before else letter.body, changes, fact)
    except EditError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    who, names = operator(), [change.partition("=")[0].strip() for change in changes]
    await desk.edit(letter, body, who, why)
    await desk.record(
        who, "edit", why, detail={"box": str(letter.box), "number": letter.sequence_number, "changed": names}
    )
    return view(letter, show_values=show_values, edit=await desk.edit_of(letter, await desk.edited()))


async def _note(opened: App, group: str, text: str) -> None:
    await opened.letter_desk.note(group, operator(), text)
    await opened.letter_desk.record(operator(), "note", text, detail={"group": group})


async def _actions(opened: App, days: int) -> list[Action]:
    return [action async for action in opened.letter_desk.actions(days)]
