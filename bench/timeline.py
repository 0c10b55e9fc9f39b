"""`python -m bench.timeline`: e-mail events into the timeline, beside Microsoft's client writing the same rows."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid5

import aiohttp
import typer
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from sandbox.addresses import ROOT, free
from sandbox.dataverse import ADMIN, DataverseConfig
from sandbox.tls import Tls, ensure_tls
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.http import Http
from shared.domain.fact import EmailEvent, Fact
from shared.domain.mapping import Mapping, Mappings
from shared.domain.timeline import TimelineRules
from shared.engine.egress import CHUNK
from shared.flows import engagement
from shared.ports import Recorded
from shared.timeline_file import ADOBE_TABLES

CONTACTS = 100
IDS = UUID("8d9ad3c0-52d1-5b43-8f4f-6f1b0f5a3c6e")
COMPLETED = {"statecode": 1, "statuscode": 2}
REQUESTS_AIM = 150


@dataclass(frozen=True)
class Course:
    """One way to write the rows. `requests`: what reached Dataverse, tokens left out."""

    name: str
    events: int
    requests: int
    took_s: float

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.took_s


@dataclass(frozen=True)
class Organization:
    """Dataverse's stand-in in a process of its own."""

    url: str
    tls: Tls
    session: aiohttp.ClientSession

    @property
    def config(self) -> DynamicsConfig:
        """For its administrator."""
        tenant = DataverseConfig(self.tls).tenant_id
        return DynamicsConfig(self.url, f"{self.url}/{tenant}", ADMIN.client_id, ADMIN.secret, timeout_s=60)

    async def requests(self) -> int:
        """How many have come so far."""
        async with self.session.get(f"{self.url}/_sandbox/counters") as answer:
            return sum((await answer.json())["http"].values())

    async def activities(self, token: str) -> int:
        """How many completed ones there are, as far as Dataverse counts."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.url}/api/data/v9.2/adobe_emailsends/$count?$filter=statecode eq 1"
        async with self.session.get(url, headers=headers) as answer:
            return int((await answer.text()).strip("\ufeff"))


@asynccontextmanager
async def organization(folder: Path) -> AsyncIterator[Organization]:
    """Starts it and stops it. Raises BenchError."""
    tls, port = ensure_tls(folder / "tls"), free().dataverse
    os.environ |= {"SSL_CERT_FILE": str(tls.ca), "REQUESTS_CA_BUNDLE": str(tls.ca)}
    command = (sys.executable, "-m", "sandbox.dataverse", "--memory", "--port", str(port), "--folder", str(folder))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        if not await process.stdout.readline():  # type: ignore[union-attr]  # a pipe, see above
            raise BenchError("the Dataverse stand-in did not start")
        connector = aiohttp.TCPConnector(ssl=tls.client_context())
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Organization(f"https://localhost:{port}", tls, session)
    finally:
        process.terminate()
        await process.wait()


def facts(count: int, contacts: Sequence[str], name: str) -> list[Fact]:
    """Sent e-mails, each its own event."""
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    return [
        Fact(
            id=f"{name}-{number}",
            event=EmailEvent.SEND,
            contact_id=contacts[number % len(contacts)],
            campaign="2026LoyaltyCamp",
            delivery="DM190",
            at=first + timedelta(seconds=number),
            mirror_page_url=f"https://mirror.example.net/m/{number}",
        )
        for number in range(count)
    ]


async def by_bridge(org: Organization, dynamics: DynamicsClient, events: Sequence[Fact]) -> Course:
    """As the timeline lane does, chunk after chunk; the queue between them is left out."""
    now = datetime.now(UTC)
    orders = [order for fact in events if (order := engagement.decide(fact, TimelineRules(), now))]
    before, began = await org.requests(), time.monotonic()
    for start in range(0, len(orders), CHUNK):
        results = await dynamics.record_activities(orders[start : start + CHUNK])
        if set(results) != {Recorded.DONE}:
            raise BenchError("the bridge did not write every row")
    took_s = time.monotonic() - began
    return Course("the bridge", len(events), await org.requests() - before, took_s)


async def by_microsofts_client(org: Organization, token: str, events: Sequence[Fact]) -> Course:
    """`records.create` and `records.update` for each event, in a thread: the client blocks."""
    before = await org.requests()
    took_s = await asyncio.to_thread(_one_by_one, org.url, token, events)
    return Course("Microsoft's client, one by one", len(events), await org.requests() - before, took_s)


class _FixedToken:
    """A credential as azure-identity would be."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:  # noqa: ANN401 - as the protocol has it
        return AccessToken(self._token, int(time.time()) + 3600)


def _one_by_one(url: str, token: str, events: Sequence[Fact]) -> float:
    table = ADOBE_TABLES.tables[EmailEvent.SEND]
    with DataverseClient(url, _FixedToken(token)) as client:
        began = time.monotonic()
        for fact in events:
            row_id = client.records.create(table.name, _row(fact))
            client.records.update(table.name, row_id, COMPLETED)
        return time.monotonic() - began


def _row(fact: Fact) -> dict[str, Any]:
    at = f"{fact.at:%Y-%m-%dT%H:%M:%SZ}"
    table = ADOBE_TABLES.tables[EmailEvent.SEND]
    return {
        "subject": engagement.subject(fact),
        f"regardingobjectid_contact_{table.name}@odata.bind": f"/contacts({fact.contact_id})",
        ADOBE_TABLES.campaign_column: fact.campaign,
        ADOBE_TABLES.delivery_column: fact.delivery,
        ADOBE_TABLES.mirror_page_column: fact.mirror_page_url,
        table.date_column: at,
        "actualend": at,
    }


async def measured(count: int) -> list[Course]:
    """Both, one after the other, against the same stand-in. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with organization(Path(folder)) as org:
            http, tokens = Http(), MsalTokens(org.config)
            try:
                token = await tokens.token()
                dynamics = DynamicsClient(org.config, http, tokens, lambda: Mappings(Mapping("", "contact", ())), _now)
                contacts = await _contacts(org, token)
                courses = [
                    await by_bridge(org, dynamics, facts(count, contacts, "bridge")),
                    await by_microsofts_client(org, token, facts(count, contacts, "client")),
                ]
                written = await org.activities(token)
            finally:
                await tokens.close()
                await http.close()
    if written < min(5000, 2 * count):  # it counts no further
        raise BenchError(f"only {written} completed activities are there")
    return courses


def _now() -> datetime:
    return datetime.now(UTC)


async def _contacts(org: Organization, token: str) -> list[str]:
    ids = [str(uuid5(IDS, str(number))) for number in range(CONTACTS)]
    headers = {"Authorization": f"Bearer {token}"}
    for contact_id in ids:
        row = {"contactid": contact_id, "firstname": "Ada"}
        async with org.session.post(f"{org.url}/api/data/v9.2/contacts", json=row, headers=headers) as answer:
            answer.raise_for_status()
    return ids


def main(
    events: Annotated[int, typer.Argument(min=200, help="How many e-mail events are written by each.")] = 10_000,
    *,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Requests to Dataverse and events a second."""
    courses = asyncio.run(measured(events))
    if as_document:
        typer.echo(json.dumps([vars(course) | {"per_s": course.per_s} for course in courses], indent=2))
        return
    table = Table("", "events", "requests", "seconds", "events/s", title=f"Aim: ≤ {REQUESTS_AIM} requests for 10,000")
    for course in courses:
        table.add_row(
            course.name, str(course.events), str(course.requests), f"{course.took_s:.1f}", f"{course.per_s:.0f}"
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
