"""The running host: what it serves, how timers are fired by hand, how it drains and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from sandbox.host.functions import Function
from sandbox.host.http_listener import HttpListener
from sandbox.host.invocation import Invoker, Outcome
from sandbox.host.queue_listener import QueueListener
from sandbox.host.timer_listener import TimerListener


@dataclass(frozen=True)
class Listeners:
    """Everything that can start a call. `timers` is keyed by function name."""

    http: HttpListener
    queues: Sequence[QueueListener]
    timers: Mapping[str, TimerListener]


class Host:
    """One app, served in this process and event loop. Made by `sandbox.host.start`."""

    def __init__(
        self,
        *,
        app_module: ModuleType,
        functions: Sequence[Function],
        invoker: Invoker,
        listeners: Listeners,
        drain_s: float,
    ) -> None:
        """`drain_s` bounds the wait for calls in flight when stopping."""
        self.app_module = app_module
        self.functions = tuple(functions)
        self.invoker = invoker
        self._listeners = listeners
        self._release: Callable[[], Awaitable[None]] | None = None
        self._drain_s = drain_s
        self._firing: set[asyncio.Task[Outcome]] = set()
        self._draining = False
        self._stopped = False

    def keep(self, release: Callable[[], Awaitable[None]]) -> None:
        """Take over `release`, which undoes what starting did to the process; `stop` ends with it."""
        self._release = release

    @property
    def port(self) -> int:
        return self._listeners.http.port

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash; routes stand under the prefix of host.json ("/api")."""
        return self._listeners.http.url

    @property
    def state(self) -> str:
        """Running, Draining or Stopped."""
        return "Stopped" if self._stopped else "Draining" if self._draining else "Running"

    @property
    def timers(self) -> frozenset[str]:
        return frozenset(self._listeners.timers)

    async def fire(self, name: str) -> None:
        """Run a timer function once and wait for it.

        Raises LookupError when no timer function has this name, and whatever the function raises.
        """
        outcome = await self.fire_outcome(name)
        if outcome.error is not None:
            raise outcome.error

    async def fire_outcome(self, name: str) -> Outcome:
        """Like `fire`, but hands the function's error over instead of raising it."""
        if name not in self._listeners.timers:
            raise LookupError(f"no timer function is called {name!r}")
        return await self._listeners.timers[name].fire()

    def fire_later(self, name: str) -> None:
        """Start a run of a timer function without waiting; raises LookupError like `fire`."""
        if name not in self._listeners.timers:
            raise LookupError(f"no timer function is called {name!r}")
        task = asyncio.create_task(self._listeners.timers[name].fire(), name=f"fire {name}")
        self._firing.add(task)
        task.add_done_callback(self._firing.discard)

    def drain(self) -> None:
        """Start no further calls from queues and timers, for good; HTTP goes on, as in the real host's drain mode."""
        self._draining = True
        for queue in self._listeners.queues:
            queue.refuse_new()
        for timer in self._listeners.timers.values():
            timer.refuse_new()

    async def stop(self) -> None:
        """Let calls in flight end for up to the drain time, cancel the rest, close everything. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        await self._listeners.http.refuse_new()
        self.drain()
        await self.invoker.drain(self._drain_s)
        await asyncio.gather(
            *(queue.close() for queue in self._listeners.queues),
            *(timer.close() for timer in self._listeners.timers.values()),
            *self._firing,
        )
        await self._listeners.http.close()
        if self._release is not None:
            await self._release()

    async def __aenter__(self) -> Host:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
