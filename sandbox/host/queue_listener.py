"""Feeds a Service Bus queue trigger from as many receivers as its load needs, together up to maxConcurrentCalls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from sandbox.host.host_json import ServiceBusOptions
from sandbox.host.queue_receiver import Work, serve

_log = logging.getLogger(__name__)
# A receiver costs a connection and half a second to open, so short bursts are left to those that are open.
_GROW_AFTER_S = 0.05
_MOST_RECEIVERS = 16
_RETIRE_AFTER_S = 30.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class QueueListener:
    """Starts with one receiver, doubles them while all are busy, lets surplus ones go when idle."""

    def __init__(self, work: Work, options: ServiceBusOptions) -> None:
        self._most = min(options.max_concurrent_calls, _MOST_RECEIVERS)
        self._work = replace(work, at_once=options.max_concurrent_calls // self._most)
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None] | None] = set()
        self._wanted = 0
        self._growth: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()
        self._in_outage = False

    def start(self) -> None:
        """Begin to listen; the broker need not be there yet."""
        self._open_more(1)

    def refuse_new(self) -> None:
        """Receive no more; messages being worked on go on and are settled."""
        self._stopping.set()
        if self._growth is not None:
            self._growth.cancel()

    async def close(self) -> None:
        """Close all receivers, which hands buffered messages back; calls should have been drained before."""
        self.refuse_new()
        tasks = set(self._tasks)
        for task in tasks - self._busy:
            task.cancel()  # it only waits: for a message, or for the broker to be back
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open_more(self, count: int) -> None:
        for _ in range(min(count, self._most - self._wanted)):
            self._wanted += 1
            task = asyncio.create_task(self._keep_serving(), name=f"receiver {self._work.function.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep_serving(self) -> None:
        """Serve, and after any failure serve again with a fresh receiver."""
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            going = _Going(self._may_go_on)
            try:
                await serve(self._work, keep_going=going, busy=self._set_busy)
            except Exception as error:  # noqa: BLE001 - a dying link raises whatever; a new receiver is the cure
                pause_s = _FIRST_PAUSE_S if going.opened else min(pause_s * 2, _LONGEST_PAUSE_S)
                self._report_outage(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause_s)
            else:
                return

    def _may_go_on(self, idle_s: float) -> bool:
        self._in_outage = False
        if self._stopping.is_set():
            return False
        if idle_s > _RETIRE_AFTER_S and self._wanted > 1:
            self._wanted -= 1
            return False
        return True

    def _set_busy(self, busy: bool) -> None:
        task = asyncio.current_task()
        if not busy:
            self._busy.discard(task)
            return
        self._busy.add(task)
        if self._growth is None and self._wanted < self._most and not self._stopping.is_set():
            self._growth = asyncio.get_running_loop().call_later(_GROW_AFTER_S, self._grow)

    def _grow(self) -> None:
        self._growth = None
        if len(self._busy) >= self._wanted:
            self._open_more(self._wanted)

    def _report_outage(self, error: Exception) -> None:
        _log.log(
            logging.DEBUG if self._in_outage else logging.WARNING,
            "%s: receiving failed (%s); trying again until it works",
            self._work.function.name,
            f"{type(error).__name__}: {error}",
        )
        self._in_outage = True


class _Going:
    """Tells how long one receiver has been idle, and remembers that it got as far as opening."""

    def __init__(self, may_go_on: Callable[[float], bool]) -> None:
        self._may_go_on = may_go_on
        self._active_at = time.monotonic()
        self.opened = False

    def __call__(self, idle: bool) -> bool:
        self.opened = True
        if not idle:
            self._active_at = time.monotonic()
        return self._may_go_on(time.monotonic() - self._active_at)
