"""What each timer does in one run, and what it says of it."""

from __future__ import annotations

import math

from shared.domain.optout_file import FilePolicy
from shared.engine import checks, egress, optout_file, optout_folder
from shared.engine.event_files import EventFiles
from shared.errors import Halt, Outcome, Reason
from shared.ports import JournalSeals, Ports


class Timers:
    """A run that meets an Outcome ends early and says so: the next one goes on where it was."""

    def __init__(
        self,
        ports: Ports,
        files: FilePolicy,
        seals: JournalSeals,
        *,
        event_limit: int,
        event_run_s: float = math.inf,
        event_files: EventFiles | None = None,
    ) -> None:
        self.ports = ports
        self.files = files
        self.seals = seals
        self.event_limit = event_limit
        self.event_run_s = event_run_s
        self.event_files = event_files

    async def optout_file(self) -> None:
        """Complete files of the opt-out folder."""
        try:
            await self.ports.refresh_mapping()
            tally = await optout_file.run(self.ports, self.files)
        except Outcome as outcome:
            return self._cut_short("optout_file", outcome)
        self.ports.telemetry.counted(
            "optout_file",
            files=tally.files,
            rows=tally.rows,
            hints=tally.hints,
            bad_rows=tally.bad_rows,
            expected=optout_folder.is_expected(self.ports, self.files),
        )
        for line in tally.bad:
            self.ports.telemetry.counted("optout_file_bad_row", where=line)

    async def event_egress(self) -> None:
        """E-mail events up to the end of the journal or of the log files, the limit, or the run's time."""
        try:
            done = await self._events()
        except Outcome as outcome:
            return self._cut_short("event_egress", outcome)
        self.ports.telemetry.counted(
            "event_egress", facts=done.facts, skipped=done.skipped, unreadable=done.unreadable, at_end=done.at_end
        )

    async def _events(self) -> egress.Egress:
        if self.event_files is not None:
            return await self.event_files.run(self.event_limit, self.event_run_s)
        return await egress.run(self.ports, self.event_limit, self.event_run_s)

    async def ledger_checks(self) -> None:
        """Checks that are due, privacy requests that ended."""
        try:
            await self.ports.refresh_mapping()
            verified = await checks.verify_due(self.ports)
            ended = await checks.follow_privacy_requests(self.ports)
        except Outcome as outcome:
            return self._cut_short("ledger_checks", outcome)
        self.ports.telemetry.counted("ledger_checks", verified=verified, privacy_ended=ended)

    async def journal_seal(self) -> None:
        """Days of the opt-out journal that are over. The seal's hash in the log is a proof outside the journal."""
        try:
            async for sealed in self.seals.seal(self.ports.clock.now()):
                day = sealed.day.isoformat()
                for fault in sealed.faults:
                    self.ports.telemetry.alarm("journal_seal", Reason.JOURNAL_BROKEN, fault)
                self.ports.telemetry.counted("journal_seal", day=day, entries=sealed.entries, hash=sealed.hash)
        except Outcome as outcome:
            return self._cut_short("journal_seal", outcome)

    def _cut_short(self, timer: str, outcome: Outcome) -> None:
        if isinstance(outcome, Halt):
            self.ports.telemetry.alarm(timer, outcome.reason, outcome.detail)
        detail = {"detail": outcome.detail} if outcome.detail else {}
        self.ports.telemetry.counted(f"{timer}_cut_short", reason=outcome.reason.slug, **detail)
