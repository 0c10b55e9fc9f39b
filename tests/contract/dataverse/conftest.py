"""A stand-in per test with rows in memory, a clock that tests move, callers, and a receiver of webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from sandbox.dataverse import ADMIN, INTEGRATION, ApplicationUser, Dataverse, DataverseConfig, start
from sandbox.tls import Tls, ensure_tls


@dataclass
class Clock:
    """A clock that only tests move."""

    at: datetime = datetime(2025, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])

    @property
    def row_id(self) -> str:
        return self.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")


class Client:
    """A caller with a token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session = session
        self.url = url
        self.token = token

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`path` below the API's root, a rooted path, or a whole URL; `If_Match=…` gives a header."""
        url = (
            path if path.startswith("https:") else f"{self.url}{path if path[:1] == '/' else '/api/data/v9.2/' + path}"
        )
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        async with self.session.request(
            method, URL(url.replace(" ", "%20"), encoded=True), data=data, headers=sent
        ) as response:
            return Answer(response.status, dict(response.headers), await response.text())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, **headers)

    async def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("PATCH", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> Answer:
        return await self.call("DELETE", path, **headers)

    async def create(self, entity_set: str, row: dict[str, Any]) -> str:
        answer = await self.post(entity_set, row)
        assert answer.status == 204, answer.text
        return answer.row_id

    async def fault(self, target: str, effect: str, **more: Any) -> None:
        answer = await self.post("/_sandbox/faults", {"target": target, "effect": effect, **more})
        assert answer.status == 200, answer.text

    async def names(self, query: str) -> list[str]:
        """First names of the contacts that a query finds."""
        answer = await self.get(f"contacts?{query}")
        assert answer.status == 200, answer.text
        return [row["firstname"] for row in answer.json["value"]]


@dataclass
class Receiver:
    """Takes webhook calls; `statuses` are answered one after the other, then 200."""

    url: str = ""
    calls: list[tuple[dict[str, str], str, bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    hang: bool = False

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), request.path_qs, await request.read()))
        if self.hang:
            await asyncio.sleep(30)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.calls]


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], limit_s: float = 5) -> None:
    """Wait for something that happens in the background."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return ensure_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tls: Tls) -> DataverseConfig:
    return DataverseConfig(tls=tls)


@pytest.fixture
async def dataverse(config: DataverseConfig, clock: Clock) -> AsyncIterator[Dataverse]:
    server = await start(config, now=clock)
    yield server
    await server.stop()


@pytest.fixture
async def session(tls: Tls) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=tls.client_context())
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


async def sign_in(session: aiohttp.ClientSession, server: Dataverse, user: ApplicationUser) -> Client:
    form = {
        "grant_type": "client_credentials",
        "client_id": user.client_id,
        "client_secret": user.secret,
        "scope": f"{server.url}/.default",
    }
    url = f"{server.url}/{server.org.config.tenant_id}/oauth2/v2.0/token"
    async with session.post(url, data=form) as response:
        return Client(session, server.url, (await response.json())["access_token"])


@pytest.fixture
async def admin(session: aiohttp.ClientSession, dataverse: Dataverse) -> Client:
    return await sign_in(session, dataverse, ADMIN)


@pytest.fixture
async def integration(session: aiohttp.ClientSession, dataverse: Dataverse) -> Client:
    return await sign_in(session, dataverse, INTEGRATION)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    taking = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", taking.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/dataverse"
    yield taking
    await runner.cleanup()
