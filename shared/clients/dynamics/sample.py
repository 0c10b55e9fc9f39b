"""Some real rows of a table, the last changed first, and how many there are: for trying a mapping before it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from shared.clients.calls import Request, Response, Sender
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import (
    HEADERS,
    TableName,
    by_column,
    properties,
    read_rows,
    read_table_name,
    rows_request,
    table_name_request,
)
from shared.clients.dynamics.wire_errors import refused
from shared.clients.exchange import Exchange, Tokens
from shared.domain.contact import Contact
from shared.errors import Retry

# Dataverse counts no further in one answer.
COUNTED_AT_MOST = 5000


@dataclass(frozen=True)
class Total:
    """How many rows there are; `at_least`: there may be more."""

    rows: int
    at_least: bool


class SampleRows:
    """Reads rows without knowing their ids."""

    def __init__(self, config: DynamicsConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)

    async def rows(
        self, table: str, columns: Sequence[str], lookups: frozenset[str], count: int, condition: str | None = None
    ) -> list[Contact]:
        """At most `count` rows with these columns. `condition`: only of those for which it holds. Raises Outcome."""
        names, name = properties(columns, lookups), await self._name(table)
        response = await self._exchange.send(sample_request(self._config, name, list(names), count, condition))
        return [by_column(row, names) for row in read_rows(response, name, list(names)).values()]

    async def total(self, table: str, condition: str | None = None) -> Total:
        """Raises Outcome."""
        return read_total(await self._exchange.send(total_request(self._config, await self._name(table), condition)))

    async def _name(self, table: str) -> TableName:
        return read_table_name(await self._exchange.send(table_name_request(self._config, table)))


def sample_request(
    config: DynamicsConfig, table: TableName, names: Sequence[str], count: int, condition: str | None = None
) -> Request:
    """As the bridge reads rows, but for the choice of them."""
    request = rows_request(config, table, names, [])
    chosen, _, _ = request.url.partition("&$filter=")
    narrowed = f"&$filter={quote(condition, safe='')}" if condition else ""
    return replace(request, url=f"{chosen}{narrowed}&$orderby={quote('modifiedon desc')}&$top={count}")


def total_request(config: DynamicsConfig, table: TableName, condition: str | None = None) -> Request:
    """All rows of the table, also those that no filter of the mapping lets pass."""
    narrowed = f"?$filter={quote(condition, safe='')}" if condition else ""
    url = f"{config.base}/{table.entity_set}/$count{narrowed}"
    return Request(SYSTEM, "count", "GET", url, HEADERS, repeatable=True)


def read_total(response: Response) -> Total:
    """The answer is a bare number, with a byte-order mark before it. Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    digits = response.body.decode("utf-8-sig", "replace").strip()
    if not (digits.isascii() and digits.isdigit()):
        raise Retry(REASONS.unreachable, "count: the answer is not a number")
    return Total(int(digits), at_least=int(digits) >= COUNTED_AT_MOST)
