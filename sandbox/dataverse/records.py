"""Rows over the API: lists with paging, single rows, create, update, upsert, delete and their conditions."""

from __future__ import annotations

from urllib.parse import quote

from sandbox.dataverse import changes
from sandbox.dataverse.errors import (
    already_exists,
    does_not_exist,
    method_not_allowed,
    no_row_for_key,
    not_offered,
    version_mismatch,
)
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.links import locate, require, resolve, row_url
from sandbox.dataverse.odata_filter import And, Compare, Expression, Literal, Path
from sandbox.dataverse.odata_sql import Condition, compile_filter
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.paging import beyond, decode, encode, mark_after, order_columns, order_sql
from sandbox.dataverse.payload import column_values, read_json
from sandbox.dataverse.query import MAX_PAGE, Query, parse_query
from sandbox.dataverse.resource import key_values
from sandbox.dataverse.rows import etag
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row


class Records:
    """The requests that concern entity sets."""

    def __init__(self, org: Organization) -> None:
        self._org = org
        self._changes = changes.Changes(org)

    def collection(self, table: Table, request: ApiRequest, within: Expression | None = None) -> ApiResponse:
        """GET a page of rows (only those `within`), or POST a new row."""
        if request.method == "GET":
            return self._list(table, request, within)
        if request.method == "POST" and within is None:
            return self._create(table, request)
        raise method_not_allowed(request.method)

    def single(self, table: Table, key: str, request: ApiRequest) -> ApiResponse:
        """GET, PATCH or DELETE the row with that key."""
        handlers = {"GET": self._read, "PATCH": self._patch, "DELETE": self._delete}
        if request.method == "PUT":
            raise not_offered("PUT on rows and columns (PATCH is)")
        if request.method not in handlers:
            raise method_not_allowed(request.method)
        return handlers[request.method](table, key_values(table, key), request)

    def count(self, table: Table, request: ApiRequest) -> ApiResponse:
        """The number of rows as plain text; the platform counts no further than 5000."""
        if "$deltatoken" in request.query:
            return self._changes.count(table, request)
        query = parse_query(table, request.query)
        where = self._where(table, query.filter)
        number = self._org.store.count(table, where.sql, where.parameters, MAX_PAGE)
        return ApiResponse(200, str(number), content_type="text/plain")

    def related(self, table: Table, key: str, name: str, request: ApiRequest) -> ApiResponse:
        """The rows behind a collection-valued navigation property, or the one behind a single-valued one."""
        row = require(self._org, table, key_values(table, key))
        link = self._org.schema.collection(table, name)
        if link is not None:
            only = Compare("eq", Path((link.attribute.property_name,)), Literal("guid", row[table.primary_id]))
            return self.collection(link.referencing, request, only)
        if name not in table.navigations:
            raise not_offered(f"the path '{table.entity_set}({key})/{name}'")
        column, target = table.navigations[name]
        if row[column.name] is None:
            return ApiResponse(204)
        return self.single(self._org.schema.tables[target.table], row[column.name], request)

    def _list(self, table: Table, request: ApiRequest, within: Expression | None) -> ApiResponse:
        if changes.concerns(request) and within is None:
            return self._changes.listing(table, request)
        prefer, query = request.prefer, parse_query(table, request.query)
        where = self._where(table, query.filter, within)
        orders = order_columns(table, query.orderby)
        mark = None if query.skiptoken is None else decode(query.skiptoken, orders)
        page = where if mark is None else _both(where, beyond(mark, orders))
        size = min(query.top if query.top is not None else prefer.page_size or MAX_PAGE, MAX_PAGE)
        rows = self._org.store.select(table, page.sql, page.parameters, order_sql(orders), size + 1)
        shown = rows[:size]
        self._org.counters.row("read", table.name, len(shown))
        body: Row = {"@odata.context": self._context(table, query)}
        if query.count:
            body["@odata.count"] = self._org.store.count(table, where.sql, where.parameters, MAX_PAGE)
        body["value"] = [self._org.view.show(table, row, query, prefer) for row in shown]
        if len(rows) > size and query.top is None:
            cookie = encode(mark_after(shown[-1], orders, (mark.page if mark else 1) + 1))
            body["@odata.nextLink"] = self._next_link(request, cookie)
        return ApiResponse(200, body, _applied(request))

    def _where(self, table: Table, *parts: Expression | None) -> Condition:
        given = tuple(part for part in parts if part is not None)
        return compile_filter(And(given), table, self._org.schema) if given else Condition("1")

    def _next_link(self, request: ApiRequest, cookie: str) -> str:
        kept = [f"{name}={quote(value, safe=',/()')}" for name, value in request.query.items() if name != "$skiptoken"]
        return f"{self._org.api_url}{request.path}?{'&'.join([*kept, f'$skiptoken={cookie}'])}"

    def _context(self, table: Table, query: Query, suffix: str = "") -> str:
        columns = f"({','.join(query.select)})" if query.select else ""
        return f"{self._org.api_url}$metadata#{table.entity_set}{columns}{suffix}"

    def _read(self, table: Table, key: Row, request: ApiRequest) -> ApiResponse:
        query = parse_query(table, request.query)
        row = require(self._org, table, key)
        if request.headers.get("if-none-match") == etag(row) and not query.expand and not request.prefer.annotations:
            return ApiResponse(304, headers={"ETag": etag(row)})
        self._org.counters.row("read", table.name)
        return self._shown(200, table, row, request)

    def _shown(self, status: int, table: Table, row: Row, request: ApiRequest) -> ApiResponse:
        query = parse_query(table, request.query)
        body = {"@odata.context": self._context(table, query, "/$entity")}
        body |= self._org.view.show(table, row, query, request.prefer)
        return ApiResponse(status, body, {"ETag": etag(row), **_applied(request)})

    def _create(self, table: Table, request: ApiRequest) -> ApiResponse:
        return self._insert(table, self.values(table, read_json(request.body), request), request)

    def _insert(self, table: Table, values: Row, request: ApiRequest) -> ApiResponse:
        row_id = self._org.writer.create(table, values, request.operation)
        return self._written(201, table, row_id, request)

    def _patch(self, table: Table, key: Row, request: ApiRequest) -> ApiResponse:
        """Upsert, unless `If-Match` forbids the creation or `If-None-Match: *` the update."""
        values = self.values(table, read_json(request.body), request)
        row = locate(self._org, table, key)
        if row is None:
            if "if-match" in request.headers:
                raise self._missing(table, key)
            return self._insert(table, {**values, **key}, request)
        if request.headers.get("if-none-match") == "*":
            raise already_exists()
        _require_version(row, request)
        self._org.writer.update(table, row[table.primary_id], values, request.operation)
        return self._written(200, table, row[table.primary_id], request)

    def _missing(self, table: Table, key: Row) -> Exception:
        if table.primary_id in key:
            return does_not_exist(table.name, key[table.primary_id])
        return no_row_for_key(table.name)

    def _delete(self, table: Table, key: Row, request: ApiRequest) -> ApiResponse:
        row = require(self._org, table, key)
        _require_version(row, request)
        self._org.writer.delete(table, row[table.primary_id], request.operation)
        return ApiResponse(204)

    def values(self, table: Table, payload: Row, request: ApiRequest) -> Row:
        """A write's body as column values, its links resolved."""
        return column_values(table, payload, lambda url: resolve(self._org, url, request.references))

    def _written(self, status: int, table: Table, row_id: str, request: ApiRequest) -> ApiResponse:
        headers = {"OData-EntityId": row_url(self._org, table, row_id)}
        if not request.prefer.representation:
            return ApiResponse(204, headers=headers)
        shown = self._shown(status, table, self._org.writer.existing(table, row_id), request)
        return ApiResponse(shown.status, shown.body, {**shown.headers, **headers})


def _both(first: Condition, second: Condition) -> Condition:
    return Condition(f"{first.sql} AND {second.sql}", [*first.parameters, *second.parameters])


def _require_version(row: Row, request: ApiRequest) -> None:
    wanted = request.headers.get("if-match", "*")
    if wanted != "*" and etag(row) not in [tag.strip() for tag in wanted.split(",")]:
        raise version_mismatch()


def _applied(request: ApiRequest) -> dict[str, str]:
    prefer = request.prefer
    applied = ["return=representation"] if prefer.representation and request.method != "GET" else []
    applied += [f"odata.maxpagesize={prefer.page_size}"] if prefer.page_size and request.method == "GET" else []
    applied += [f'odata.include-annotations="{",".join(prefer.annotations)}"'] if prefer.annotations else []
    return {"Preference-Applied": ",".join(applied)} if applied else {}
