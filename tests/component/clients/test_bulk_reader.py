"""Rows by the page, against the Dataverse stand-in: every row of a slice once, whatever is written meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sandbox.dataverse as stand_in
from sandbox.tls import ensure_tls
from shared.clients.calls import CallRecord, Request, Response
from shared.clients.dynamics import wire
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.bulk import BulkReader, condition, page_request, read_page
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.sample import SampleRows
from shared.clients.http import Http
from shared.domain.contact import Contact
from shared.domain.mapping import FieldRow, FromColumn, Lookup, Mapping
from shared.domain.resync import Scope, Slice, by_time
from shared.errors import Retry

MAPPING = Mapping(
    "1",
    "contact",
    (
        FieldRow("lastName", FromColumn("lastname")),
        FieldRow("company", FromColumn("parentcustomerid", lookup=Lookup.ID)),
    ),
)
CONFIG = DynamicsConfig("https://org.test", "https://login.test", "id")


class World:
    """A running stand-in with the bridge's reader; `write` is a plain authorised request."""

    def __init__(self, server: stand_in.Dataverse, http: Http, config: DynamicsConfig, tokens: MsalTokens) -> None:
        self.server, self.http, self.config, self.tokens = server, http, config, tokens
        self.reader = BulkReader(config, http, tokens, lambda: datetime.now(UTC))

    async def write(self, method: str, path: str, document: object) -> None:
        headers = {"Authorization": f"Bearer {await self.tokens.token()}", "Content-Type": "application/json"}
        url = f"{self.server.url}/api/data/v9.2/{path}"
        answer = await self.http.send(Request("test", "x", method, url, headers, json.dumps(document).encode()), 5)
        assert answer.status < 300, answer.body

    async def add(self, count: int, **columns: Any) -> None:
        for number in range(count):
            await self.write("POST", "contacts", {"lastname": f"Name {number}", **columns})

    async def all(self, scope: Scope, part: Slice, size: int = 3, **more: Any) -> list[Contact]:
        found: list[Contact] = []
        position: str | None = None
        while True:
            page = await self.reader.page(MAPPING, more.get("columns", ()), scope, part, size, position)
            assert len(page.rows) <= size
            found += page.rows
            if page.position is None:
                return found
            position = page.position


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    server = await stand_in.start(stand_in.DataverseConfig(tls=tls))
    user = stand_in.INTEGRATION
    authority = f"{server.url}/{server.org.config.tenant_id}"
    config = DynamicsConfig(server.url, authority, user.client_id, user.secret, timeout_s=5)
    calls: list[CallRecord] = []
    http, tokens = Http(calls.append), MsalTokens(config)
    yield World(server, http, config, tokens)
    await tokens.close()
    await http.close()
    await server.stop()


async def test_every_row_once_page_by_page_with_columns_that_are_not_mapped(world: World) -> None:
    await world.add(8, firstname="Ada")
    rows = await world.all(Scope("contact"), Slice(), columns=("firstname",))
    assert len(rows) == 8 == len({row.id for row in rows})
    assert {row.columns["firstname"] for row in rows} == {"Ada"}
    assert set(rows[0].columns) == {"firstname", "lastname", "parentcustomerid"}


async def test_rows_written_between_two_pages_shift_nothing(world: World) -> None:
    await world.add(6)
    first = await world.reader.page(MAPPING, (), Scope("contact"), Slice(), 3, None)
    before = {row.id for row in await world.all(Scope("contact"), Slice())}
    await world.add(4)
    for row in first.rows:
        await world.write("PATCH", f"contacts({row.id})", {"lastname": "Changed"})
    rest: list[Contact] = []
    position = first.position
    while position is not None:
        page = await world.reader.page(MAPPING, (), Scope("contact"), Slice(), 3, position)
        rest, position = [*rest, *page.rows], page.position
    seen = [row.id for row in (*first.rows, *rest)]
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


async def test_slices_hold_every_row_between_them(world: World) -> None:
    await world.add(5)
    span = await world.reader.span(Scope("contact"))
    assert span is not None
    oldest, newest = span
    slices = by_time(oldest - timedelta(hours=4), newest + timedelta(hours=4), 4)
    assert len(slices) == 4
    found = [row.id for part in slices for row in await world.all(Scope("contact"), part)]
    assert len(found) == 5 == len(set(found))
    assert await world.reader.span(Scope("contact", condition="lastname eq 'Nobody'")) is None


async def test_a_filter_and_a_time_narrow_what_is_read_counted_and_tried(world: World) -> None:
    await world.add(3)
    scope = Scope("contact", condition="contains(lastname,'ame 1')", since=datetime(2020, 1, 1, tzinfo=UTC))
    assert [row.columns["lastname"] for row in await world.all(scope, Slice())] == ["Name 1"]
    assert await world.all(Scope("contact", since=datetime(2999, 1, 1, tzinfo=UTC)), Slice()) == []
    sample = SampleRows(world.config, world.http, world.tokens, lambda: datetime.now(UTC))
    asked = condition(scope, Slice())
    assert (await sample.total("contact", asked)).rows == 1
    assert len(await sample.rows("contact", ["lastname"], frozenset(), 10, asked)) == 1


async def test_a_column_mapped_between_two_pages_is_on_the_next_one(world: World) -> None:
    await world.add(4, firstname="Ada")
    first = await world.reader.page(MAPPING, (), Scope("contact"), Slice(), 2, None)
    more = Mapping("2", "contact", (*MAPPING.field_rows, FieldRow("firstName", FromColumn("firstname"))))
    page = await world.reader.page(more, (), Scope("contact"), Slice(), 2, first.position)
    assert [row.columns["firstname"] for row in page.rows] == ["Ada", "Ada"]


def test_no_token_goes_where_a_next_page_is_not_the_environments() -> None:
    body = b'{"value": [], "@odata.nextLink": "https://elsewhere.test/api/data/v9.2/contacts?x"}'
    with pytest.raises(Retry, match="not the environment's"):
        read_page(CONFIG, Response(200, {}, body), wire.CONTACTS, [])


def test_the_first_page_asks_for_no_order_and_names_its_size() -> None:
    request = page_request(CONFIG, wire.CONTACTS, ["lastname"], "statecode eq 0", 250, None)
    assert "odata.maxpagesize=250" in request.headers["Prefer"]
    assert "orderby" not in request.url
    assert request.url.endswith("$filter=statecode%20eq%200")
