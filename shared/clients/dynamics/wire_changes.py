"""Change tracking and failed system jobs on the wire: functions over data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS, TableName, checked_id
from shared.clients.dynamics.wire_errors import DOES_NOT_EXIST, code, detail, refused
from shared.clients.dynamics.wire_rows import are_rows, rows_in, unreadable
from shared.clients.outcomes import json_object
from shared.domain.sweep import ChangePage
from shared.errors import Halt, Reason, Retry
from shared.ports.sweep import FailedJob, PageRefusedError

NOT_TRACKED = "0x80072491"
# Dataverse documents that a token older than the organisation keeps changes is refused, not with which code. So a
# refusal of a page or token, whatever its code, means: start over. Only the first page's refusal is about the table.
_REFUSALS = (400, 404, 410)
_GONE = "deleted"
_FAILED = 31
_COMPLETED = "completedon"


def changes_request(config: DynamicsConfig, table: TableName, asked: str | None, size: int) -> Request:
    """Ids only: values are read where they are needed, and a link stays good whatever becomes of the mapping.

    `asked` is a link of an earlier answer, which is used unchanged. Raises ValueError for one that leads elsewhere.
    """
    prefer = f"odata.track-changes,odata.maxpagesize={size}"
    headers = {**HEADERS, "If-None-Match": "null", "Prefer": prefer}
    url = asked or f"{config.base}/{table.entity_set}?$select={table.id_column}"
    if urlsplit(url)[:2] != urlsplit(config.url)[:2]:
        raise ValueError("a link of change tracking leads to another host")
    return Request(SYSTEM, "changes", "GET", url, headers, repeatable=True)


def read_changes(response: Response, table: TableName, *, continued: bool) -> ChangePage:
    """`continued`: a link was asked for, not the table. Raises PageRefusedError, Outcome."""
    if response.status != 200:
        if code(response) == NOT_TRACKED:
            raise Halt(Reason.NOT_TRACKED, table.entity_set)
        if continued and response.status in _REFUSALS:
            raise PageRefusedError(detail(response))
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    rows, following, token = (document.get(name) for name in ("value", "@odata.nextLink", "@odata.deltaLink"))
    link = following or token
    if not are_rows(rows) or not isinstance(link, str):
        raise Retry(REASONS.unreachable, f"{table.entity_set}: a page of changes without its link")
    gone = [_guid(row, "id", table) for row in rows if row.get("reason") == _GONE]
    changed = [_guid(row, table.id_column, table) for row in rows if row.get("reason") != _GONE]
    return ChangePage(tuple(changed), tuple(gone), link, last=following is None)


def row_request(config: DynamicsConfig, table: TableName, record_id: str) -> Request:
    """One row by its id: of one that may not be seen Dataverse says so, while a list would leave it out."""
    url = f"{config.base}/{table.entity_set}({checked_id(record_id)})?$select={table.id_column}"
    return Request(SYSTEM, table.entity_set, "GET", url, {**HEADERS, "If-None-Match": "null"}, repeatable=True)


def read_gone(response: Response) -> bool:
    """Only the platform's own word that this row does not exist. Raises Outcome, Halt for a row that is hidden."""
    if response.status == 404 and code(response) == DOES_NOT_EXIST:
        return True
    if response.status != 200:
        raise refused(response, write=False)
    return False


def steps_request(config: DynamicsConfig, prefix: str) -> Request:
    """The steps whose names begin so."""
    condition = quote(f"startswith(name,'{prefix}')", safe="")
    url = f"{config.base}/sdkmessageprocessingsteps?$select=sdkmessageprocessingstepid&$filter={condition}"
    return Request(SYSTEM, "jobs", "GET", url, HEADERS, repeatable=True)


def read_steps(response: Response) -> list[str]:
    """Their ids. Raises Outcome."""
    return [str(row.get("sdkmessageprocessingstepid", "")) for row in rows_in(response, "system jobs")]


def jobs_request(config: DynamicsConfig, steps: Sequence[str], since: datetime, most: int) -> Request:
    """Jobs of these steps that failed at that moment or later; their texts, which may quote values, stay there."""
    owners = " or ".join(f"_owningextensionid_value eq {checked_id(step)}" for step in steps)
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = quote(f"statuscode eq {_FAILED} and {_COMPLETED} ge {moment} and ({owners})", safe="")
    columns = f"asyncoperationid,messagename,primaryentitytype,errorcode,{_COMPLETED}"
    url = f"{config.base}/asyncoperations?$select={columns}&$filter={condition}&$orderby={_COMPLETED}&$top={most}"
    return Request(SYSTEM, "jobs", "GET", url, HEADERS, repeatable=True)


def read_jobs(response: Response) -> list[FailedJob]:
    """Raises Outcome."""
    return [_job(row) for row in rows_in(response, "system jobs")]


def _job(row: Mapping[str, Any]) -> FailedJob:
    try:
        return FailedJob(
            id=checked_id(row["asyncoperationid"]),
            table=str(row.get("primaryentitytype") or "unknown"),
            message=str(row.get("messagename") or "unknown"),
            code=str(row.get("errorcode") or ""),
            completed_at=datetime.fromisoformat(row[_COMPLETED]).astimezone(UTC),
        )
    except (KeyError, TypeError, ValueError):
        raise unreadable("system jobs") from None


def _guid(row: Mapping[str, Any], name: str, table: TableName) -> str:
    try:
        return str(UUID(row[name]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retry(REASONS.unreachable, f"{table.entity_set}: a change without its id") from None
