"""A Dataverse that has as many contacts as you like and keeps none: pages are made when they are asked for.

For memory only: a million rows in the stand-in would take longer to write than to read.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from sandbox.tls import ensure_tls

PAGE_ROWS = 500
ROWS = web.AppKey("rows", int)
MODIFIED = "2026-01-31T12:00:00Z"


def _row(number: int, columns: list[str]) -> dict[str, Any]:
    """Texts of a usual length in every column but those whose names say otherwise."""
    row: dict[str, Any] = dict.fromkeys(columns, f"Some text {number}")
    row |= {name: None for name in columns if name.startswith("_") or name.endswith("code")}
    row |= {name: False for name in columns if name.startswith("donot")}
    key = f"{number:08x}-0000-4000-8000-{number:012x}"
    return row | {"@odata.etag": 'W/"1"', "contactid": key, "modifiedon": MODIFIED, "createdon": MODIFIED}


async def _page(request: web.Request) -> web.Response:
    columns = request.query["$select"].split(",")
    start, total = int(request.query.get("$skiptoken", "0")), request.app[ROWS]
    end = min(start + PAGE_ROWS, total)
    document: dict[str, Any] = {"value": [_row(number, columns) for number in range(start, end)]}
    if end < total:
        select = parse_qs(urlsplit(str(request.url)).query)["$select"][0]
        origin = f"{request.scheme}://{request.host}"
        document["@odata.nextLink"] = f"{origin}{request.path}?$select={select}&$skiptoken={end}"
    return web.json_response(document)


async def _serve(port: int, rows: int, tls: Path) -> None:
    """Until the standard input ends."""
    app = web.Application()
    app[ROWS] = rows
    app.router.add_get("/api/data/v9.2/contacts", _page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", port, ssl_context=ensure_tls(tls).server_context()).start()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
