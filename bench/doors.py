"""What the bench does at the stand-ins' doors: contacts are created and changed, latency is set, calls are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from bench.errors import BenchError
from bench.parallel import in_parallel
from bench.stand_ins import StandIns
from sandbox.dataverse import ADMIN

MOST_AT_ONCE = 1000
YEARS_BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
AT_ONCE = 8  # as many as the stand-in announces at once
LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class Calls:
    """What reached the two systems: Campaign's engine calls, and Dynamics' reads of contacts."""

    engine: int
    reads: int

    def since(self, before: Calls) -> Calls:
        """What came in between."""
        return Calls(self.engine - before.engine, self.reads - before.reads)


class Doors:
    """Use as `async with Doors(stand_ins) as doors`. Every method raises BenchError when a stand-in says no."""

    def __init__(self, stand_ins: StandIns) -> None:
        settings = stand_ins.settings
        self._settings, self._tls = settings, stand_ins.tls
        self._dynamics = settings["DYNAMICS_URL"]
        campaign = urlsplit(settings["CAMPAIGN_URL"])
        self._campaign_control = f"{campaign.scheme}://{campaign.netloc}/_sandbox"
        self._session: aiohttp.ClientSession
        self._authorised: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls.client_context()))
        form = {
            "grant_type": "client_credentials",
            "client_id": ADMIN.client_id,
            "client_secret": ADMIN.secret,
            "scope": f"{self._dynamics}/.default",
        }
        answer = await self._call("POST", f"{self._settings['DYNAMICS_AUTHORITY']}/oauth2/v2.0/token", data=form)
        self._authorised = {"Authorization": f"Bearer {answer['access_token']}"}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def create(self, count: int) -> list[str]:
        """New contacts' ids, in lower case."""
        ids: list[str] = []

        async def create_one(number: int) -> None:
            headers = {**self._authorised, "Prefer": "return=representation"}
            url = f"{self._dynamics}/api/data/v9.2/contacts"
            row = await self._call("POST", url, json=_row(number), headers=headers)
            ids.append(row["contactid"].lower())

        await in_parallel(create_one, range(count), AT_ONCE)
        return ids

    async def silence(self) -> None:
        """From now on Dynamics announces nothing."""
        await self._call("POST", f"{self._dynamics}/_sandbox/faults", json={"target": "webhook", "effect": "lose"})

    async def create_many(self, count: int, city: str) -> None:
        """New contacts, a thousand a request, which came over three years as it seems."""
        url = f"{self._dynamics}/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple"
        kind = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
        for start in range(0, count, MOST_AT_ONCE):
            numbers = range(start, min(start + MOST_AT_ONCE, count))
            rows = [
                {**_row(number), **kind, "address1_city": city, "overriddencreatedon": _day(number)}
                for number in numbers
            ]
            await self._call("POST", url, json={"Targets": rows}, headers=self._authorised)

    async def storm(self, refusals: int, retry_after_s: int) -> None:
        """The next reads of contacts are refused, so many of them."""
        fault = {"target": "api", "effect": "throttle", "count": refusals, "retry_after": retry_after_s}
        await self._call("POST", f"{self._dynamics}/_sandbox/faults", json={**fault, "path": "/contacts"})

    async def change(self, contact_ids: Sequence[str], city: str) -> None:
        """One change a contact, of one mapped column; returns when Dynamics has taken them all."""

        async def change_one(contact_id: str) -> None:
            headers = {**self._authorised, "If-Match": "*"}
            url = f"{self._dynamics}/api/data/v9.2/contacts({contact_id})"
            await self._call("PATCH", url, json={"address1_city": city}, headers=headers)

        await in_parallel(change_one, contact_ids, AT_ONCE)

    async def all_announced(self) -> None:
        """Wait until Dynamics has called the webhook for every change, and was answered. Raises for one refused."""
        while True:
            jobs = (await self._call("GET", f"{self._dynamics}/_sandbox/jobs"))["jobs"]
            if refused := [job for job in jobs if job["state"] == "failed"]:
                raise BenchError(f"the webhook refused {len(refused)} announcements: {refused[0]['error']}")
            if not any(job["state"] == "ready" for job in jobs):
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    async def campaign_latency(self, seconds: float) -> None:
        """From now on every engine call takes so much longer; 0: as fast as it can."""
        await self._call("DELETE", f"{self._campaign_control}/faults")
        if seconds > 0:
            fault = {"fault": "slow", "seconds": seconds, "times": None}
            await self._call("POST", f"{self._campaign_control}/faults", json=fault)

    async def calls(self) -> Calls:
        """All so far."""
        engine = await self._call("GET", f"{self._campaign_control}/counters")
        reads = await self._call("GET", f"{self._dynamics}/_sandbox/counters")
        bridge = engine["keys"].get(self._settings["CAMPAIGN_CLIENT_ID"], {})
        return Calls(sum(bridge.values()), _contact_reads(reads["http"]))

    async def _call(self, method: str, url: str, **options: Any) -> Any:  # noqa: ANN401 - JSON in and out
        async with self._session.request(method, url, **options) as answer:
            if answer.status >= 400:
                raise BenchError(f"{method} {answer.url.path}: {answer.status} {await answer.text()}")
            return None if answer.status == 204 else await answer.json()


def _contact_reads(http: Mapping[str, int]) -> int:
    return sum(count for kind, count in http.items() if kind.startswith("GET") and "contact" in kind)


def _day(number: int) -> str:
    return f"{YEARS_BEGIN + timedelta(days=number * 37 % 1000):%Y-%m-%dT00:00:00Z}"


def _row(number: int) -> dict[str, object]:
    return {
        "firstname": "Ada",
        "lastname": f"Byron {number}",
        "emailaddress1": f"ada.{number}@example.org",
        "telephone1": f"+44 20 7946 {number:04}",
        "gendercode": 2,
        "birthdate": "1985-12-10",
        "address1_line1": f"{number} Analytical Street",
        "address1_city": "London",
        "address1_postalcode": "NW1 6XE",
    }
