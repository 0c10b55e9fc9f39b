"""A server that does as it is told: answers in a given order, holds, hangs up, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

LONGEST_ADDRESS = 2 * 32 * 1024
Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def reply(status: int = 200, document: object = None, *, text: str | None = None, **headers: str) -> Act:
    """Answer. Header names are given with underscores."""

    async def act(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = text if text is not None else "" if document is None else json.dumps(document)
        return web.Response(status=status, body=body.encode(), headers=named)

    return act


async def hold(_request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stop_half_way(request: web.Request) -> web.StreamResponse:
    """Cut the connection in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"value": ')
    assert request.transport is not None
    request.transport.abort()
    return response


@dataclass
class ScriptedServer:
    """Acts in the order of `script`; when that is empty, as `always` says."""

    always: Act = field(default_factory=lambda: reply(599, text="nothing scripted"))
    script: deque[Act] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    port: int = 0
    _transports: set[asyncio.Transport] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def will(self, *acts: Act) -> None:
        self.script.extend(acts)

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._act)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            max_line_size=LONGEST_ADDRESS,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0.01)  # the loop closes aborted sockets in a later turn

    async def _act(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        self.asked.append(Asked(request.method, request.raw_path, dict(request.headers), await request.read()))
        return await (self.script.popleft() if self.script else self.always)(request)
