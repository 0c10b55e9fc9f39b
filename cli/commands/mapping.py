"""`bridge mapping`: check, compare, apply and take back which column becomes which field."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cli import screen
from cli.commands import mapping_view
from cli.failures import FAILED
from cli.mapping_difference import Difference, Named, difference
from cli.mapping_review import draft_of, plan, review, review_alone
from cli.mapping_workbench import Workbench, open_workbench
from cli.wiring import AsJson, SettingsFile, wiring
from shared import mapping_file
from shared.mapping_file import MappingError
from shared.settings import Settings
from shared.stores.mapping_entry import Applied, UnreadableEntryError
from shared.stores.mappings import OvertakenError, UnknownVersionError

app = typer.Typer(no_args_is_help=True, help="Check, compare, apply and take back which column becomes which field.")
Result = TypeVar("Result")
MOST_ROWS = 500

MappingFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A mapping file.")
]
Note = Annotated[str, typer.Option("--note", help="Why, for the history.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def check(
    ctx: typer.Context,
    file: MappingFile = Path("mapping.yaml"),
    offline: Annotated[bool, typer.Option("--offline", help="The file alone; neither system is asked.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Hold a mapping file against both systems: what does not exist, does not fit, or will surprise. Changes nothing.

    Example: [bold]bridge mapping check mapping.yaml --offline[/bold]

    Without --offline it costs one engine call, two if fields added in Campaign are mapped; two for each custom table.
    """
    found = review_alone(file) if offline else _run(ctx, settings, lambda bench: review(bench, file))
    if as_json:
        screen.emit(found.findings)
    else:
        mapping_view.review(found)
    if found.refused:
        raise typer.Exit(FAILED)


@app.command()
def show(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(help="A version's number; without, the one in force.")] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a version's text, with who applied it and when.

    Example: [bold]bridge mapping show 3 > mapping.yaml[/bold]
    """
    if number is not None:
        found = _run(ctx, settings, lambda bench: bench.store.get(number))
        return screen.emit(_described(found)) if as_json else mapping_view.version(found)
    present = _run(ctx, settings, lambda bench: bench.in_force())
    if as_json:
        shipped = _Shown(None, present.version, present.text)
        return screen.emit(_described(present.applied) if present.applied else shipped)
    if present.applied:
        return mapping_view.version(present.applied)
    mapping_view.shipped(present)


@app.command()
def diff(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A version's number, or a file.")],
    second: Annotated[str | None, typer.Argument(metavar="[B]", help="Another one.", show_default=False)] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell two mappings apart, in words and line by line: from A to B, or from the one in force to A.

    Example: [bold]bridge mapping diff mapping.yaml[/bold]
    """
    found = _run(ctx, settings, lambda bench: _difference(bench, first, second))
    if as_json:
        return screen.emit(found)
    mapping_view.difference(found)


