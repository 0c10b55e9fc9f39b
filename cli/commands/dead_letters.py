"""`bridge deadletters`: messages that wait for a person, listed, shown, replayed and discarded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from cli import screen
from cli.commands import dead_letters_view
from cli.failures import FAILED
from cli.letters import Choice, grouped, line, view, waiting
from cli.replay import Report, Verb, carry_out, rehearse
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.domain.change import Lane
from shared.stores.letter import DeadLetter

app = typer.Typer(no_args_is_help=True, help="Messages that wait for a person: dead-lettered or parked.")

OfLane = Annotated[Lane | None, typer.Option("--lane", help="Only of this lane; parked ones count for theirs.")]
OfReason = Annotated[str | None, typer.Option("--reason", metavar="SLUG", help="Only with this reason.")]
InPlace = Annotated[
    Literal["dead", "parked"] | None,
    typer.Option("--place", help="dead: the broker gave it up; parked: the bridge did."),
]
Ids = Annotated[list[str] | None, typer.Option("--ids", metavar="N,N…", help="Only these sequence numbers.")]
Everything = Annotated[bool, typer.Option("--all", help="All that wait.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    each: Annotated[bool, typer.Option("--each", help="Every message, with its sequence number.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """What waits, grouped by lane and reason: how many, since when, what it means and what to do. Only looks.

    Example: [bold]bridge deadletters list --lane optout[/bold]
    """
    choice = Choice(lane, place, reason)
    if each:
        lines = [line(letter) for letter in run(ctx, settings, lambda opened: waiting(opened.dead_letters, choice))]
        return screen.emit(lines) if as_json else screen.show(*dead_letters_view.lines(lines))
    groups = run(ctx, settings, lambda opened: grouped(opened.dead_letters, choice))
    return screen.emit(groups) if as_json else screen.show(*dead_letters_view.groups(groups))


@app.command()
def show(
    ctx: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1, help="Its sequence number, as the list gives it.")],
    lane: Annotated[Lane, typer.Option("--lane", help="The lane in whose queue it lies, or that it came from.")],
    place: Annotated[Literal["dead", "parked"], typer.Option("--place", help="Where it lies.")] = "dead",
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show the whole body: it may hold personal data.")
    ] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """One message: its reason, its properties, and its body as far as it holds no personal data. Only looks.

    Example: [bold]bridge deadletters show 17 --lane contact-upsert --place parked[/bold]
    """
    place = "parked" if lane is Lane.PARKED else place
    choice = Choice(lane, place, numbers=frozenset({sequence}))
    letters = run(ctx, settings, lambda opened: waiting(opened.dead_letters, choice))
    if not letters:
        screen.complain(f"no message {sequence} waits there ({lane}, {place})", remedy="bridge deadletters list --each")
        raise typer.Exit(FAILED)
    shown = view(letters[0], show_values=show_values)
    return screen.emit(shown) if as_json else screen.show(*dead_letters_view.letter(shown))


@app.command()
def replay(
    ctx: typer.Context,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    ids: Ids = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Send messages to their lanes again. A copy is sent first, and only when it is durable the original is removed.

    A message is a hint to look, so a replay does harm neither late nor twice.

    Example: [bold]bridge deadletters replay --lane contact-upsert --reason refused_email[/bold]
    """
    choice = _chosen(Choice(lane, place, reason, _numbers(ids)), everything=everything)
    run(ctx, settings, lambda opened: _work(opened, "replay", choice, dry_run=dry_run, yes=yes, as_json=as_json))


@app.command()
def discard(
    ctx: typer.Context,
    lane: OfLane = None,
    reason: OfReason = None,
    place: InPlace = None,
    ids: Ids = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove messages for good, without a copy: what is malformed, or settled by other means.

    Example: [bold]bridge deadletters discard --reason malformed --dry-run[/bold]
    """
    choice = _chosen(Choice(lane, place, reason, _numbers(ids)), everything=everything)
    run(ctx, settings, lambda opened: _work(opened, "discard", choice, dry_run=dry_run, yes=yes, as_json=as_json))


def _chosen(choice: Choice, *, everything: bool) -> Choice:
    narrowed = choice != Choice()
    if narrowed == everything:
        raise typer.BadParameter("say which: --lane, --reason, --place and --ids narrow it down; --all takes all")
    if choice.numbers and choice.lane is None:
        raise typer.BadParameter("sequence numbers count within a queue: name its --lane", param_hint="--ids")
    return choice


def _numbers(ids: Sequence[str] | None) -> frozenset[int]:
    words = [word.strip() for text in ids or () for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise typer.BadParameter("sequence numbers, as in 17,18", param_hint="--ids")
    return frozenset(map(int, words))


async def _work(opened: App, verb: Verb, choice: Choice, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    letters = await waiting(opened.dead_letters, choice)
    _refuse_double_numbers(choice, letters)
    if not letters:
        screen.tell("No message that waits is one of these.")
    elif not dry_run and not yes:
        _confirm(rehearse(verb, letters))
    report = rehearse(verb, letters) if dry_run else await _in_progress(opened, verb, letters)
    screen.emit(report) if as_json else screen.show(*dead_letters_view.report(report))
    if not report.complete:
        raise typer.Exit(FAILED)


def _refuse_double_numbers(choice: Choice, letters: Sequence[DeadLetter]) -> None:
    numbers = [letter.sequence_number for letter in letters]
    if choice.numbers and len(set(numbers)) < len(numbers):
        raise typer.BadParameter("one number is that of two messages, dead and parked: add --place", param_hint="--ids")


def _confirm(plan: Report) -> None:
    lanes = ", ".join(f"{lane}: {count}" for lane, count in plan.lanes.items())
    typer.confirm(f"{plan.verb.capitalize()} {plan.not_tried} ({lanes})?", abort=True, err=True)


async def _in_progress(opened: App, verb: Verb, letters: Sequence[DeadLetter]) -> Report:
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(verb, total=len(letters))
        return await carry_out(opened.dead_letters, verb, letters, lambda more: progress.advance(task, more))
