"""Runs functions: timeout, threads for synchronous code, and the account of what ran and what is in flight."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox.host.context import Context, current_invocation
from sandbox.host.errors import FunctionTimeoutError, InvocationStoppedError
from sandbox.host.functions import Function, HttpTrigger
from sandbox.host.http_messages import encode_response

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a call ended: `value` is an HttpReply for HTTP functions and None for others; `error` is set on failure."""

    value: Any = None
    error: Exception | None = None


@dataclass
class Statistics:
    """Totals of one function since the host started; `last_duration_s` is None before the first call ends."""

    invocations: int = 0
    failures: int = 0
    in_flight: int = 0
    last_duration_s: float | None = None


@dataclass
class Invoker:
    """Calls functions and keeps count. `kill`, if given, is called instead of raising when a function times out."""

    app_dir: Path
    timeout: timedelta | None
    kill: Callable[[], None] | None = None
    statistics: dict[str, Statistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(_thread_count(), thread_name_prefix="function")
        self._calls: set[asyncio.Task[Any]] = set()
        self.busy_threads = 0

    @property
    def in_flight(self) -> int:
        return len(self._calls)

    async def invoke(self, function: Function, argument: Callable[[], object], reason: str) -> Outcome:
        """Call `function` with what `argument` builds; errors of the app become the outcome, not exceptions.

        `argument` runs inside the call, so that input which cannot be built counts as a failed call. Cancelling the
        caller cancels the call.
        """
        invocation_id = str(uuid.uuid4())
        task = asyncio.create_task(self._run(function, argument, invocation_id, reason), name=f"call {function.name}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        outcome = await task
        caller = asyncio.current_task()
        if caller is not None and caller.cancelling():
            raise asyncio.CancelledError  # the call took the caller's cancellation as its own
        return outcome

    async def drain(self, seconds: float) -> None:
        """Wait for calls in flight, then cancel what is left. Python code in threads cannot be cancelled."""
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=seconds)
        left = set(self._calls)
        for call in left:
            call.cancel("host stops")
        if left:
            _log.warning("%d calls did not end within %.0f s and were cancelled", len(left), seconds)
            await asyncio.wait(left)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(
        self, function: Function, argument: Callable[[], object], invocation_id: str, reason: str
    ) -> Outcome:
        current_invocation.set((function.name, invocation_id))
        account = self.statistics.setdefault(function.name, Statistics())
        account.invocations += 1
        account.in_flight += 1
        started = time.monotonic()
        _log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation_id)
        try:
            outcome = await self._outcome(function, argument, invocation_id)
        finally:
            account.in_flight -= 1
            account.last_duration_s = time.monotonic() - started
        account.failures += outcome.error is not None
        self._report(function, invocation_id, outcome, account.last_duration_s)
        return outcome

    async def _outcome(self, function: Function, argument: Callable[[], object], invocation_id: str) -> Outcome:
        try:
            return Outcome(value=await self._limited(function, argument, invocation_id))
        except asyncio.CancelledError:
            return Outcome(error=InvocationStoppedError(f"{function.name} was cancelled"))
        except Exception as error:  # noqa: BLE001 - whatever the app raises is its outcome
            return Outcome(error=error)

    async def _limited(self, function: Function, argument: Callable[[], object], invocation_id: str) -> object:
        limit = asyncio.timeout(self.timeout.total_seconds() if self.timeout else None)
        try:
            async with limit:
                result = await self._call(function, argument(), invocation_id)
        except TimeoutError:
            if not limit.expired():
                raise
            self._timed_out(function, invocation_id)
        return _checked(function, result)

    def _timed_out(self, function: Function, invocation_id: str) -> None:
        message = f"{function.name} ran longer than functionTimeout ({self.timeout})"
        if self.kill is not None:
            _log.error("%s, Id=%s: the worker process ends, with everything in flight in it", message, invocation_id)
            self.kill()
        raise FunctionTimeoutError(message)

    async def _call(self, function: Function, argument: object, invocation_id: str) -> object:
        arguments: dict[str, object] = {function.parameter: argument}
        if function.wants_context:
            arguments["context"] = Context(
                function_name=function.name,
                function_directory=str(self.app_dir),
                invocation_id=invocation_id,
            )
        if function.is_async:
            result: object = await function.call(**arguments)
            return result
        work = functools.partial(contextvars.copy_context().run, self._in_thread, function.call, arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _in_thread(self, call: Callable[..., object], arguments: dict[str, object]) -> object:
        self.busy_threads += 1
        try:
            return call(**arguments)
        finally:
            self.busy_threads -= 1

    def _report(self, function: Function, invocation_id: str, outcome: Outcome, duration_s: float) -> None:
        state = "Succeeded" if outcome.error is None else "Failed"
        _log.log(
            logging.INFO if outcome.error is None else logging.ERROR,
            "Executed 'Functions.%s' (%s, Id=%s, Duration=%.0fms)",
            function.name,
            state,
            invocation_id,
            duration_s * 1000,
            exc_info=outcome.error,
        )


def _checked(function: Function, result: object) -> object:
    if isinstance(function.trigger, HttpTrigger):
        return encode_response(result)
    if result is not None:
        raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")
    return None


def _thread_count() -> int:
    # The worker's own rule, including the setting that overrides it.
    configured = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    return int(configured) if configured.isdecimal() and int(configured) > 0 else min(32, (os.cpu_count() or 1) + 4)
