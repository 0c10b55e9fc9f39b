"""`bridge resync` on a screen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli import screen
from cli.commands.plan_view import duration
from cli.resync_report import Report
from shared.domain.resync import Ending, RunState

ENDINGS = {
    Ending.SETTLED: "settled",
    Ending.LATER: "goes on by itself",
    Ending.PARKED: "waits for a person",
}


@contextmanager
def bar(rows: int | None) -> Iterator[Callable[[Report], None]]:
    """A progress bar on stderr. `rows` None: nobody knows how many there are, so there is no end to be told."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("rows", total=rows)

        def show(report: Report) -> None:
            words = f"{report.partitions_done} of {report.partitions} partitions"
            progress.update(task, completed=report.rows, description=words)

        yield show


def runs(reports: Sequence[Report]) -> Table:
    """One line a run; its name begins with its time."""
    rows = ((r.run, r.table, r.state, _done(r), r.parked, r.asked) for r in reports)
    return screen.table("Resyncs", ("Run", "Table", "State", "Done", "Parked", "Rows"), rows, firm=5)


def report(found: Report) -> Iterator[RenderableType]:
    """From what was asked to what became of it."""
    yield Text.assemble((f"Resync {found.run}", "bold"), f" of {found.table}: {found.asked}; {found.state}")
    yield Text(f"Begun {screen.text(found.started_at)} by {found.by}, by mapping {found.mapping}.")
    done = f"{found.partitions_done} of {screen.count(found.partitions, 'partition')} done"
    yield Text(f"{_done(found)} rows, {screen.count(found.engine_calls, 'engine call')}; {done}.")
    if found.create_first:
        again = (
            f", but in {screen.count(found.looking_again, 'partition')} most were there" if found.looking_again else ""
        )
        yield Text(f"Rows never seen were created without a look{again}.")
    if found.counts:
        rows = ((count.rows, ENDINGS[count.ending], count.reason, count.meaning) for count in found.counts)
        yield screen.table("What became of the rows", ("Rows", "Ending", "Reason", "Meaning"), rows, firm=3)
    yield from _time(found)
    if found.parked:
        yield Text(f"{screen.count(found.parked, 'row')} parked: `bridge deadletters list --lane bulk`.")


def _done(found: Report) -> str:
    return f"{found.rows:,}" if found.of is None else f"{found.rows:,} of {found.of:,}"


def _time(found: Report) -> Iterator[Text]:
    if found.ended_at is not None:
        yield Text(f"Took {duration((found.ended_at - found.started_at).total_seconds())}.")
    elif found.state is RunState.RUNNING:
        left = (
            f"about {duration(found.seconds_left)} left" if found.seconds_left is not None else "time left: not known"
        )
        rate = f"{found.rows_per_second:,.1f} rows a second, " if found.rows_per_second else ""
        yield Text(f"{rate}{left}; the last page ended {screen.text(found.moved_at)}.")
    else:
        yield Text(f"`bridge resync resume {found.run}` lets it go on.")
