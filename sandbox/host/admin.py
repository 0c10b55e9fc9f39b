"""The admin API, in the real host's words, for the part of it that helps on one machine."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from sandbox.host.functions import Function, HttpTrigger
from sandbox.host.host import Host
from sandbox.host.invocation import Statistics
from sandbox.host.metrics import collected


class AdminApi:
    """Lists functions, tells the host's state, fires timers, drains. It asks for no key: bind to this machine only."""

    def __init__(self) -> None:
        self._host: Host | None = None

    def attach(self, host: Host) -> None:
        """Give the API its host, which can only be built after the web server that carries the API."""
        self._host = host

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/functions", self._list),
            web.post("/admin/functions/{name}", self._fire),
            web.get("/admin/host/status", self._status),
            web.get("/admin/metrics", self._metrics),
            web.post("/admin/host/drain", self._drain),
            web.get("/admin/host/drain/status", self._drain_status),
            web.route("*", "/admin/{path:.*}", self._not_offered),
        ]

    @property
    def _attached(self) -> Host:
        if self._host is None:
            raise web.HTTPServiceUnavailable(text="the host is starting")
        return self._host

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([_described(function, self._attached.url) for function in self._attached.functions])

    async def _fire(self, request: web.Request) -> web.Response:
        """Answer 202 at once; with ?wait=1, an extra of this host, 200 or 500 (naming the exception) after the run."""
        host, name = self._attached, request.match_info["name"]
        if name not in {function.name for function in host.functions}:
            return web.json_response({"error": f"no function is called {name}"}, status=404)
        if name not in host.timers:
            return web.json_response({"error": "only timer functions can be fired by hand here"}, status=501)
        if request.query.get("wait") != "1":
            host.fire_later(name)
            return web.Response(status=202)
        outcome = await host.fire_outcome(name)
        if outcome.error is not None:
            return web.json_response({"status": "error", "exception": type(outcome.error).__name__}, status=500)
        return web.json_response({"status": "ok"})

    async def _status(self, _: web.Request) -> web.Response:
        host = self._attached
        known = host.invoker.statistics
        return web.json_response(
            {
                "state": host.state,
                "in_flight": host.invoker.in_flight,
                "functions": {
                    function.name: asdict(known.get(function.name, Statistics())) for function in host.functions
                },
            }
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        """An extra of this host: what Azure's would export to Application Insights."""
        return web.json_response(collected())

    async def _drain(self, _: web.Request) -> web.Response:
        self._attached.drain()
        return web.Response(status=202)

    async def _drain_status(self, _: web.Request) -> web.Response:
        host = self._attached
        in_flight = host.invoker.in_flight
        state = "Disabled" if host.state == "Running" else "InProgress" if in_flight else "Completed"
        return web.json_response({"state": state, "outstandingInvocations": in_flight})

    async def _not_offered(self, request: web.Request) -> web.Response:
        return web.json_response({"error": f"{request.method} {request.path} is not offered locally"}, status=501)


def _described(function: Function, url: str) -> dict[str, object]:
    trigger = function.trigger
    template = f"{url}{trigger.route.path}" if isinstance(trigger, HttpTrigger) else None
    return {
        "name": function.name,
        "language": "python",
        "isDisabled": False,
        "invoke_url_template": template,
        "config": {"bindings": list(function.bindings)},
    }
