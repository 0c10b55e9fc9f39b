"""What each timer does in one run, and what it says of it."""

from __future__ import annotations

import math

from shared.engine import checks, egress, optout_file
from shared.errors import Halt, Outcome
from shared.ports import Ports


class Timers:
    """A run that meets an Outcome ends early and says so: the next one goes on where it was."""

    def __init__(self, ports: Ports, *, settle_s: float, event_limit: int, event_run_s: float = math.inf) -> None:
        self.ports = ports
        self.settle_s = settle_s
        self.event_limit = event_limit
        self.event_run_s = event_run_s

    async def optout_file(self) -> None:
        """Complete files of the opt-out folder."""
        try:
            await self.ports.refresh_mapping()
            tally = await optout_file.run(self.ports, self.settle_s)
        except Outcome as outcome:
            return self._cut_short("optout_file", outcome)
        self.ports.telemetry.counted(
            "optout_file", files=tally.files, rows=tally.rows, hints=tally.hints, bad_rows=tally.bad_rows
        )
        for line in tally.bad:
            self.ports.telemetry.counted("optout_file_bad_row", where=line)

    async def event_egress(self) -> None:
        """E-mail events up to the journal's end, the limit, or the run's time."""
        try:
            done = await egress.run(self.ports, self.event_limit, self.event_run_s)
        except Outcome as outcome:
            return self._cut_short("event_egress", outcome)
        self.ports.telemetry.counted(
            "event_egress", facts=done.facts, skipped=done.skipped, unreadable=done.unreadable, at_end=done.at_end
        )

    async def ledger_checks(self) -> None:
        """Checks that are due, privacy requests that ended."""
        try:
            await self.ports.refresh_mapping()
            verified = await checks.verify_due(self.ports)
            ended = await checks.follow_privacy_requests(self.ports)
        except Outcome as outcome:
            return self._cut_short("ledger_checks", outcome)
        self.ports.telemetry.counted("ledger_checks", verified=verified, privacy_ended=ended)

    def _cut_short(self, timer: str, outcome: Outcome) -> None:
        if isinstance(outcome, Halt):
            self.ports.telemetry.alarm(timer, outcome.reason, outcome.detail)
        self.ports.telemetry.counted(f"{timer}_cut_short", reason=outcome.reason.slug)
