"""A stand-in with a clock that only moves when told, and a small HTTP client for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from sandbox.campaign import Campaign, CampaignConfig, CustomField, start

KEY, SECRET = "sandbox-bridge-key", "sandbox-bridge-secret"  # the stand-in's default client
EXTENSIONS = (
    CustomField("cusTier", "enumeration", values=("none", "gold")),
    CustomField("cusHobby", length=10),
    CustomField("cusScore", "integer"),
    CustomField("cusRatio", "float"),
    CustomField("cusSeen", "datetime"),
)


@dataclass
class StoppedClock:
    """Time that stands still between `advance` calls, for those who read it and for those who sleep."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 8, 10, 0, 123456, UTC))
    sleepers: list[tuple[datetime, asyncio.Future[None]]] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)
        for wake, sleeper in self.sleepers:
            if wake <= self.moment and not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        if seconds:
            entry = (self.moment + timedelta(seconds=seconds), asyncio.get_running_loop().create_future())
            self.sleepers.append(entry)
            try:
                await entry[1]
            finally:
                self.sleepers.remove(entry)

    async def awaited(self) -> None:
        """Wait until somebody sleeps."""

        async def somebody_sleeps() -> bool:
            return bool(self.sleepers)

        await eventually(somebody_sleeps)


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


@dataclass
class Client:
    """Speaks to one stand-in with a valid token."""

    campaign: Campaign
    session: aiohttp.ClientSession
    headers: dict[str, str]

    @property
    def root(self) -> str:
        return f"{self.campaign.url}/{self.campaign.config.org}/campaign"

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """`path` is below the tenant's API, or an absolute href."""
        url = path if path.startswith("http") else f"{self.root}/{path}"
        options.setdefault("headers", self.headers)
        async with self.session.request(method, url, json=body, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(response.status, await response.json() if is_json else text, response.headers)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.call(method, f"{self.campaign.url}/_sandbox/{path}", body, headers={})
        assert answer.status == 200, answer.body
        return answer.body

    async def create(self, **values: Any) -> Any:
        answer = await self.call("POST", "profileAndServicesExt/profile", values)
        assert answer.status == 201, answer.body
        return answer.body

    async def stored(self, external_id: str) -> Any:
        return await self.control("GET", f"profiles?externalId={external_id}")


async def connect(campaign: Campaign, key: str = KEY, secret: str = SECRET) -> Client:
    session = aiohttp.ClientSession()
    form = {"client_id": key, "client_secret": secret, "grant_type": "client_credentials", "scope": "openid,AdobeID"}
    async with session.post(f"{campaign.url}/ims/token/v3", data=form) as response:
        token = (await response.json())["access_token"]
    return Client(campaign, session, {"Authorization": f"Bearer {token}", "X-Api-Key": key})


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something that another task or process does has come true."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - asked over HTTP or on disk, where nothing can notify
            await asyncio.sleep(0.02)


Opener = Callable[..., Awaitable[Client]]


@pytest.fixture
async def open_campaign(clock: StoppedClock) -> AsyncIterator[Opener]:
    """Start stand-ins with settings of the test's own."""
    opened: list[Client] = []

    async def opener(**settings: Any) -> Client:
        campaign = await start(
            CampaignConfig(**{"custom_fields": EXTENSIONS, **settings}), now=clock, sleep=clock.sleep
        )
        opened.append(await connect(campaign))
        return opened[-1]

    yield opener
    for client in opened:
        await client.session.close()
        await client.campaign.stop()


@pytest.fixture
async def client(open_campaign: Opener) -> Client:
    return await open_campaign()
