"""`bridge resync`: all rows of a table, or some, brought into line in the background; begun, watched, stopped."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from cli import screen
from cli.commands import plan_view, resync_view
from cli.failures import FAILED
from cli.first_load import Choice, FirstLoad, bounded, plan
from cli.resync_report import Report, follow, found, of, report
from cli.resync_scope import Asked, ScopeError, ids_of, scope_of
from cli.wiring import AsJson, SettingsFile, run
from shared.app import App
from shared.clients.dynamics.bulk import condition
from shared.domain import resync as domain
from shared.domain.resync import Run, RunState, Scope, Slice
from shared.engine.resync import RunOverError, UnknownRunError

T = TypeVar("T")
SAMPLE = 50
MOST_PARTITIONS = 32


class StartByDefault(TyperGroup):
    """`bridge resync TABLE` is `bridge resync start TABLE`."""

    by_default = "start"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the library's own context
        """A first word that is no command is the table's name."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.by_default, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=StartByDefault,
    no_args_is_help=True,
    help="Bring rows of a table into line: `bridge resync TABLE --all`, in the background; then status, pause, resume.",
)
CreateFirst = Annotated[
    bool | None,
    typer.Option(
        "--create-first/--look-first",
        help="Create rows never seen without a look in Campaign, or look. Default: as the sample says.",
    ),
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its name, as the list gives it; or `last`.")]


@dataclass(frozen=True)
class Manner:
    """How the command was asked to go about it."""

    rate: float | None
    partitions: int
    rows: int | None
    sample: int
    create_first: bool | None
    dry_run: bool
    yes: bool
    wait: bool
    as_json: bool


@app.command()
def start(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="contact, or another table of the mapping.")],
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="FILTER", help="Only rows that it lets pass; as in mapping.yaml.")
    ] = None,
    ids: Annotated[
        typer.FileText | None, typer.Option("--ids", metavar="FILE", help="Only these row ids, one a line; - is stdin.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help="Only rows changed since: a time, or 30m, 12h, 7d ago.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All rows.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="N", min=0.02, help="Work on at most N rows a second.")
    ] = None,
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=MOST_PARTITIONS, help="Pages at once.")] = 4,
    rows: Annotated[
        int | None, typer.Option("--rows", min=0, metavar="N", help="How many rows there are, if Dataverse cannot say.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=0, max=500, help="Rows to try for the forecast.")] = SAMPLE,
    create_first: CreateFirst = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Begin it and return.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Begin a resync: first what it would do, then, unless refused, the work. It goes on when the command ends.

    Example: [bold]bridge resync contact --filter '{column: statecode, is: equals, value: 0}'[/bold]

    Rows that are in line cost no engine call; a row that is written gets all its fields, as in a first load.
    """
    asked = _asked(table, filter_, None if ids is None else list(ids), since, everything=everything)
    manner = Manner(rate, partitions, rows, sample, create_first, dry_run, yes, not no_wait, as_json)
    _until_left(ctx, settings, lambda opened, begun: _start(opened, asked, manner, begun), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Every run, the last begun first. Only looks."""
    reports = run(ctx, settings, _reports)
    screen.emit(reports) if as_json else screen.show(resync_view.runs(reports))


@app.command()
def status(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """How far a run is, and how long the rest will take. Only looks."""
    shown = run(ctx, settings, lambda opened: _known(report(opened, name)))
    screen.emit(shown) if as_json else screen.show(*resync_view.report(shown))


@app.command("report")
def report_(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """What became of the rows. Exits with 1 where some wait for a person, or the run was cancelled."""
    _tell(run(ctx, settings, lambda opened: _known(report(opened, name))), as_json=as_json)


@app.command()
def attach(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Watch a run to its end. Ctrl-C leaves it running."""
    _until_left(ctx, settings, lambda opened, begun: _watch(opened, name, begun), as_json=as_json)


@app.command()
def pause(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None) -> None:
    """Stop a run after the pages under way, until `resume`."""
    told = run(ctx, settings, lambda opened: _order(opened, name, "pause"))
    screen.tell(f"Run {told.id} is paused. `bridge resync resume {told.id}` lets it go on.")


@app.command()
def resume(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None) -> None:
    """Let a run go on where it was: one that is paused, or one that stands still."""
    told = run(ctx, settings, lambda opened: _order(opened, name, "resume"))
    screen.tell(f"Run {told.id} goes on. `bridge resync attach {told.id}` shows it.")


@app.command()
def cancel(ctx: typer.Context, name: RunName = "last", settings: SettingsFile = None) -> None:
    """Stop a run for good, after the pages under way. What was brought into line stays so."""
    told = run(ctx, settings, lambda opened: _order(opened, name, "cancel"))
    screen.tell(f"Run {told.id} is cancelled.")


def _asked(table: str, filter_: str | None, lines: list[str] | None, since: str | None, *, everything: bool) -> Asked:
    """Raises typer.BadParameter."""
    narrowed = [filter_ is not None, lines is not None, since is not None]
    if any(narrowed) == everything:
        raise typer.BadParameter("say which rows: --filter, --ids, --since; or --all")
    if lines is not None and sum(narrowed) > 1:
        raise typer.BadParameter("with --ids no other choice is needed", param_hint="--ids")
    try:
        return Asked(table, filter_, since, None if lines is None else ids_of(lines))
    except ScopeError as error:
        raise typer.BadParameter(str(error), param_hint="--ids") from None


async def _start(opened: App, asked: Asked, manner: Manner, begun: list[str]) -> Report | None:
    try:
        scope = await scope_of(opened, asked)
    except ScopeError as error:
        raise typer.BadParameter(str(error)) from None
    forecast = await _forecast(opened, asked, scope, manner)
    if manner.dry_run:
        screen.emit(forecast) if manner.as_json else screen.show(*plan_view.load(forecast, what="Resync"))
        return None
    if not manner.as_json:
        screen.show(*plan_view.load(forecast, what="Resync"))
    if not manner.yes:
        typer.confirm("Begin?", abort=True, err=True)
    run = await _begin(opened, asked, scope, manner, forecast)
    begun.append(run.id)
    screen.tell(f"Run {run.id} has begun. Ctrl-C leaves it running; `bridge resync attach {run.id}` comes back to it.")
    return await _watch(opened, run.id, begun) if manner.wait else of(run, (), opened.ports.clock.now())


async def _forecast(opened: App, asked: Asked, scope: Scope, manner: Manner) -> FirstLoad:
    screen.tell(f"Looking at the sample costs at most {screen.count(manner.sample, 'engine call')}.")
    choice = Choice(manner.sample, None, manner.rows, condition(scope, Slice()), asked.ids, manner.create_first)
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("forecast", total=manner.sample)
        found = await plan(opened, asked.table, choice, lambda: progress.advance(task))
    return bounded(found, manner.rate)


async def _begin(opened: App, asked: Asked, scope: Scope, manner: Manner, forecast: FirstLoad) -> Run:
    now, count = opened.ports.clock.now(), domain.most_partitions(manner.partitions, manner.rate)
    if asked.ids is not None:
        slices = domain.by_number(len(asked.ids), count)
    else:
        span = await opened.bulk.span(scope)
        slices = domain.by_time(*span, count) if span else [Slice()]
    run = Run(
        id=f"{now:%Y%m%d-%H%M%S}-{opened.ports.random.getrandbits(24):06x}",
        scope=scope,
        mapping=forecast.mapping,
        partitions=len(slices),
        by=getpass.getuser(),
        started_at=now,
        page_rows=domain.page_rows(len(slices), manner.rate),
        per_second=manner.rate,
        rows=None if forecast.rows.at_least else forecast.rows.rows,
        create_first=forecast.create_first,
    )
    return await opened.resync.start(run, slices, asked.ids or ())


async def _watch(opened: App, name: str, begun: list[str]) -> Report:
    run = await _known(found(opened, name))
    begun[:] = [run.id]
    with resync_view.bar(run.rows) as show:
        return await follow(opened, run.id, show)


async def _reports(opened: App) -> list[Report]:
    now, runs = opened.ports.clock.now(), opened.resync.runs
    return [of(run, await runs.partitions(run.id), now) for run in await runs.runs()]


async def _order(opened: App, name: str, verb: str) -> Run:
    run = await _known(found(opened, name))
    orders = {"pause": opened.resync.pause, "resume": opened.resync.resume, "cancel": opened.resync.cancel}
    return await _known(orders[verb](run.id))


async def _known(work: Awaitable[T]) -> T:
    """Raises typer.BadParameter for a run that is not there, or over."""
    try:
        return await work
    except (UnknownRunError, RunOverError) as error:
        raise typer.BadParameter(f"{error}; `bridge resync list` shows them", param_hint="RUN") from None


def _until_left(
    ctx: typer.Context,
    settings: Path | None,
    work: Callable[[App, list[str]], Awaitable[Report | None]],
    *,
    as_json: bool,
) -> None:
    """Ctrl-C ends the looking, not the run. The work notes the run that has begun."""
    begun: list[str] = []
    try:
        ended = run(ctx, settings, lambda opened: work(opened, begun))
    except KeyboardInterrupt:
        if not begun:
            raise
        return screen.tell(f"Run {begun[0]} goes on. `bridge resync attach {begun[0]}` comes back to it.")
    if ended is not None:
        _tell(ended, as_json=as_json)


def _tell(shown: Report, *, as_json: bool) -> None:
    screen.emit(shown) if as_json else screen.show(*resync_view.report(shown))
    if shown.parked or shown.state is RunState.CANCELLED:
        raise typer.Exit(FAILED)
