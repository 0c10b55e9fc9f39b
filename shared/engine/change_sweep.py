"""The sweep timer: every mapped table a page at a time in turn, then the announcements that Dynamics gave up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.engine import failed_jobs
from shared.engine.sweep import TableSweep
from shared.errors import Halt, Outcome, Reason
from shared.ports import BusUnavailableError, Ports
from shared.ports.sweep import SweepPorts

TIMER = "change_sweep"


@dataclass(frozen=True)
class SweepPolicy:
    """`run_s`: how long a run begins new pages, while it has sent fewer than `most_hints`.

    `grace_s`: how long after a change its announcement is waited for. `stale_s`: a token that is older is an alarm,
    well before Dynamics refuses it.
    """

    run_s: float = 150
    grace_s: float = 60
    stale_s: float = 2 * 86_400
    most_hints: int = 10_000


class ChangeSweep:
    """A run that is cut short says so and the next goes on; a table that fails holds up no other."""

    def __init__(self, ports: Ports, tools: SweepPorts, policy: SweepPolicy) -> None:
        self.ports, self.tools, self.policy = ports, tools, policy

    async def run(self) -> None:
        """One run, as far as its time goes."""
        try:
            await self.ports.refresh_mapping()
        except Outcome as outcome:
            return self._cut_short(outcome)
        grace_s = self.policy.grace_s
        tables = [TableSweep(self.ports, self.tools, mapping, grace_s) for mapping in self.ports.mappings().tables]
        whole = await self._sweep(tables)
        whole = await self._report_jobs() and whole
        for table in tables:
            self._look_at_token(table)
        if whole:
            self.ports.telemetry.counted(
                TIMER,
                tables=len(tables),
                pages=sum(table.swept.pages for table in tables),
                rows=sum(table.swept.rows for table in tables),
                hints=sum(table.swept.hints for table in tables),
            )

    async def _sweep(self, tables: Sequence[TableSweep]) -> bool:
        """In turns, so that a table with much to do leaves time for the others. False: one was cut short."""
        end = self.ports.clock.now() + timedelta(seconds=self.policy.run_s)
        whole, open_ = True, list(tables)
        while open_:
            for table in list(open_):
                if self.ports.clock.now() >= end or sum(one.swept.hints for one in tables) >= self.policy.most_hints:
                    return whole
                try:
                    more = await table.step()
                except (Outcome, BusUnavailableError) as error:
                    self._cut_short(error, table.mapping.table)
                    whole = more = False
                if not more:
                    open_.remove(table)
        return whole

    async def _report_jobs(self) -> bool:
        try:
            await failed_jobs.report(self.ports, self.tools.jobs)
        except Outcome as outcome:
            self._cut_short(outcome, "asyncoperation")
            return False
        return True

    def _look_at_token(self, table: TableSweep) -> None:
        if table.position is None:
            return
        age_s = table.position.age_s(self.ports.clock.now())
        if age_s is not None and age_s > self.policy.stale_s:
            detail = f"{table.mapping.table}: {age_s / 86_400:.1f} days, {table.position.phase}"
            self.ports.telemetry.alarm(TIMER, Reason.TOKEN_STALE, detail)

    def _cut_short(self, error: Outcome | BusUnavailableError, table: str = "") -> None:
        if isinstance(error, Halt):
            self.ports.telemetry.alarm(TIMER, error.reason, f"{table}: {error.detail}" if table else error.detail)
        reason = error.reason.slug if isinstance(error, Outcome) else str(error)
        more = {"table": table, "detail": error.detail if isinstance(error, Outcome) else ""}
        told = {name: text for name, text in more.items() if text}
        self.ports.telemetry.counted(f"{TIMER}_cut_short", reason=reason, **told)
