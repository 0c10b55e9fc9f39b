"""A gate in front of table storage: requests of a chosen kind wait at it and land in the order that a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport


@dataclass(eq=False)
class Held:
    """A request at the gate. `what`: its method, and whether it is about a row, a watch or a mark.

    Its caller may be gone: it lands all the same, if it is let.
    """

    what: str
    since: datetime
    send: Callable[[], Awaitable[Any]]
    answer: asyncio.Future[Any]

    async def land(self) -> Any:
        """Storage carries it out; the caller is not told."""
        return await self.send()

    def give(self, answer: Any) -> None:
        """The caller gets the answer, if there is still one."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def lose(self) -> None:
        """The caller gets none; the request may still land."""
        if not self.answer.done():
            self.answer.set_exception(ServiceResponseError("lost"))


class Gate:
    """`now` is the virtual time. `stops`: what waits here; the rest passes. `passed` counts what was let through."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.stops: Callable[[str], bool] = lambda _what: False
        self.held: asyncio.Queue[Held] = asyncio.Queue()
        self.passed = 0

    async def through(self, what: str, send: Callable[[], Awaitable[Any]]) -> Any:
        """Raises ServiceResponseError where the answer is lost."""
        if not self.stops(what):
            self.passed += 1
            return await send()
        held = Held(what, self.now, send, asyncio.get_running_loop().create_future())
        self.held.put_nowait(held)
        return await held.answer

    async def next(self) -> Held:
        """The request that came first, taken away."""
        return await self.held.get()

    async def open(self) -> None:
        """Everything passes from now on; what waits gets no answer."""
        self.stops = lambda _what: False
        while not self.held.empty():
            self.held.get_nowait().lose()


class GatedTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core imports it lazily: untyped
    """The real transport, behind a gate."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(use_env_settings=False)
        self._gate = gate

    async def send(self, request: Any, **options: Any) -> Any:
        what = "watch" if "watch" in request.url else "mark" if "pending" in request.url else "row"
        sent = super().send
        return await self._gate.through(f"{request.method} {what}", lambda: sent(request, **options))
