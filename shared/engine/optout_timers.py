"""The opt-out lane's own timers: the poll of Campaign, and the watch on deadlines."""

from __future__ import annotations

from shared import priority
from shared.engine import optout_deadlines, optout_poll
from shared.errors import Halt, Outcome
from shared.ports import BusUnavailableError, Ports
from shared.priority import Priority


class OptOutTimers:
    """A run that is cut short says so; the next one begins anew. `polls`: whether `poll` does anything.

    Their calls are as urgent as the lane's: no other work goes before them, and no budget holds them up.
    """

    def __init__(self, ports: Ports, *, polls: bool) -> None:
        self.ports = ports
        self.polls = polls

    async def poll(self) -> None:
        """Opt-outs that changed in Campaign since the last whole run."""
        if not self.polls:
            return None
        try:
            await self.ports.refresh_mapping()
            with priority.of(Priority.FIRST):
                polled = await optout_poll.run(self.ports)
        except (Outcome, BusUnavailableError) as error:
            return self._cut_short("optout_poll", error)
        self.ports.telemetry.counted("optout_poll", profiles=polled.profiles, hints=polled.hints)

    async def deadlines(self) -> None:
        """Opt-outs that wait for too long."""
        try:
            await self.ports.refresh_mapping()
            with priority.of(Priority.FIRST):
                watch = await optout_deadlines.run(self.ports)
        except (Outcome, BusUnavailableError) as error:
            return self._cut_short("optout_deadlines", error)
        self.ports.telemetry.counted(
            "optout_deadlines", waiting=watch.waiting, overdue=watch.overdue, unseen=watch.unseen
        )

    def _cut_short(self, timer: str, error: Outcome | BusUnavailableError) -> None:
        if isinstance(error, Halt):
            self.ports.telemetry.alarm(timer, error.reason, error.detail)
        reason = error.reason.slug if isinstance(error, Outcome) else str(error)
        self.ports.telemetry.counted(f"{timer}_cut_short", reason=reason)
