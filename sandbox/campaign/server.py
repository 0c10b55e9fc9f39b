"""The HTTP side: gateway, faults of the connection, counting, and the life of the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web

from sandbox.campaign import control, gateway
from sandbox.campaign.calls import Call, Reply, parse_path
from sandbox.campaign.config import ApiClient, CampaignConfig
from sandbox.campaign.faults import BreakConnection, Refuse, RequestFault, Slow, TimeOut
from sandbox.campaign.instance import Instance
from sandbox.campaign.journal import PAGE_EVENTS_MAX, PositionGone
from sandbox.campaign.times import Clock, Sleep, wall_clock
from sandbox.campaign.upload import ExportImpossible

logger = logging.getLogger(__name__)
_SHUTDOWN_S = 0.2


class Campaign:
    """A running stand-in; `url` is where all of it listens: API, token endpoint, journal and control."""

    def __init__(self, config: CampaignConfig, now: Clock, sleep: Sleep) -> None:
        self.config = config
        self.instance = Instance(config, now)
        self.late_writes = 0
        self._sleep = sleep
        self.port = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner = web.AppRunner(
            self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )

    @property
    def url(self) -> str:
        """Return the server's origin, as `http://127.0.0.1:8081`."""
        return f"http://{self.config.host}:{self.port}"

    async def listen(self) -> None:
        """Open the port (0: any) and start the timers."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.config.host, self.config.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        self._every(self.config.privacy_every_s, self._run_privacy)
        self._every(self.config.export_every_s, self._run_export)

    async def stop(self) -> None:
        """Close the port and the database; writes still waiting for their time are lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()
        self.instance.database.close()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/ims/token/v3", self._token)
        application.router.add_route("*", "/ims/{rest:.*}", self._no_jwt)
        journal = self.config.journal
        path = f"/events/organizations/{journal.consumer_org}/integrations/{journal.integration}/{journal.registration}"
        application.router.add_get(path, self._journal)
        application.router.add_route("*", "/events/{rest:.*}", self._no_journal)
        control.add_routes(application, self.instance, lambda: self.late_writes)
        application.router.add_route("*", "/{path:.*}", self._api)
        return application

    async def _api(self, request: web.Request) -> web.StreamResponse:
        address = parse_path(request.rel_url.raw_path)
        if address is None:
            return web.json_response(gateway.refusal(500).body, status=500)
        kind = self.instance.kind(request.method, address)
        fault = self.instance.faults.take(kind, request.method)
        try:
            client = self._admitted(request, fault)
            self.instance.gateway.check_tenant(address.org)
        except gateway.Refusal as refused:
            self.instance.counters.add(request.headers.get("X-Api-Key", ""), kind, "refused")
            return _refused(refused, fault)
        base = f"{request.scheme}://{request.host}/{address.org}/campaign"
        body = await request.text()
        call = Call(request.method, address, dict(request.query), body, base, client.name, client.client_id)
        self.instance.counters.add(client.client_id, kind, "engine")
        return await self._deliver(call, fault, request)

    def _admitted(self, request: web.Request, fault: RequestFault | None) -> ApiClient:
        if isinstance(fault, Refuse):
            raise gateway.refusal(fault.status)
        return self.instance.gateway.admit(request.headers)

    async def _deliver(self, call: Call, fault: RequestFault | None, request: web.Request) -> web.StreamResponse:
        match fault:
            case Slow(seconds):
                return self._response(await asyncio.shield(self._later(call, seconds)))
            case TimeOut(hold_s, apply_after_s):
                if apply_after_s is not None:
                    self._later(call, apply_after_s)
                await self._sleep(hold_s)
                return _broken(request)
            case BreakConnection(applied):
                if applied:
                    self.instance.answer(call)
                return _broken(request)
            case _:
                return self._response(self.instance.answer(call))

    def _later(self, call: Call, seconds: float) -> asyncio.Task[Reply]:
        """Carry a request out after some seconds, whatever becomes of its connection."""

        async def wait_and_apply() -> Reply:
            try:
                await self._sleep(seconds)
                return self.instance.answer(call)
            finally:
                self.late_writes -= 1

        self.late_writes += 1
        return self._keep(wait_and_apply())

    def _response(self, reply: Reply) -> web.Response:
        if isinstance(reply.body, str) and not self.config.json_string_errors:
            return web.Response(status=reply.status, text=reply.body)
        return web.json_response(reply.body, status=reply.status)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        fault = self.instance.faults.take("ims POST", "POST")
        try:
            if isinstance(fault, Refuse):
                raise gateway.refusal(fault.status)
            form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
            return web.json_response(self.instance.gateway.issue(form))
        except gateway.Refusal as refused:
            return _refused(refused, fault)

    async def _no_jwt(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=501, text="Only OAuth server-to-server (POST /ims/token/v3) is offered.")

    async def _no_journal(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no such registration"}, status=404)

    async def _journal(self, request: web.Request) -> web.StreamResponse:
        fault = self.instance.faults.take("journal GET", "GET")
        try:
            self._admitted(request, fault)
            self.instance.gateway.check_organisation(request.headers)
        except gateway.Refusal as refused:
            return _refused(refused, fault)
        query = request.query
        limit = query.get("limit", str(PAGE_EVENTS_MAX))
        if not limit.isdecimal() or int(limit) < 1:
            return web.json_response({"message": "limit must be a positive number"}, status=400)
        try:
            page = self.instance.journal.read(query.get("since"), int(limit), query.get("latest") == "true")
        except PositionGone:
            return web.json_response({"message": "the position is unknown or has expired"}, status=410)
        link = {}
        if page.last:
            following = request.url.with_query({"since": page.last, "limit": limit})
            link = {"Link": f'<{following}>; rel="next"'}
        if not page.events:
            return web.Response(status=204, headers={**link, "retry-after": str(self.config.journal_retry_after_s)})
        body = {"events": page.events, "_page": {"last": page.last, "count": len(page.events)}}
        return web.json_response(body, headers=link)

    async def _run_privacy(self) -> None:
        self.instance.workflow.run(stages=1)

    async def _run_export(self) -> None:
        try:
            await self.instance.export.run()
        except ExportImpossible as error:
            logger.warning("scheduled opt-out export: %s", error)

    def _every(self, seconds: float | None, work: Callable[[], Awaitable[None]]) -> None:
        async def loop(period: float) -> None:
            while True:
                await self._sleep(period)
                await work()

        if seconds:
            self._keep(loop(seconds))

    def _keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("background work failed", exc_info=error)


async def start(
    config: CampaignConfig | None = None, *, now: Clock = wall_clock, sleep: Sleep = asyncio.sleep
) -> Campaign:
    """Start a stand-in in the running event loop; `stop` it at the end. Raises OSError if the port is taken.

    `now` dates everything; `sleep` passes the seconds of slow, held and late requests and of the timers.
    """
    campaign = Campaign(config or CampaignConfig(), now, sleep)
    try:
        await campaign.listen()
    except OSError:
        await campaign.stop()
        raise
    return campaign


def _refused(refused: gateway.Refusal, fault: RequestFault | None) -> web.Response:
    wait = fault.retry_after_s if isinstance(fault, Refuse) else None
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return web.json_response(refused.body, status=refused.status, headers=headers)


def _broken(request: web.Request) -> web.Response:
    """Cut the connection; the returned response goes nowhere."""
    if request.transport:
        request.transport.abort()
    return web.Response()
