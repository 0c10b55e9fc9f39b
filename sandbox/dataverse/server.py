"""The HTTPS server: identity, Web API and control on one port, inside whatever event loop is running."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from aiohttp import web

from sandbox.dataverse.api import Api
from sandbox.dataverse.config import ApplicationUser, DataverseConfig
from sandbox.dataverse.control import PREFIX, Control
from sandbox.dataverse.dispatcher import Dispatcher
from sandbox.dataverse.errors import ApiError, resource_not_found
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.faults import Fault, throttled, unavailable
from sandbox.dataverse.identity import Identity, OAuthError
from sandbox.dataverse.operation import Caller, Operation
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.protection import Protection
from sandbox.dataverse.resource import api_path
from sandbox.dataverse.values import Row, is_guid
from sandbox.dataverse.wishes import wished

_log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 128 * 1024 * 1024
_MAX_URL_BYTES = 32 * 1024
_CLOSING_S = 0.01
Now = Callable[[], datetime]


def _system_now() -> datetime:
    return datetime.now(UTC)


class Dataverse:
    """A running stand-in. `url` is the organisation's address, `port` where it listens."""

    def __init__(self, org: Organization, port: int) -> None:
        self.org = org
        self.port = port
        self.url = org.origin
        config = org.config
        signing_key = org.store.secret("signing_key", Identity.fresh_key())
        self._identity = Identity(config, org.origin, signing_key, org.now)
        self._api = Api(org)
        self.protection = Protection(config.limits, org.now)
        self.dispatcher = Dispatcher(config, org.store, org.jobs, org.schema.tables["serviceendpoint"], org.now)
        org.pipeline.wake = self.dispatcher.wake
        self._control = Control(org, self.dispatcher, self.protection)
        self._runner: web.AppRunner | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Begin to answer on a bound socket and to send webhooks."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, max_line_size=2 * _MAX_URL_BYTES, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self.org.config.tls.server_context()).start()
        await self.dispatcher.start(f"localhost:{self.port}")

    async def stop(self) -> None:
        """Stop answering and sending; queued webhooks stay in the state file."""
        await self.dispatcher.stop()
        if self._runner is not None:
            await self._close_connections(self._runner)
        self.org.store.close()

    @staticmethod
    async def _close_connections(runner: web.AppRunner) -> None:
        """Not every client says goodbye in TLS, so after the orderly end the connections are cut."""
        handlers = runner.server.connections if runner.server is not None else []
        transports = [handler.transport for handler in handlers if handler.transport is not None]
        await runner.cleanup()
        for transport in transports:
            transport.abort()
        await asyncio.sleep(_CLOSING_S)

    async def _configuration(self, request: web.Request) -> web.Response:
        return web.json_response(self._identity.configuration(request.match_info["tenant"]))

    async def _token(self, request: web.Request) -> web.Response:
        self.org.counters.tokens += 1
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        try:
            return web.json_response(self._identity.token(request.match_info["tenant"], form))
        except OAuthError as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            if request.path.startswith(PREFIX):
                body = await request.read()
                return web.json_response(await self._control.answer(request.method, request.path, body))
            return await self._guarded(request)
        except ApiError as error:
            return _web(ApiResponse.of_error(error), {})

    async def _guarded(self, request: web.Request) -> web.Response:
        """A call that a fault may strike before or after its work."""
        fault = self.org.faults.api(request.method, request.path)
        if fault is None:
            return await self._call(request)
        if fault.effect == "slow":
            await asyncio.sleep(fault.wait_s(1.0))
            return await self._call(request)
        if fault.stage == "after":
            await self._call(request)
        return self._struck(fault, request)

    def _struck(self, fault: Fault, request: web.Request) -> web.Response:
        if fault.effect == "throttle":
            raise throttled(fault.reason, 1 if fault.retry_after is None else fault.retry_after)
        if fault.effect == "unavailable":
            raise unavailable(fault.retry_after)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    async def _call(self, request: web.Request) -> web.Response:
        raw_path, _, query_string = request.raw_path.partition("?")
        path = api_path(raw_path)
        if path is None:
            raise resource_not_found(request.path)
        if len(request.raw_path) > _MAX_URL_BYTES:
            raise ApiError(414, "0x80060888", "The URL is longer than 32 KB.")
        user = self._identity.user(request.headers.get("Authorization", ""))
        self.protection.enter(user.user_id)
        began = asyncio.get_running_loop().time()
        try:
            body = await request.read()
            response = self._api.call(self._request(request, user, path, query_string, body))
        finally:
            self.protection.leave(user.user_id, asyncio.get_running_loop().time() - began)
        return _web(response, self.protection.headers(user.user_id))

    def _request(
        self, request: web.Request, user: ApplicationUser, path: str, query_string: str, body: bytes
    ) -> ApiRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        operation = Operation(
            caller=self._caller(user, headers),
            at=self.org.now(),
            request_id=str(uuid4()),
            correlation_id=headers.get("x-ms-correlation-id", str(uuid4())),
            user_agent=headers.get("user-agent", ""),
        )
        operation = wished(operation, headers, query_string)
        return ApiRequest(request.method, path, query_string, headers, body, operation)

    def _caller(self, user: ApplicationUser, headers: dict[str, str]) -> Caller:
        """An application may act as another user. Raises ApiError 403 for an unknown one."""
        by_id, by_object = headers.get("mscrmcallerid"), headers.get("callerobjectid")
        if by_id is None and by_object is None:
            return Caller(user.user_id, user.user_id)
        column, wanted = ("systemuserid", by_id) if by_id is not None else ("azureactivedirectoryobjectid", by_object)
        users = self.org.schema.tables["systemuser"]
        found: list[Row] = self.org.store.find(users, {column: wanted.lower()}) if wanted and is_guid(wanted) else []
        if not found:
            raise ApiError(403, "0x80040220", "The user to be impersonated does not exist.")
        return Caller(user.user_id, found[0]["systemuserid"])


def _web(response: ApiResponse, more: dict[str, str]) -> web.Response:
    body = json.dumps(response.body, ensure_ascii=False) if isinstance(response.body, dict) else response.body
    headers = {"OData-Version": "4.0", "x-ms-service-request-id": str(uuid4()), **more, **response.headers}
    if body is None:
        return web.Response(status=response.status, headers=headers)
    headers["Content-Type"] = response.content_type
    return web.Response(status=response.status, body=body.encode(), headers=headers)


async def start(config: DataverseConfig, *, now: Now = _system_now) -> Dataverse:
    """Start a stand-in in the running event loop, beside other servers. Stop it with `await .stop()`."""
    listener = socket.create_server(("127.0.0.1", config.port))
    port = int(listener.getsockname()[1])
    try:
        dataverse = Dataverse(Organization(config, f"https://localhost:{port}", now), port)
        await dataverse.listen(listener)
    except BaseException:
        listener.close()
        raise
    _log.info("Dataverse stand-in at %s", dataverse.url)
    return dataverse
