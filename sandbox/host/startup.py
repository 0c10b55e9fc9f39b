"""Starts a host: settings, host.json, the app's import, indexing, listeners, in the order that Azure has them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.host.admin import AdminApi
from sandbox.host.functions import Function, QueueTrigger, TimerTrigger
from sandbox.host.host import Host, Listeners
from sandbox.host.host_json import HostOptions, read_host_json
from sandbox.host.http_listener import RESPONSE_LIMIT, HttpListener
from sandbox.host.indexing import index
from sandbox.host.invocation import Invoker
from sandbox.host.loading import LoadedApp
from sandbox.host.queue_connections import QueueConnections
from sandbox.host.queue_listener import QueueListener
from sandbox.host.queue_receiver import Work
from sandbox.host.settings import ProcessEnvironment
from sandbox.host.timer_listener import TimerListener
from sandbox.host.timer_state import Clock, TimerState

_running: list[Path] = []


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Plan:
    """What `start` was asked for."""

    app_dir: Path
    host: str
    port: int
    state_dir: Path | None
    function_key: str | None
    drain_s: float
    response_limit: timedelta
    kill_on_timeout: Callable[[], None] | None
    now: Clock


async def start(
    app_dir: Path | str,
    settings: Mapping[str, str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    state_dir: Path | str | None = None,
    function_key: str | None = None,
    drain_s: float = 10.0,
    response_limit: timedelta = RESPONSE_LIMIT,
    kill_on_timeout: Callable[[], None] | None = None,
    now: Clock = _utc_now,
) -> Host:
    """Load `app_dir`/function_app.py and run its triggers in this event loop until `Host.stop`.

    `settings` become environment variables before the app is imported, and are taken out again by `stop`. `port` 0
    picks a free one. `state_dir` keeps the timers' schedule status; without it, missed runs are not noticed.
    `drain_s` is how long `stop` waits for calls, `response_limit` how long an HTTP caller waits for its answer.
    `kill_on_timeout` is called when a function exceeds functionTimeout, where the real host kills the worker process.

    Raises ConfigurationRefusedError for anything in the app, host.json, settings or port that cannot be had or run,
    RuntimeError when this process already runs a host (an app owns the environment and the module name function_app),
    and what the app itself raises on import.
    """
    plan = _Plan(
        app_dir=Path(app_dir),
        host=host,
        port=port,
        state_dir=None if state_dir is None else Path(state_dir),
        function_key=function_key,
        drain_s=drain_s,
        response_limit=response_limit,
        kill_on_timeout=kill_on_timeout,
        now=now,
    )
    async with AsyncExitStack() as undo:
        undo.enter_context(_only_host(plan.app_dir))
        started = await _start(plan, settings, undo)
        started.keep(undo.pop_all().aclose)
        return started


async def _start(plan: _Plan, settings: Mapping[str, str], undo: AsyncExitStack) -> Host:
    options = read_host_json(plan.app_dir)
    environment = ProcessEnvironment(settings)
    environment.apply()
    undo.callback(environment.restore)
    app = LoadedApp(plan.app_dir)
    undo.callback(app.unload)
    functions = index(app.register, os.environ, options.route_prefix)
    invoker = Invoker(app.directory, options.function_timeout, plan.kill_on_timeout)
    connections = QueueConnections(options.service_bus)
    undo.push_async_callback(connections.close)
    admin = AdminApi()
    listeners = Listeners(
        http=HttpListener(functions, invoker, function_key=plan.function_key, limit=plan.response_limit),
        queues=_queues(plan, functions, invoker, connections, options),
        timers=_timers(plan, functions, invoker),
    )
    started = Host(
        app_module=app.module, functions=functions, invoker=invoker, listeners=listeners, drain_s=plan.drain_s
    )
    admin.attach(started)
    undo.push_async_callback(listeners.http.close)
    await listeners.http.start(plan.host, plan.port, admin.routes())
    for queue in listeners.queues:
        queue.start()
    for timer in listeners.timers.values():
        timer.start()
    return started


@contextlib.contextmanager
def _only_host(app_dir: Path) -> Iterator[None]:
    if _running:
        raise RuntimeError(f"this process already hosts {_running[0]}; start the second host in a process of its own")
    _running.append(app_dir)
    try:
        yield
    finally:
        _running.clear()


def _queues(
    plan: _Plan,
    functions: tuple[Function, ...],
    invoker: Invoker,
    connections: QueueConnections,
    options: HostOptions,
) -> tuple[QueueListener, ...]:
    return tuple(
        QueueListener(
            Work(
                function=function,
                invoker=invoker,
                connect=connections.receivers_of(function.trigger),
                max_lock_renewal=options.service_bus.max_auto_lock_renewal,
                now=plan.now,
            ),
            options.service_bus,
        )
        for function in functions
        if isinstance(function.trigger, QueueTrigger)
    )


def _timers(plan: _Plan, functions: tuple[Function, ...], invoker: Invoker) -> dict[str, TimerListener]:
    state = TimerState(None if plan.state_dir is None else plan.state_dir / "timers.json")
    return {
        function.name: TimerListener(function, function.trigger, invoker, state, plan.now)
        for function in functions
        if isinstance(function.trigger, TimerTrigger)
    }
