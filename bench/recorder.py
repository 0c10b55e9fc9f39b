"""Writes down the requests that the function app sends for each change, so that a bare loop can send the same again."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from bench.errors import BenchError
from bench.stand_ins import StandIns
from shared.domain.change import CONTACT, RecordKey
from shared.stores.ledger_entity import address

DYNAMICS, CAMPAIGN, LEDGER = "dynamics", "campaign", "ledger"
# What aiohttp would add by itself; storage's signature covers one of them.
AS_RECORDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# An id, and what the ledger's row keys make of it.
_NAME = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
_TABLES = re.compile(r"TableEndpoint=(http://[^:;]+:\d+)")
_OF_ONE_HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "keep-alive", "content-encoding"})
_LONGEST_LINE_BYTES = 1 << 16


@dataclass(frozen=True)
class Recorded:
    """One request as it was sent. `origin` is where it belongs; `target` is the path with its query, still encoded."""

    system: str
    method: str
    origin: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """What it is about: the target without the query."""
        return self.target.partition("?")[0]


@dataclass
class Tape:
    """The requests of each contact, in order, while `listens_for` has names of contacts: each with its contact's id.

    A request that was shared by several contacts is kept once, with the first that it names; so are those that come
    later to the address that it wrote (a watch names its contacts when it is written, and not when it is removed).
    """

    listens_for: Mapping[bytes, bytes] = field(default_factory=dict)
    requests: dict[bytes, list[Recorded]] = field(default_factory=dict)
    _wrote: dict[str, bytes] = field(default_factory=dict)

    def listen(self, contact_ids: Sequence[str]) -> None:
        """Forget what was taken down and begin with these contacts; with none, stop."""
        ids = {contact_id.encode(): contact_id.encode() for contact_id in contact_ids}
        self.listens_for = ids | {_in_ledger(contact_id): contact_id.encode() for contact_id in contact_ids}

    def take(self, recorded: Recorded) -> None:
        """What belongs to no contact (tokens, the table's creation) is nobody's work and is not kept."""
        if (contact_id := self._whose(recorded)) is None:
            return
        self.requests.setdefault(contact_id, []).append(recorded)
        if recorded.method == "PUT":
            self._wrote[recorded.address] = contact_id

    def _whose(self, recorded: Recorded) -> bytes | None:
        named = _NAME.findall(recorded.target.encode() + b" " + recorded.body)
        found = next((name for name in named if name in self.listens_for), None)
        return self._wrote.get(recorded.address) if found is None else self.listens_for[found]

    def changes(self) -> list[list[Recorded]]:
        """One list of requests a contact. Raises BenchError if there are none to one of the systems."""
        changes = list(self.requests.values())
        if missing := {DYNAMICS, CAMPAIGN, LEDGER} - {one.system for change in changes for one in change}:
            raise BenchError(f"no request to {', '.join(sorted(missing))} was recognised")
        return changes


def _in_ledger(contact_id: str) -> bytes:
    _, row_key = address(RecordKey(CONTACT, contact_id))
    return row_key.rpartition("|")[2].encode()


@asynccontextmanager
async def recording(stand_ins: StandIns) -> AsyncIterator[tuple[Mapping[str, str], Tape]]:
    """Settings for a function app whose calls pass through here, and the tape that they are kept on."""
    tape, settings = Tape(), dict(stand_ins.settings)
    server = stand_ins.tls.server_context()
    client = stand_ins.tls.client_context()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client, limit=0), skip_auto_headers=AS_RECORDED)
        )
        for system, names, origin in _passages(settings):
            passage = _Passage(system, origin, tape, session)
            own = await passage.open(server if origin.startswith("https") else None)
            stack.push_async_callback(passage.close)
            for name in names:
                settings[name] = settings[name].replace(origin, own)
        yield settings, tape


def _passages(settings: Mapping[str, str]) -> list[tuple[str, tuple[str, ...], str]]:
    """Each system with the settings that hold its address, and the address. The token comes by the same way."""
    campaign = urlsplit(settings["CAMPAIGN_URL"])
    tables = _TABLES.search(settings["Storage"])
    return [
        (DYNAMICS, ("DYNAMICS_URL", "DYNAMICS_AUTHORITY"), settings["DYNAMICS_URL"]),
        (CAMPAIGN, ("CAMPAIGN_URL",), f"{campaign.scheme}://{campaign.netloc}"),
        (LEDGER, ("Storage",), tables[1] if tables else ""),
    ]


class _Passage:
    """A reverse proxy before one system; like any such, it puts its own name in the place of the other's in bodies."""

    def __init__(self, system: str, origin: str, tape: Tape, session: aiohttp.ClientSession) -> None:
        self._system, self._origin, self._tape, self._session = system, origin, tape, session
        self._there = urlsplit(origin).netloc
        self._here = ""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None, max_line_size=_LONGEST_LINE_BYTES)

    async def open(self, context: ssl.SSLContext | None) -> str:
        """The origin that it stands in for the other's."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        name = urlsplit(self._origin).hostname
        self._here = f"{name}:{self._runner.addresses[0][1]}"
        return self._origin.replace(self._there, self._here)

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        body = await request.read()
        self._tape.take(Recorded(self._system, request.method, self._origin, request.raw_path, headers, body))
        url = URL(self._origin + request.raw_path, encoded=True)
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=_renamed(body, self._here, self._there) or None,
            allow_redirects=False,
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            text = _renamed(await answer.read(), self._there, self._here)
            return web.Response(status=answer.status, headers=kept, body=text)


def _renamed(body: bytes, old: str, new: str) -> bytes:
    """Plain, and as it stands in a form (the token request's scope)."""
    for colon in (":", "%3A"):
        body = body.replace(old.replace(":", colon).encode(), new.replace(":", colon).encode())
    return body