@app.command()
def history(ctx: typer.Context, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """List every version that was in force, the newest first.

    Example: [bold]bridge mapping history[/bold]
    """
    found = _run(ctx, settings, _history)
    if as_json:
        return screen.emit([_described(one) for one in found])
    mapping_view.history(found)


@app.command()
def apply(
    ctx: typer.Context,
    file: MappingFile,
    note: Note = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    yes: Yes = False,
    sample: Annotated[
        int, typer.Option("--sample", min=1, max=MOST_ROWS, help="Rows of each table to try it on.")
    ] = 20,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show examples of values: personal data, on your screen.")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Check a mapping, show what it would change on real rows, and put it in force everywhere within 30 seconds.

    Example: [bold]bridge mapping apply mapping.yaml --note "city added" --dry-run[/bold]

    A mapping with errors is refused, and the one in force stays.
    """
    order = _Order(file, note, sample, show_values=show_values, dry_run=dry_run, yes=yes)
    _run(ctx, settings, lambda bench: _apply(bench, order))


@app.command()
def rollback(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="The version whose text is to be in force again.")],
    note: Note = "",
    yes: Yes = False,
    settings: SettingsFile = None,
) -> None:
    """Put an earlier version in force again, as a new version; the history is kept.

    Example: [bold]bridge mapping rollback 3 --note "too many parked"[/bold]
    """
    _run(ctx, settings, lambda bench: _rollback(bench, number, note, yes=yes))


@dataclass(frozen=True)
class _Order:
    """What `apply` was asked for."""

    file: Path
    note: str
    sample: int
    show_values: bool
    dry_run: bool
    yes: bool


@dataclass(frozen=True)
class _Shown:
    """A version for machines. `number` None: the mapping shipped with the app."""

    number: int | None
    version: str
    text: str
    applied_at: str | None = None
    applied_by: str | None = None
    note: str = ""
    restores: int | None = None


def _described(one: Applied) -> _Shown:
    draft, at = one.draft, one.applied_at.isoformat()
    return _Shown(one.number, one.version, draft.text, at, draft.applied_by, draft.note, draft.restores)


def _run(ctx: typer.Context, file: Path | None, work: Callable[[Workbench], Awaitable[Result]]) -> Result:
    """Errors of the store that are expected become two lines and an exit code, as the others do."""
    settings = wiring(ctx).settings(file)
    try:
        return asyncio.run(_within(settings, work))
    except OvertakenError as error:
        screen.complain(str(error), remedy="Look at `bridge mapping history`, then try again.")
    except UnknownVersionError as error:
        screen.complain(str(error.args[0]))
    except MappingError as error:
        screen.complain(str(error), remedy="Correct the places named; the mapping in force stays.")
    except UnreadableEntryError as error:
        remedy = "The running version stays in force; docs/flows/mapping_versions.md tells how to repair the store."
        screen.complain(f"the store was changed by hand: {error}", remedy=remedy)
    raise typer.Exit(FAILED)


async def _within(settings: Settings, work: Callable[[Workbench], Awaitable[Result]]) -> Result:
    async with open_workbench(settings) as bench:
        return await work(bench)


async def _history(bench: Workbench) -> list[Applied]:
    return [one async for one in bench.store.history()]


async def _difference(bench: Workbench, first: str, second: str | None) -> Difference:
    if second is not None:
        return difference(await _named(bench, first), await _named(bench, second))
    present = await bench.in_force()
    return difference(Named(present.name, present.text, present.mappings), await _named(bench, first))


async def _named(bench: Workbench, name: str) -> Named:
    if name.isdecimal():
        text = (await bench.store.get(int(name))).draft.text
        return Named(f"version {name}", text, mapping_file.parse(text).mappings)
    return _from_file(Path(name))


def _from_file(file: Path) -> Named:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {type(error).__name__}") from None
    return Named(str(file), text, mapping_file.parse(text).mappings)


async def _apply(bench: Workbench, order: _Order) -> None:
    found = await review(bench, order.file)
    mapping_view.review(found)
    if found.mappings is None:
        screen.complain("not applied: the mapping in force stays", remedy="Correct the errors above.")
        raise typer.Exit(FAILED)
    present = await bench.in_force()
    made = await plan(bench, present, found, order.sample, show_values=order.show_values)
    mapping_view.plan(made)
    if order.dry_run:
        return screen.tell("Nothing was changed (--dry-run).")
    if not order.yes:
        typer.confirm(f"Put {found.file} ({made.version}) in force instead of {made.replaces}?", abort=True)
    entry = await bench.store.apply(draft_of(bench, found.mappings, found.text, order.note), present.applied)
    _tell_applied(entry)


async def _rollback(bench: Workbench, number: int, note: str, *, yes: bool) -> None:
    present = await bench.in_force()
    if present.applied is None:
        raise UnknownVersionError("no version was applied yet")
    (await bench.store.get(number)).mappings()  # raises MappingError: what does not parse is not put in force
    mapping_view.difference(await _difference(bench, str(number), None))
    if not yes:
        typer.confirm(f"Put version {number} in force again instead of {present.name}?", abort=True)
    _tell_applied(await bench.store.rollback(number, present.applied, bench.operator, note))


def _tell_applied(entry: Applied) -> None:
    screen.tell(f"Version {entry.number} ({entry.version}) is in force; every instance follows within 30 seconds.")
