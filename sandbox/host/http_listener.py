"""Serves HTTP triggers under their routes, with keys and Azure's time limit, next to the admin API."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from sandbox.host.errors import ConfigurationRefusedError
from sandbox.host.functions import Function, HttpTrigger
from sandbox.host.http_messages import HttpReply, decode_request
from sandbox.host.invocation import Invoker, Outcome

_log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 100 * 1024 * 1024
RESPONSE_LIMIT = timedelta(seconds=230)


class HttpListener:
    """The web server of the host.

    With a `function_key`, functions above anonymous level want it as `?code=` or `x-functions-key`; without one, no
    key is asked for, as Core Tools has it on a developer's machine. A call that has no answer after `limit` gets 504
    and runs on, as behind Azure's load balancer.
    """

    def __init__(
        self,
        functions: Sequence[Function],
        invoker: Invoker,
        *,
        function_key: str | None,
        limit: timedelta,
    ) -> None:
        self._routed = sorted(
            ((function.trigger, function) for function in functions if isinstance(function.trigger, HttpTrigger)),
            key=lambda pair: pair[0].route.rank,
        )
        self._invoker = invoker
        self._function_key = function_key
        self._limit = limit
        self._late: set[asyncio.Task[Outcome]] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.url = ""

    async def start(self, host: str, port: int, admin_routes: Sequence[web.RouteDef]) -> None:
        """Listen on `host`:`port` (0 picks a free port).

        Raises ConfigurationRefusedError when the address cannot be had.
        """
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(admin_routes)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # The function gets the bytes that were sent, so nothing is decompressed on the way.
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            listening = socket.create_server((host, port))
        except OSError as error:
            raise ConfigurationRefusedError(f"cannot listen on {host}:{port}: {error}") from error
        self.port = listening.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        await web.SockSite(self._runner, listening).start()

    async def refuse_new(self) -> None:
        """Close the listening socket; requests in flight go on."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.Response:
        found = self._find(request)
        if found is None:
            return web.Response(status=404)
        trigger, function, route_params = found
        if trigger.keyed and not self._has_key(request):
            return web.Response(status=401)
        body = await request.read()
        call = asyncio.create_task(
            self._invoker.invoke(
                function,
                lambda: decode_request(request, body, route_params),
                "This function was programmatically called via the host APIs.",
            )
        )
        return _response(await self._in_time(function, call))

    def _find(self, request: web.Request) -> tuple[HttpTrigger, Function, dict[str, str]] | None:
        path = request.raw_path.partition("?")[0]
        for trigger, function in self._routed:
            # A route with other methods does not exist for this request: 404, not 405, as on Azure.
            route_params = trigger.route.parameters(path) if trigger.route.accepts(request.method) else None
            if route_params is not None:
                return trigger, function, route_params
        return None

    def _has_key(self, request: web.Request) -> bool:
        if self._function_key is None:
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code", "")
        return hmac.compare_digest(given.encode(), self._function_key.encode())

    async def _in_time(self, function: Function, call: asyncio.Task[Outcome]) -> HttpReply:
        done, _ = await asyncio.wait({call}, timeout=self._limit.total_seconds())
        if not done:
            self._late.add(call)
            call.add_done_callback(self._late.discard)
            _log.error("%s gave no answer within %s; the caller gets 504", function.name, self._limit)
            return HttpReply(status=504)
        outcome = call.result()
        return HttpReply(status=500) if outcome.error is not None else outcome.value


def _response(reply: HttpReply) -> web.Response:
    response = web.Response(status=reply.status, body=reply.body)
    # aiohttp's own default content type would be sent beside the function's.
    response.headers.popall("Content-Type", None)
    for name, value in reply.headers:
        if name.lower() not in {"content-length", "transfer-encoding"}:
            response.headers.add(name, value)
    return response
