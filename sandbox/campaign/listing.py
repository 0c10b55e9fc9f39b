"""Lists: pages, opaque positions, order, counts, and the missing `next` of big tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.campaign import problems
from sandbox.campaign.calls import Call
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.store import Database

_POSITION = "position"


@dataclass(frozen=True)
class Selection:
    """Rows of one table; `order` is an SQL expression, `where` holds its values apart.

    `view` names what is shown of the table, where that is not all of it.
    """

    table: str
    order: str = "id"
    descending: bool = False
    where: tuple[str, ...] = ()
    values: tuple[object, ...] = ()
    view: str = ""

    @property
    def source(self) -> str:
        """Return what is read."""
        return self.view or self.table


@dataclass(frozen=True)
class Pager:
    """Cuts selections into pages.

    `next` is left out above `big_table_rows` rows in the table, however many match, unless the caller forces
    pagination: Campaign's silent truncation.
    """

    database: Database
    keys: KeyRing
    page_size: int
    big_table_rows: int

    def page(self, call: Call, selection: Selection, shown: Callable[[int, str], object]) -> dict[str, Any]:
        """Return the envelope of one page; `shown` turns a row's id and body into its item."""
        size = self._size(call.query)
        rows = self._rows(selection, self._start(call.query), size + 1)
        envelope: dict[str, Any] = {
            "content": [shown(number, body) for number, body, _ in rows[:size]],
            "count": {"href": _href(call, call.query, "_count")},
            "serverSidePagination": True,
        }
        if len(rows) > size and (call.query.get("_forcePagination") == "true" or not self._is_big(selection)):
            number, _, value = rows[size - 1]
            start = self.keys.seal(_POSITION, json.dumps([value, number]))
            envelope["next"] = {"href": _href(call, {**call.query, "_lineStart": start})}
        return envelope

    def count(self, selection: Selection) -> dict[str, int]:
        """Return how many rows match, whatever the page."""
        sql = f"SELECT COUNT(*) FROM {selection.source} {_where(selection.where)}"  # noqa: S608 - our own SQL
        return {"count": int(self.database.execute(sql, *selection.values).fetchone()[0])}

    def _size(self, query: Mapping[str, str]) -> int:
        text = query.get("_lineCount", str(self.page_size))
        if not text.isdecimal() or int(text) < 1:
            raise problems.bad_parameter("_lineCount", "a positive number is expected")
        return int(text)

    def _start(self, query: Mapping[str, str]) -> tuple[object, int] | None:
        if "_lineStart" not in query:
            return None
        position = self.keys.unseal(_POSITION, query["_lineStart"])
        if position is None:
            raise problems.bad_parameter("_lineStart", "use the URL of the 'next' node, never a position of your own")
        value, number = json.loads(position)
        return value, int(number)

    def _rows(self, selection: Selection, start: tuple[object, int] | None, limit: int) -> list[tuple[int, str, Any]]:
        sign, word = ("<", "DESC") if selection.descending else (">", "ASC")
        conditions, values = list(selection.where), list(selection.values)
        if start:
            conditions.append(f"({selection.order}, id) {sign} (?, ?)")
            values += start
        sql = (
            f"SELECT id, body, {selection.order} FROM {selection.source} {_where(tuple(conditions))} "  # noqa: S608
            f"ORDER BY {selection.order} {word}, id {word} LIMIT ?"
        )
        return self.database.execute(sql, *values, limit).fetchall()

    def _is_big(self, selection: Selection) -> bool:
        sql = f"SELECT COUNT(*) FROM {selection.table}"  # noqa: S608 - our own SQL
        return int(self.database.execute(sql).fetchone()[0]) > self.big_table_rows


def _where(conditions: tuple[str, ...]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _href(call: Call, query: Mapping[str, str], last: str = "") -> str:
    address = call.address
    path = "/".join(quote(part, safe="@") for part in (address.api, address.resource, *address.rest, last) if part)
    text = urlencode(query, quote_via=quote, safe="@")
    return f"{call.base}/{path}{'?' + text if text else ''}"
