"""Change tracking: reads that end in a delta link, and what has changed since such a link was made."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sandbox.dataverse.errors import ApiError, bad_query, not_offered, not_tracked, token_expired
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.query import MAX_PAGE, Query, parse_query
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row

_UNSUPPORTED = ("$filter", "$orderby", "$expand", "$top")
_KEPT = ("$select",)
_MOMENT = "%m/%d/%Y %H:%M:%S"
_TOKEN = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_COOKIE = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([\w\-=]+)" istracking="True" />')


@dataclass(frozen=True)
class Token:
    """The state of all rows at one version; `at` is when it was that."""

    version: int
    at: datetime

    def __str__(self) -> str:
        return f"{self.version}!{self.at.strftime(_MOMENT)}"


@dataclass(frozen=True)
class Position:
    """How far a tracked read has come.

    `since`: the version that the caller knows, None when it knows nothing; `until`: the token that it will be given.
    First come the rows that exist, by version, then the deletions; `after` is the last version that was shown.
    """

    since: int | None
    until: Token
    deletions: bool = False
    after: int = 0
    page: int = 1


def concerns(request: ApiRequest) -> bool:
    """Whether a list is read with change tracking, from the first page to the last."""
    query = request.query
    return request.prefer.track_changes or "$deltatoken" in query or 'istracking="True"' in query.get("$skiptoken", "")


class Changes:
    """Answers tracked reads.

    A token is of the moment at which its read began: what is written between two pages is shown by the next delta at
    the latest, and may be shown twice, but is never missed. A token is refused once it is older than the organization
    keeps changes (`expirechangetrackingindays`), and when all rows were dropped since.
    """

    def __init__(self, org: Organization) -> None:
        self._org = org

    def listing(self, table: Table, request: ApiRequest) -> ApiResponse:
        """A page of rows and deletions; the last page has the delta link, the others the next link. Raises ApiError."""
        query = self._query(table, request)
        position = self._begin(request)
        size = request.prefer.page_size or MAX_PAGE
        shown, position, more = self._page(table, query, request, position, size)
        suffix = "" if position.since is None else "/$delta"
        columns = f"({','.join(query.select)})" if query.select else ""
        body: Row = {"@odata.context": f"{self._org.api_url}$metadata#{table.entity_set}{columns}{suffix}"}
        if more:
            body["@odata.nextLink"] = self._link(request, "$skiptoken", quote(_cookie(position), safe=""))
        else:
            body["@odata.deltaLink"] = self._link(request, "$deltatoken", quote(str(position.until), safe="").lower())
        applied = ["odata.track-changes"] if request.prefer.track_changes else []
        applied += [f"odata.maxpagesize={size}"] if request.prefer.page_size else []
        headers = {"Preference-Applied": ",".join(applied)} if applied else {}
        return ApiResponse(200, {**body, "value": shown}, headers)

    def count(self, table: Table, request: ApiRequest) -> ApiResponse:
        """How many rows have changed or gone since the token, as plain text. Raises ApiError."""
        self._query(table, request)
        since = self._begin(request).since or 0
        changed = self._org.store.count(table, "t.versionnumber > ?", [since], MAX_PAGE)
        deleted = len(self._org.store.deletions(table, since, since, MAX_PAGE))
        return ApiResponse(200, str(min(changed + deleted, MAX_PAGE)), content_type="text/plain")

    def _query(self, table: Table, request: ApiRequest) -> Query:
        if not table.change_tracking:
            raise not_tracked(table.name)
        for name in request.query.keys() & set(_UNSUPPORTED):
            raise bad_query(f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.')
        if "$count" in request.query:
            raise not_offered("$count=true with change tracking")
        plain = {name: value for name, value in request.query.items() if name not in ("$deltatoken", "$skiptoken")}
        return parse_query(table, plain)

    def _begin(self, request: ApiRequest) -> Position:
        """Where the read goes on, or that it starts now."""
        cookie = request.query.get("$skiptoken")
        if cookie is not None:
            return _position(cookie)
        token = request.query.get("$deltatoken")
        now = Token(self._org.store.version(), request.operation.at)
        if token is None:
            return Position(None, now)
        since = self._known(token).version
        return Position(since, now, after=since)

    def _known(self, text: str) -> Token:
        token = _token(text)
        if token.version > self._org.store.version():
            raise bad_query(f"The delta token '{text}' is of another organization.")
        config = self._org.config
        row = self._org.store.get(self._org.schema.tables["organization"], config.organization_id) or {}
        days = int(row.get("expirechangetrackingindays") or 0)
        too_old = self._org.now() - token.at > timedelta(days=days)
        if too_old or token.version <= self._org.store.version_of_clearing():
            raise token_expired()
        return token

    def _page(
        self, table: Table, query: Query, request: ApiRequest, position: Position, size: int
    ) -> tuple[list[Row], Position, bool]:
        """What to show, where the next page begins, and whether there is one."""
        shown: list[Row] = []
        if not position.deletions:
            rows = self._org.store.select(table, "t.versionnumber > ?", [position.after], "t.versionnumber", size + 1)
            shown = [self._org.view.show(table, row, query, request.prefer) for row in rows[:size]]
            self._org.counters.row("read", table.name, len(shown))
            if len(rows) > size:
                return shown, replace(position, after=rows[size - 1]["versionnumber"], page=position.page + 1), True
            position = replace(position, deletions=True, after=position.since or 0)
        if position.since is None:
            return shown, position, False
        room = size - len(shown)
        gone = self._org.store.deletions(table, position.since, position.after, room + 1)
        told = gone[:room]
        shown += [self._deleted(table, each) for each in told]
        after = told[-1]["latest"] if told else position.after
        return shown, replace(position, after=after, page=position.page + 1), len(gone) > room

    def _deleted(self, table: Table, gone: Row) -> Row:
        context = f"{self._org.api_url}$metadata#{table.entity_set}/$deletedEntity"
        return {"@odata.context": context, "id": gone["row_id"], "reason": "deleted"}

    def _link(self, request: ApiRequest, name: str, value: str) -> str:
        kept = [f"{each}={quote(request.query[each], safe=',')}" for each in _KEPT if each in request.query]
        return f"{self._org.api_url}{request.path}?{'&'.join([*kept, f'{name}={value}'])}"


def _token(text: str) -> Token:
    match = _TOKEN.fullmatch(text)
    try:
        at = datetime.strptime(match[2], _MOMENT).replace(tzinfo=UTC) if match else None
    except ValueError:
        at = None
    if match is None or at is None:
        raise ApiError(400, "0x80040203", "Malformed delta token: use @odata.deltaLink unchanged.")
    return Token(int(match[1]), at)


def _cookie(position: Position) -> str:
    state = [position.since, str(position.until), position.deletions, position.after]
    inner = base64.urlsafe_b64encode(json.dumps(state).encode()).decode()
    return f'<cookie pagenumber="{position.page}" pagingcookie="{inner}" istracking="True" />'


def _position(cookie: str) -> Position:
    match = _COOKIE.fullmatch(cookie)
    try:
        state: Any = json.loads(base64.urlsafe_b64decode(match[2])) if match else None
        since, until, deletions, after = state
        return Position(since, _token(until), bool(deletions), int(after), int(match[1]) if match else 1)
    except (binascii.Error, ValueError, TypeError):
        raise ApiError(400, "0x80041103", "Malformed paging cookie: use @odata.nextLink unchanged.") from None
