"""Rows of a table by the page, for a resync: each page one request, the next one where Dataverse says."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.clients.calls import Request, Response, Sender
from shared.clients.dynamics import wire
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire_errors import refused
from shared.clients.exchange import Exchange, Tokens
from shared.clients.outcomes import json_object
from shared.domain.mapping import Mapping
from shared.domain.resync import Scope, Slice
from shared.errors import Retry
from shared.ports.resyncs import BulkRows, RowPage

CREATED = "createdon"
_SELECT = re.compile(r"(?<=[?&])(\$|%24)select=[^&]*")


class BulkReader(BulkRows):
    """Rows come in the order of their ids, which is Dataverse's own: what is written meanwhile shifts no page."""

    def __init__(self, config: DynamicsConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self._names = {"contact": wire.CONTACTS}

    async def page(
        self, mapping: Mapping, more: Collection[str], scope: Scope, part: Slice, size: int, position: str | None
    ) -> RowPage:
        """See the port. Raises Outcome."""
        table = await self._name(mapping.table)
        columns = sorted({*mapping.columns, *more})
        names = wire.properties(columns, mapping.lookup_columns | scope.lookups)
        labels = mapping.wants_labels or scope.filter is not None
        asked = condition(scope, part)
        request = page_request(self._config, table, names, asked, size, position, labels=labels)
        page = read_page(self._config, await self._exchange.send(request), table, list(names), labels=labels)
        if list(names) == columns:
            return page
        return replace(page, rows=[wire.by_column(row, names) for row in page.rows])

    async def span(self, scope: Scope) -> tuple[datetime, datetime] | None:
        """When the first and the last of the rows was created; None: there is none. Two requests. Raises Outcome."""
        table, asked = await self._name(scope.table), condition(scope, Slice())
        ends = [
            read_moment(await self._exchange.send(end_request(self._config, table, asked, order)))
            for order in ("asc", "desc")
        ]
        oldest, newest = ends
        return None if oldest is None or newest is None else (oldest, newest)

    async def _name(self, table: str) -> wire.TableName:
        if table not in self._names:
            response = await self._exchange.send(wire.table_name_request(self._config, table))
            self._names[table] = wire.read_table_name(response)
        return self._names[table]


def condition(scope: Scope, part: Slice) -> str | None:
    """All that is asked of a row; None: nothing."""
    asked = [
        scope.condition,
        f"modifiedon ge {_instant(scope.since)}" if scope.since else None,
        f"{CREATED} ge {_instant(part.start)}" if part.start else None,
        f"{CREATED} lt {_instant(part.end)}" if part.end else None,
    ]
    return " and ".join(one for one in asked if one) or None


def page_request(
    config: DynamicsConfig,
    table: wire.TableName,
    names: Iterable[str],
    asked: str | None,
    size: int,
    position: str | None,
    *,
    labels: bool = True,
) -> Request:
    """`position`: as the page before gave it. Its address is followed unchanged, but for columns mapped since.

    Labels make an answer half as large again, so they are asked for where something looks at them only.
    """
    request = wire.rows_request(config, table, list(names), [])
    first, _, _ = request.url.partition("&$filter=")
    if position is None:
        url = first + (f"&$filter={quote(asked, safe='')}" if asked else "")
    else:
        select = first.partition("?")[2]
        url = f"{config.base}/{_SELECT.sub(lambda _: select, position)}"
    wishes = [request.headers["Prefer"]] if labels else []
    headers = {**request.headers, "Prefer": ",".join([*wishes, f"odata.maxpagesize={size}"])}
    return replace(request, url=url, headers=headers)


def read_page(
    config: DynamicsConfig, response: Response, table: wire.TableName, names: list[str], *, labels: bool = True
) -> RowPage:
    """Raises Outcome; an answer that is not whole is never the last page."""
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    rows, link = document.get("value"), document.get("@odata.nextLink")
    if not isinstance(rows, list) or not isinstance(link, str | None):
        raise Retry(REASONS.unreachable, f"{table.entity_set}: the answer is not whole")
    read = [wire.read_row(row, table, names, labels=labels) for row in rows]
    return RowPage(read, None if link is None else _below(config, link))


def end_request(config: DynamicsConfig, table: wire.TableName, asked: str | None, order: str) -> Request:
    """The one row that was created first, or last."""
    narrowed = f"&$filter={quote(asked, safe='')}" if asked else ""
    chosen = f"?$select={CREATED}&$orderby={quote(f'{CREATED} {order}')}&$top=1"
    url = f"{config.base}/{table.entity_set}{chosen}{narrowed}"
    return Request(SYSTEM, table.entity_set, "GET", url, wire.HEADERS, repeatable=True)


def read_moment(response: Response) -> datetime | None:
    """Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    rows: Any = json_object(response, REASONS).get("value")
    try:
        return datetime.fromisoformat(rows[0][CREATED]) if rows else None
    except (TypeError, KeyError, ValueError):
        raise Retry(REASONS.unreachable, f"{CREATED}: the answer is not readable") from None


def _below(config: DynamicsConfig, link: str) -> str:
    """Only what follows the environment's own address is kept: nowhere else is a token ever sent."""
    start = f"{config.base}/"
    if not link.lower().startswith(start.lower()):
        raise Retry(REASONS.unreachable, "the next page's address is not the environment's")
    return link[len(start) :]


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
