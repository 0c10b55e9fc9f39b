"""What a resync has done so far, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.app import App
from shared.domain.resync import Ending, Partition, Run, RunState, totals
from shared.engine.resync import UnknownRunError
from shared.errors import Reason

POLL_S = 1.0
MEANINGS = {reason.slug: reason.meaning for reason in Reason}


@dataclass(frozen=True)
class Count:
    """Rows that ended alike. `ending`: settled; later (each goes on by itself in the bulk lane); parked."""

    ending: Ending
    reason: str
    rows: int
    meaning: str


@dataclass(frozen=True)
class Report:
    """`rows`: done so far; `of`: as counted beforehand, None: not known. `seconds_left` None: cannot be told.

    `create_first`: as the run was begun; `looking_again`: partitions that met so many profiles that they look first.
    `moved_at`: when the last page ended. `partitions_done` of `partitions`.
    """

    run: str
    table: str
    asked: str
    mapping: str
    state: RunState
    by: str
    started_at: datetime
    ended_at: datetime | None
    moved_at: datetime | None
    rows: int
    of: int | None
    counts: tuple[Count, ...]
    engine_calls: int
    partitions: int
    partitions_done: int
    create_first: bool
    looking_again: int
    rows_per_second: float | None
    seconds_left: float | None

    @property
    def parked(self) -> int:
        """Rows that wait for a person."""
        return sum(count.rows for count in self.counts if count.ending is Ending.PARKED)


async def report(app: App, run_id: str) -> Report:
    """`last`: the run that was begun last. Raises UnknownRunError, Outcome."""
    run = await found(app, run_id)
    return of(run, await app.resync.runs.partitions(run.id), app.ports.clock.now())


async def found(app: App, run_id: str) -> Run:
    """As `report`."""
    if run_id != "last":
        run = await app.resync.runs.run(run_id)
    else:
        run = next(iter(await app.resync.runs.runs()), None)
    if run is None:
        raise UnknownRunError(f"there is no run {run_id}")
    return run


async def follow(app: App, run_id: str, show: Callable[[Report], None]) -> Report:
    """Until the run stops, by itself or because somebody paused or cancelled it. Raises Outcome."""
    while True:
        now = await report(app, run_id)
        show(now)
        if now.state is not RunState.RUNNING:
            return now
        await app.ports.clock.sleep(POLL_S)


def of(run: Run, partitions: Sequence[Partition], now: datetime) -> Report:
    """Pure. The rate is that of the whole run; a pause makes it slower than it is."""
    done = totals(partitions)
    seconds = ((run.ended_at or now) - run.started_at).total_seconds()
    rate = done.rows / seconds if seconds > 0 and done.rows else None
    left = max(0, run.rows - done.rows) / rate if run.rows is not None and rate and not run.over else None
    counts = (Count(end, slug, rows, MEANINGS.get(slug, "")) for (end, slug), rows in sorted(done.counts.items()))
    return Report(
        run=run.id,
        table=run.scope.table,
        asked=asked(run),
        mapping=run.mapping,
        state=run.state,
        by=run.by,
        started_at=run.started_at,
        ended_at=run.ended_at,
        moved_at=done.moved_at,
        rows=done.rows,
        of=run.rows,
        counts=tuple(counts),
        engine_calls=done.calls,
        partitions=run.partitions,
        partitions_done=done.done,
        create_first=run.create_first,
        looking_again=sum(part.looks_first for part in partitions),
        rows_per_second=rate,
        seconds_left=left,
    )


def asked(run: Run) -> str:
    """Which rows, in words; a filter's text may hold personal data and is not shown."""
    scope = run.scope
    if scope.ids is not None:
        return f"{scope.ids:,} ids"
    words = ["a filter"] if scope.filter else []
    words += [f"changed since {scope.since:%Y-%m-%d %H:%M:%SZ}"] if scope.since else []
    return ", ".join(words) or "all"
