"""The sweep's work: pages of tracked changes become hints; a table's position moves once they are durable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.mapping import Mapping
from shared.domain.sweep import Phase, Position
from shared.engine.lanes import send_hints
from shared.engine.row_comparison import Finding, compare_deleted, compare_ledger, compare_rows
from shared.errors import Reason
from shared.ports import Ports
from shared.ports.sweep import PageRefusedError, SweepPorts

WHOLE_PAGE = 5000  # ids only: as many as Dataverse gives
WORK_PAGE = 1000  # each row is compared: small enough to be done again after a crash


@dataclass
class Swept:
    """What one run did with one table."""

    pages: int = 0
    rows: int = 0
    hints: int = 0


class TableSweep:
    """One table in one run, a page at a time.

    Two processes at once do each page twice at most: the hints of the second are duplicates, and only one of them can
    store the position, which ends the other's run.
    """

    def __init__(self, ports: Ports, tools: SweepPorts, mapping: Mapping, grace_s: float) -> None:
        self.ports, self.tools, self.mapping = ports, tools, mapping
        self.swept = Swept()
        self.position: Position | None = None
        self._grace = timedelta(seconds=grace_s)

    async def step(self) -> bool:
        """One page. False: the table is done, or another process works on it.

        Raises an Outcome, BusUnavailableError.
        """
        position = self.position = self.position or await self.tools.positions.read(self.mapping.table)
        after = await (self._ledger_page(position) if position.phase is Phase.LEDGER else self._page(position))
        self.swept.pages += 1
        stored = await self.tools.positions.write(after)
        self.position = stored
        return stored is not None and not stored.at_rest

    async def _page(self, position: Position) -> Position:
        asked_at = self.ports.clock.now()
        size = WHOLE_PAGE if position.phase is Phase.BEGIN else WORK_PAGE
        try:
            page = await self.tools.changes.page(self.mapping.table, position.asks_for, size)
        except PageRefusedError:
            return self._refused(position)
        self.swept.rows += len(page.changed) + len(page.deleted)
        if position.phase is not Phase.BEGIN:
            following = position.phase is Phase.FOLLOW
            await self._send(await compare_rows(self.ports, self.mapping, page.changed, following=following))
            moment = _moment(position)
            await self._send(await compare_deleted(self.ports, self.mapping, page.deleted, moment))
        return position.passed(page, asked_at)

    async def _ledger_page(self, position: Position) -> Position:
        rows, cursor = await self.tools.ledger_pages.page(self.mapping.table, position.page)
        self.swept.rows += len(rows)
        changes, moment = self.tools.changes, _moment(position)
        await self._send(await compare_ledger(self.ports, changes, self.mapping, rows, moment))
        return position.passed_ledger(cursor)

    def _refused(self, position: Position) -> Position:
        after = position.refused()
        if position.phase is Phase.FOLLOW and after.phase is Phase.ROWS:
            self.ports.telemetry.alarm("change_sweep", Reason.TOKEN_REFUSED, self.mapping.table)
        return after

    async def _send(self, findings: Sequence[Finding]) -> None:
        """What was changed just now is probably announced: its hint waits, so that it is not in the way."""
        now = self.ports.clock.now()
        fresh = [one.hint for one in findings if one.changed_at is not None and now - one.changed_at < self._grace]
        settled = [one.hint for one in findings if one.changed_at is None or now - one.changed_at >= self._grace]
        await send_hints(self.ports, *settled)
        await send_hints(self.ports, *fresh, after_s=self._grace.total_seconds())
        self.swept.hints += len(findings)


def _moment(position: Position) -> str:
    """Names the pass: a page that is read twice names its deletions alike."""
    return hashlib.sha256(f"{position.phase} {position.token}".encode()).hexdigest()[:16]
