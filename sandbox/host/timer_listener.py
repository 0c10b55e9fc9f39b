"""Fires a timer trigger at its times, one run at a time, and by hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

import azure.functions as func
from azure.functions.timer import TimerRequest

from sandbox.host.functions import Function, TimerTrigger
from sandbox.host.invocation import Invoker, Outcome
from sandbox.host.timer_state import Clock, ScheduleStatus, TimerState, opening_status

_log = logging.getLogger(__name__)
# Long waits are cut up, so that a machine that slept, or a clock that was set, is noticed.
_LONGEST_SLEEP_S = 30.0


class TimerListener:
    """Runs one timer function on schedule until stopped; a failed run does not stop the schedule."""

    def __init__(
        self, function: Function, trigger: TimerTrigger, invoker: Invoker, state: TimerState, now: Clock
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._invoker = invoker
        self._state = state
        self._now = now
        self._one_run = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._monitored = trigger.use_monitor and _at_least_a_minute(trigger, now())
        known = state.get(function.name) if self._monitored else None
        self._status, self._past_due = opening_status(known, trigger.schedule, now())

    def start(self) -> None:
        self._remember(self._status)
        self._task = asyncio.create_task(self._keep_time(), name=f"timer {self._function.name}")

    def refuse_new(self) -> None:
        """Start no further scheduled runs; one in progress goes on."""
        self._stopping.set()

    async def close(self) -> None:
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def fire(self) -> Outcome:
        """Run once now, after a run in progress; the schedule is not moved."""
        async with self._one_run:
            return await self._call(
                past_due=False, reason="This function was programmatically called via the host APIs."
            )

    async def _keep_time(self) -> None:
        if self._past_due:
            _log.info("Function '%s' is past due: a run was missed while the host was down", self._function.name)
            await self._scheduled_run(past_due=True, unscheduled=True)
        elif self._trigger.run_on_startup:
            await self._scheduled_run(past_due=False, unscheduled=True)
        while await self._wait_until(self._status.next):
            await self._scheduled_run(past_due=False, unscheduled=False)

    async def _wait_until(self, moment: datetime) -> bool:
        """Return True at `moment`, or False as soon as the timer stops."""
        while not self._stopping.is_set():
            left_s = (moment - self._now()).total_seconds()
            if left_s <= 0:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(left_s, _LONGEST_SLEEP_S))
        return False

    async def _scheduled_run(self, *, past_due: bool, unscheduled: bool) -> None:
        async with self._one_run:
            if self._stopping.is_set():
                return
            began = self._now()
            await self._call(past_due=past_due, reason=f"Timer fired at {began.isoformat()}")
        # A run that outlasts its interval leaves `next` in the past: one late run follows at once, not several.
        counted_from = began if unscheduled else max(began, self._status.next)
        self._remember(
            ScheduleStatus(
                last=counted_from, next=self._trigger.schedule.next_after(counted_from), updated=counted_from
            )
        )

    async def _call(self, *, past_due: bool, reason: str) -> Outcome:
        return await self._invoker.invoke(self._function, lambda: self._request(past_due), reason)

    def _request(self, past_due: bool) -> func.TimerRequest:
        return TimerRequest(
            past_due=past_due,
            schedule_status=dict(self._status.to_json()) if self._monitored else None,
            schedule={"AdjustForDST": True},
        )

    def _remember(self, status: ScheduleStatus) -> None:
        self._status = status
        if not self._monitored:
            return
        try:
            self._state.put(self._function.name, status)
        except OSError:
            _log.exception(
                "the state of timer %s could not be stored; a missed run may go unnoticed", self._function.name
            )


def _at_least_a_minute(trigger: TimerTrigger, now: datetime) -> bool:
    # Azure does not monitor timers that fire more often than that.
    first = trigger.schedule.next_after(now)
    return trigger.schedule.next_after(first) - first >= timedelta(minutes=1)
