"""How far Dynamics and the ledger are apart, and what only the sweep found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.app import App
from shared.domain.change import RecordKey, Why
from shared.domain.mapping import Mapping
from shared.domain.sweep import Phase
from shared.engine.deliver import REPAIRED
from shared.engine.failed_jobs import TALLY as FAILED_JOB
from shared.engine.row_comparison import Finding, compare_ledger, compare_rows
from shared.ports.sweep import Tally

SINCE = timedelta(days=30)
SHOWN = 20
FULL_PAGE = 1000


@dataclass(frozen=True)
class OutOfLine:
    """A record that a worker must look at, and why."""

    record: RecordKey
    why: tuple[Why, ...]


@dataclass(frozen=True)
class TableDrift:
    """`token_age_s`: of the token, or while rows are compared of that pass; None: there is neither.

    `stale`: older than SWEEP_STALE_HOURS.

    `repaired`: hints that only the sweep gave and that found work; `failed_jobs`: announcements that Dynamics gave up;
    both since `since`. `looked_at`: rows compared; `out_of_line`: how many of them; `shown`: the first few.
    """

    table: str
    phase: Phase
    token_at: datetime | None
    token_age_s: float | None
    stale: bool
    since: date
    repaired: int
    failed_jobs: int
    looked_at: int
    out_of_line: int
    shown: tuple[OutOfLine, ...]


@dataclass
class _Count:
    """Of one table, with flat memory."""

    looked_at: int = 0
    out_of_line: int = 0
    shown: tuple[OutOfLine, ...] = ()

    def add(self, looked_at: int, findings: Sequence[Finding]) -> None:
        by_record: dict[RecordKey, tuple[Why, ...]] = {}
        for finding in findings:
            by_record[finding.hint.record] = (*by_record.get(finding.hint.record, ()), finding.hint.why)
        self.looked_at += looked_at
        self.out_of_line += len(by_record)
        self.shown = (*self.shown, *(OutOfLine(*each) for each in by_record.items()))[:SHOWN]


async def measure(app: App, *, sample: int, full: bool) -> list[TableDrift]:
    """Every mapped table. Sends nothing, writes nothing, costs no engine call. Raises Outcome."""
    await app.ports.refresh_mapping()
    since = app.ports.clock.now().date() - SINCE
    repaired = await app.ports.tallies.since(REPAIRED, since)
    failed = await app.ports.tallies.since(FAILED_JOB, since)
    return [
        await _table(app, mapping, (since, _of(mapping, repaired), _of(mapping, failed)), sample=sample, full=full)
        for mapping in app.ports.mappings().tables
    ]


async def _table(app: App, mapping: Mapping, counted: tuple[date, int, int], *, sample: int, full: bool) -> TableDrift:
    position = await app.sweep.tools.positions.read(mapping.table)
    age_s = position.age_s(app.ports.clock.now())
    count = _Count()
    async for looked_at, findings in _everything(app, mapping) if full else _latest(app, mapping, sample):
        count.add(looked_at, findings)
    since, repaired, failed = counted
    return TableDrift(
        table=mapping.table,
        phase=position.phase,
        token_at=position.token_at,
        token_age_s=age_s,
        stale=age_s is not None and age_s > app.sweep.policy.stale_s,
        since=since,
        repaired=repaired,
        failed_jobs=failed,
        looked_at=count.looked_at,
        out_of_line=count.out_of_line,
        shown=count.shown,
    )


async def _latest(app: App, mapping: Mapping, sample: int) -> AsyncIterator[tuple[int, Sequence[Finding]]]:
    """The rows that were changed last: where something is missed it is missed there."""
    rows = await app.inspection.sample.rows(mapping.table, mapping.columns, mapping.lookup_columns, sample)
    ids = [row.id for row in rows]
    yield len(ids), await compare_rows(app.ports, mapping, ids, following=False)


async def _everything(app: App, mapping: Mapping) -> AsyncIterator[tuple[int, Sequence[Finding]]]:
    """As the sweep's full compare, page by page, without its hints."""
    tools, asked, last = app.sweep.tools, None, False
    while not last:
        page = await tools.changes.page(mapping.table, asked, FULL_PAGE)
        yield len(page.changed), await compare_rows(app.ports, mapping, page.changed, following=False)
        asked, last = page.next, page.last
    cursor: str | None = None
    while True:
        rows, cursor = await tools.ledger_pages.page(mapping.table, cursor)
        yield 0, await compare_ledger(app.ports, tools.changes, mapping, rows, "drift")
        if cursor is None:
            return


def _of(mapping: Mapping, tallies: Sequence[Tally]) -> int:
    return sum(tally.count for tally in tallies if tally.table == mapping.table)
