"""The baseline: a bare aiohttp loop that sends a tape's requests again, and decides nothing."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from bench.errors import BenchError
from bench.parallel import in_parallel
from bench.recorder import AS_RECORDED, LEDGER, Recorded


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
    etags: dict[str, str] = {}
    for request in requests:
        await _send(session, request, etags)


async def _send(session: aiohttp.ClientSession, request: Recorded, etags: dict[str, str]) -> None:
    """`etags`: the ledger's, by address; that of the answer is added."""
    url = URL(request.origin + request.target, encoded=True)
    headers = _guarded(request, etags)
    async with session.request(request.method, url, headers=headers, data=request.body or None) as answer:
        await answer.read()
        if answer.status >= 300:
            raise BenchError(f"the raw loop's {request.method} to {request.system} was answered {answer.status}")
        if request.system == LEDGER and "ETag" in answer.headers:
            etags[request.address] = answer.headers["ETag"]


def _guarded(request: Recorded, etags: Mapping[str, str]) -> Mapping[str, str]:
    """A guard that names a version gets the one that storage gave last; `*` stays."""
    guards = [name for name, value in request.headers.items() if name.lower() == "if-match" and value != "*"]
    if request.system != LEDGER or request.address not in etags:
        return request.headers
    return {**request.headers, **dict.fromkeys(guards, etags[request.address])}
