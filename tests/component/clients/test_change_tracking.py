"""Change tracking and failed jobs against the Dataverse stand-in, over TLS and with MSAL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import sandbox.dataverse as stand_in
from sandbox.tls import Tls, ensure_tls
from shared.clients.calls import Request, Response
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.changes import ChangeTracking
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.wire_blueprint import ENDPOINT
from shared.clients.dynamics.wire_changes import read_gone
from shared.clients.http import Http
from shared.domain.change import RecordKey
from shared.errors import Halt, Reason
from shared.ports.sweep import PageRefusedError
from tests.contract.dataverse.conftest import until

NOBODY = RecordKey("contact", "00000000-0000-4000-8000-00000000dead")


@dataclass
class Clock:
    """Real time, and what a test adds to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    server: stand_in.Dataverse
    config: DynamicsConfig
    http: Http
    tokens: MsalTokens
    tracking: ChangeTracking

    async def call(self, method: str, path: str, document: Any = None) -> Response:
        headers = {"Authorization": f"Bearer {await self.tokens.token()}", "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        url = f"{self.server.url}/api/data/v9.2/{path}"
        answer = await self.http.send(Request("test", "x", method, url, headers, body), 5)
        assert answer.status < 300, answer.body
        return answer

    async def add(self, table: str = "contacts", **columns: Any) -> str:
        answer = await self.call("POST", table, columns)
        return answer.headers["odata-entityid"].rpartition("(")[2].rstrip(")")

    async def all(self, asked: str | None, size: int = 2) -> tuple[list[str], list[str], str]:
        changed, deleted = list[str](), list[str]()
        while True:
            page = await self.tracking.page("contact", asked, size)
            assert len(page.changed) + len(page.deleted) <= size
            changed += page.changed
            deleted += page.deleted
            asked = page.next
            if page.last:
                return changed, deleted, asked


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return ensure_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(tls: Tls, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    server = await stand_in.start(stand_in.DataverseConfig(tls=tls, token_lifetime_s=30 * 86_400), now=clock)
    user = stand_in.INTEGRATION
    authority = f"{server.url}/{server.org.config.tenant_id}"
    config = DynamicsConfig(server.url, authority, user.client_id, user.secret, timeout_s=5)
    http, tokens = Http(), MsalTokens(config)
    world = World(server, config, http, tokens, ChangeTracking(config, http, tokens, clock))
    definition = (await world.call("GET", "EntityDefinitions(LogicalName='contact')")).json()
    await world.call("PUT", "EntityDefinitions(LogicalName='contact')", {**definition, "ChangeTrackingEnabled": True})
    yield world
    await tokens.close()
    await http.close()
    await server.stop()


async def test_pages_of_ids_then_only_what_changed_and_what_went(world: World) -> None:
    ids = [await world.add(firstname=f"Ada {number}") for number in range(5)]
    changed, deleted, token = await world.all(None)
    assert (sorted(changed), deleted) == (sorted(ids), [])
    assert (await world.all(token))[:2] == ([], [])
    await world.call("PATCH", f"contacts({ids[1]})", {"firstname": "Grace"})
    await world.call("DELETE", f"contacts({ids[2]})")
    new = await world.add(firstname="New")
    changed, deleted, _ = await world.all(token, 1)
    assert (changed, deleted) == ([ids[1], new], [ids[2]])


async def test_a_token_of_eight_days_and_a_page_of_nonsense_are_refused(world: World, clock: Clock) -> None:
    _, _, token = await world.all(None)
    clock.ahead = timedelta(days=8)
    with pytest.raises(PageRefusedError, match="0x80044352"):
        await world.tracking.page("contact", token, 10)
    with pytest.raises(PageRefusedError):
        await world.tracking.page("contact", f"{world.config.base}/contacts?$skiptoken=nonsense", 10)


async def test_a_table_that_does_not_track_says_so(world: World) -> None:
    with pytest.raises(Halt) as raised:
        await world.tracking.page("systemuser", None, 10)
    assert raised.value.reason is Reason.NOT_TRACKED


async def test_a_link_to_another_host_is_never_followed(world: World) -> None:
    for link in ("https://elsewhere.example/api/data/v9.2/contacts?$deltatoken=1", "http://" + world.server.url[8:]):
        with pytest.raises(Halt, match="another host") as raised:
            await world.tracking.page("contact", link, 10)
        assert raised.value.reason is Reason.DYNAMICS_MISCONFIGURED


async def test_only_the_rows_own_absence_counts_as_gone(world: World) -> None:
    made = await world.add(firstname="Ada")
    assert await world.tracking.gone(RecordKey("contact", made)) is False
    assert await world.tracking.gone(NOBODY) is True
    with pytest.raises(Halt):
        read_gone(Response(403, {}, b'{"error": {"code": "0x80040220"}}'))
    with pytest.raises(Halt):
        read_gone(Response(404, {}, b"<html>not here</html>"))


async def test_failed_jobs_of_our_steps_are_listed_without_their_texts(world: World, clock: Clock) -> None:
    began = clock()
    assert await world.tracking.since(began, 10) == ()
    for name in (f"{ENDPOINT}: Create of contact", "Somebody else's"):
        await _listen(world, name)
    made = await world.add(firstname="Ada")

    async def failed() -> bool:
        return len((await world.call("GET", "asyncoperations?$filter=statuscode%20eq%2031")).json()["value"]) == 2

    await until(failed)
    (job,) = await world.tracking.since(began - timedelta(seconds=1), 10)
    assert (job.table, job.message) == ("contact", "Create")
    assert made not in repr(job)
    assert await world.tracking.since(began + timedelta(hours=1), 10) == []


async def _listen(world: World, name: str) -> None:
    where = {"url": "http://127.0.0.1:9/", "contract": 8, "authtype": 4, "authvalue": "k"}
    endpoint = await world.add("serviceendpoints", name=name, **where)
    messages = (await world.call("GET", "sdkmessages?$filter=name%20eq%20'Create'")).json()["value"]
    condition = "primaryobjecttypecode%20eq%20'contact'%20and%20sdkmessageid/name%20eq%20'Create'"
    filters = (await world.call("GET", f"sdkmessagefilters?$filter={condition}")).json()["value"]
    step = {
        "name": name,
        "rank": 1,
        "stage": 40,
        "mode": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({messages[0]['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filters[0]['sdkmessagefilterid']})",
    }
    await world.add("sdkmessageprocessingsteps", **step)
