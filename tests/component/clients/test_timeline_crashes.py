"""A chunk of events into the Dataverse stand-in, the worker killed before and after each request: one activity each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import sandbox.dataverse as stand_in
from sandbox.tls import ensure_tls
from shared.clients.calls import Request, Response
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.http import Http
from shared.domain.change import Lane
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.domain.mapping import Mappings
from shared.domain.timeline import TaskRule, TimelineRules
from shared.engine.deliver import Engine
from shared.flows import engagement
from shared.timeline_file import ADOBE_TABLES
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import ID, MAPPING, NOW

KINDS = tuple(EmailEvent)
RULES = TimelineRules(tasks={EmailEvent.CLICK: TaskRule("Call"), EmailEvent.BOUNCE: TaskRule("Correct")})
# Of each kind one that nothing is wrong with and one whose address is too long, so that each table's bulk is refused.
EVENTS = 2 * len(KINDS)
TOO_LONG = "https://example.org/" + "x" * 2000
MOST_STEPS = 40


class Killed(BaseException):
    """The worker's process ends here: nothing may catch it."""


@dataclass
class Cut:
    """A sender whose process dies after so many steps: before a request is one, after its answer another."""

    http: Http
    left: int | None = None
    requests: list[str] = field(default_factory=list)

    async def send(self, request: Request, timeout_s: float) -> Response:
        self._step()
        answer = await self.http.send(request, timeout_s)
        self.requests.append(request.kind)
        self._step()
        return answer

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


@dataclass
class Bridge:
    """The engine's timeline lane over a client of its own, as each process has one."""

    known: Known
    server: stand_in.Dataverse
    config: DynamicsConfig
    tokens: MsalTokens
    cut: Cut

    async def deliver(self, chunk: FactChunk, *, die_after: int | None = None) -> bool:
        """False: the worker died."""
        self.cut.left = die_after
        client = DynamicsClient(self.config, self.cut, self.tokens, lambda: Mappings(MAPPING), lambda: NOW)
        ports = replace(self.known.ports, dynamics=client, timeline=RULES)
        try:
            await Engine(ports, self.known.telemetry, self.known.engine.patience).timeline(
                delivery(chunk, Lane.TIMELINE)
            )
        except Killed:
            return False
        finally:
            self.cut.left = None
        return True

    async def call(self, method: str, path: str, document: object = None) -> Any:
        headers = {"Authorization": f"Bearer {await self.tokens.token()}", "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        url = f"{self.config.base}/{path}"
        answer = await self.cut.http.send(Request("test", "x", method, url, headers, body), 5)
        assert answer.status < 300, answer.body
        return answer.json() if answer.body else None

    async def timeline(self) -> list[tuple[str, str, int]]:
        """Id, table and state of everything that regards the contact."""
        found = await self.call("GET", f"activitypointers?$filter=_regardingobjectid_value%20eq%20{ID}")
        return [(row["activityid"], row["activitytypecode"], row["statecode"]) for row in found["value"]]


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    server = await stand_in.start(stand_in.DataverseConfig(tls=tls))
    user = stand_in.INTEGRATION
    authority = f"{server.url}/{server.org.config.tenant_id}"
    config = DynamicsConfig(server.url, authority, user.client_id, user.secret, timeout_s=5)
    http, tokens = Http(lambda _record: None), MsalTokens(config)
    running = Bridge(Known(), server, config, tokens, Cut(http))
    await running.call("POST", "contacts", {"contactid": ID, "lastname": "Lovelace"})
    yield running
    await tokens.close()
    await http.close()
    await server.stop()


def facts(round_: int) -> list[Fact]:
    """New events of a new delivery; every second one is refused."""
    at, delivery_name = datetime(2026, 3, 4, tzinfo=UTC), f"DM{round_}"
    return [
        Fact(
            f"event-{round_}-{number}",
            KINDS[number % len(KINDS)],
            ID,
            "SPRING",
            delivery_name,
            at,
            mirror_page_url=TOO_LONG if number >= len(KINDS) else None,
        )
        for number in range(EVENTS)
    ]


def ids(some: Sequence[Fact]) -> set[str]:
    orders = [engagement.decide(fact, RULES, NOW) for fact in some]
    return {order.activity_id for order in orders if order is not None}


async def test_a_worker_killed_at_any_request_leaves_one_activity_and_one_task_for_each_event(bridge: Bridge) -> None:
    expected: set[str] = set()
    for step in range(MOST_STEPS):
        events = facts(step)
        chunk = FactChunk(f"facts/{step}", tuple(events), NOW)
        whole = await bridge.deliver(chunk, die_after=step)
        assert await bridge.deliver(chunk)
        expected |= ids(events[: len(KINDS)])
        found = await bridge.timeline()
        activities = [row for row in found if row[1] != "task"]
        assert {row[0] for row in activities} == expected
        assert len(activities) == len(expected)
        assert {state for _, _, state in activities} == {1}
        assert len(found) - len(activities) == 2 * (step + 1)  # a task for the click, one for the bounce
        if whole:
            break
    assert whole, "the work has more steps than were tried"
    assert step > 10


async def test_an_activity_that_a_dead_server_left_open_is_completed(bridge: Bridge) -> None:
    """The batch's first part was applied, its second was not."""
    events = facts(0)[: len(KINDS)]
    for fact in events[:2]:
        table = ADOBE_TABLES.tables[fact.event].name
        row = {"activityid": ids([fact]).pop(), f"regardingobjectid_contact_{table}@odata.bind": f"/contacts({ID})"}
        await bridge.call("POST", f"{table}s", row)
    assert {state for _, _, state in await bridge.timeline()} == {0}
    await bridge.deliver(FactChunk("facts/0", tuple(events), NOW))
    activities = [row for row in await bridge.timeline() if row[1] != "task"]
    assert {row[0] for row in activities} == ids(events)
    assert [state for _, _, state in activities] == [1] * len(KINDS)
