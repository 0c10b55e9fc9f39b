"""The baseline: a bare aiohttp loop that sends a tape's requests again, and decides nothing."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from bench.errors import BenchError
from bench.parallel import in_parallel
from bench.recorder import AS_RECORDED, LEDGER, Recorded

_GUARD = re.compile(rb'(?i)(if-match: )W/"[^\r\n]*"')
_ETAG = re.compile(rb'(?i)etag: (W/"[^\r\n]*")')
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@dataclass(frozen=True)
class Raw:
    """Changes a second, and this process's own processor time for one, in milliseconds."""

    per_s: float
    cpu_ms: float


async def send(
    changes: Sequence[Sequence[Recorded]], systems: Collection[str], context: ssl.SSLContext, at_once: int
) -> Raw:
    """Every change's requests to these systems, one after the other; `at_once` changes at a time.

    Bytes are as recorded but for the ledger's ETags: a guarded write must carry the one that storage gave last, or it
    would be refused, which is other work than was recorded. Raises BenchError for any answer that is not a success.
    """
    wanted = [[request for request in change if request.system in systems] for change in changes]
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=AS_RECORDED
    ) as session:
        began, cpu = asyncio.get_running_loop().time(), time.process_time()
        await in_parallel(lambda change: _change(session, change), wanted, at_once)
        took = asyncio.get_running_loop().time() - began
        return Raw(len(changes) / took, 1000 * (time.process_time() - cpu) / len(changes))


async def _change(session: aiohttp.ClientSession, requests: Sequence[Recorded]) -> None:
    etag = b""
    for request in requests:
        etag = await _send(session, request, _guarded(request.body, etag)) or etag


def _guarded(body: bytes, etag: bytes) -> bytes:
    return _GUARD.sub(lambda guard: guard[1] + etag, body) if etag else body


async def _send(session: aiohttp.ClientSession, request: Recorded, body: bytes) -> bytes:
    """The ledger row's new ETag; empty for other systems."""
    url = URL(request.origin + request.target, encoded=True)
    async with session.request(request.method, url, headers=request.headers, data=body or None) as answer:
        text = await answer.read()
        statuses = [answer.status]
        if request.system != LEDGER:
            return _checked(request, statuses, b"")
        statuses += [int(status) for status in _STATUS.findall(text)]  # a transaction's own, inside its body
        inside = _ETAG.search(text)
        return _checked(request, statuses, inside[1] if inside else answer.headers.get("ETag", "").encode())


def _checked(request: Recorded, statuses: Sequence[int], etag: bytes) -> bytes:
    if max(statuses) >= 300:
        raise BenchError(f"the raw loop's {request.method} to {request.system} was answered {max(statuses)}")
    return etag
