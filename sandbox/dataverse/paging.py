"""Pages of a query: where a page ends is kept in an opaque cookie, so rows written meanwhile shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.dataverse.errors import ApiError
from sandbox.dataverse.guid_order import weight, weight_sql
from sandbox.dataverse.odata_sql import Condition
from sandbox.dataverse.query import Order
from sandbox.dataverse.schema import TEXTS, Kind, Table
from sandbox.dataverse.values import Json, Row

_COOKIE = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([\w\-=]+)" istracking="False" />')


@dataclass(frozen=True)
class Mark:
    """The end of a page: its number and the ordering values of its last row."""

    page: int
    values: tuple[Any, ...]


def order_columns(table: Table, orderby: tuple[Order, ...]) -> list[Order]:
    """The ordering made total by the primary id."""
    return [*orderby, Order(table.columns[table.primary_id], descending=False)]


def order_sql(orders: list[Order]) -> str:
    return ", ".join(f"{_sql(order)} {'DESC' if order.descending else 'ASC'}" for order in orders)


def mark_after(row: Row, orders: list[Order], page: int) -> Mark:
    return Mark(page, tuple(row[order.column.name] for order in orders))


def encode(mark: Mark) -> str:
    """The cookie, ready to stand in a URL."""
    inner = base64.urlsafe_b64encode(json.dumps(mark.values).encode()).decode()
    return quote(f'<cookie pagenumber="{mark.page}" pagingcookie="{inner}" istracking="False" />', safe="")


def decode(cookie: str, orders: list[Order]) -> Mark:
    """Read a cookie back. Raises ApiError 400 for one that this query did not make."""
    match = _COOKIE.fullmatch(cookie)
    try:
        values = json.loads(base64.urlsafe_b64decode(match[2])) if match else None
    except (binascii.Error, ValueError):
        values = None
    if match is None or not isinstance(values, list) or len(values) != len(orders):
        raise ApiError(400, "0x80041103", "Malformed paging cookie: use @odata.nextLink unchanged.")
    return Mark(int(match[1]), tuple(values))


def beyond(mark: Mark, orders: list[Order]) -> Condition:
    """Rows that come after the mark: equal in the first n columns and further in the next."""
    branches: list[str] = []
    bound: list[Any] = []
    weights = [_weight(order, value) for order, value in zip(orders, mark.values, strict=True)]
    for at, order in enumerate(orders):
        further = _further(order, mark.values[at])
        if further is None:
            continue
        equal = [f"{_sql(before)} IS ?" for before in orders[:at]]
        branches.append("(" + " AND ".join([*equal, further]) + ")")
        bound += [*weights[:at], *([weights[at]] if "?" in further else [])]
    return Condition("(" + " OR ".join(branches) + ")", bound)


def _sql(order: Order) -> str:
    name = f't."{order.column.name}"'
    if order.column.kind is Kind.UNIQUEIDENTIFIER:
        return f"({weight_sql(name)})"
    return f"{name} COLLATE NOCASE" if order.column.kind in TEXTS else name


def _weight(order: Order, value: Json) -> Json:
    """What `_sql` of the row gave that has this value."""
    return weight(value) if order.column.kind is Kind.UNIQUEIDENTIFIER and isinstance(value, str) else value


def _further(order: Order, value: Json) -> str | None:
    """SQLite sorts null first when ascending, last when descending."""
    if order.descending:
        return None if value is None else f"({_sql(order)} < ? OR {_sql(order)} IS NULL)"
    return f"{_sql(order)} IS NOT NULL" if value is None else f"{_sql(order)} > ?"
