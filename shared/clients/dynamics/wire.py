"""Rows on the wire: functions over data, and the home of Dataverse's own words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire_errors import refused
from shared.clients.outcomes import json_object
from shared.domain.contact import Contact, Value
from shared.errors import Retry

TAG = "campaign-bridge"
HEADERS = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
IDS_PER_READ = 200
_URL_LIMIT = 32_000
_ID_LENGTH = len("%2C%27%27") + 36
_LABEL = "OData.Community.Display.V1.FormattedValue"
# "null" makes sure that no cache answers.
_READ_HEADERS = {**HEADERS, "If-None-Match": "null", "Prefer": f'odata.include-annotations="{_LABEL}"'}


@dataclass(frozen=True)
class TableName:
    """What a table is called in addresses, and which column holds a row's id."""

    entity_set: str
    id_column: str


CONTACTS = TableName("contacts", "contactid")


def checked_id(record_id: str) -> str:
    """The id in lower case. Raises ValueError for anything but a GUID: ids go into addresses and filters."""
    try:
        return str(UUID(record_id))
    except ValueError:
        raise ValueError("a row's id is not a GUID") from None


def table_name_request(config: DynamicsConfig, table: str) -> Request:
    """`table`: the logical name. Raises ValueError for what cannot be one."""
    if not table.isidentifier() or not table.isascii():
        raise ValueError("a table's logical name has letters, digits and underscores only")
    url = f"{config.base}/EntityDefinitions(LogicalName='{table}')?$select=EntitySetName,PrimaryIdAttribute"
    return Request(SYSTEM, "metadata", "GET", url, HEADERS, repeatable=True)


def read_table_name(response: Response) -> TableName:
    """Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    entity_set, id_column = document.get("EntitySetName"), document.get("PrimaryIdAttribute")
    if not isinstance(entity_set, str) or not isinstance(id_column, str):
        raise Retry(REASONS.unreachable, "EntityDefinitions: the answer is not readable")
    return TableName(entity_set, id_column)


def ids_per_read(config: DynamicsConfig, table: TableName, columns: Sequence[str]) -> int:
    """How many rows one address can name beside the columns; Dataverse takes 32 KB."""
    room = _URL_LIMIT - len(rows_request(config, table, columns, []).url)
    return max(1, min(IDS_PER_READ, room // _ID_LENGTH))


def rows_request(config: DynamicsConfig, table: TableName, columns: Sequence[str], ids: Sequence[str]) -> Request:
    """The rows with these ids, as far as they exist, with the columns and the labels of their values."""
    select = ",".join(dict.fromkeys((*columns, table.id_column, "modifiedon", "_modifiedby_value")))
    values = ",".join(f"'{checked_id(record_id)}'" for record_id in ids)
    condition = f"Microsoft.Dynamics.CRM.In(PropertyName='{table.id_column}',PropertyValues=[{values}])"
    url = f"{config.base}/{table.entity_set}?$select={quote(select, safe=',')}&$filter={quote(condition, safe='')}"
    return Request(SYSTEM, table.entity_set, "GET", url, _READ_HEADERS, repeatable=True)


def read_rows(response: Response, table: TableName, columns: Sequence[str]) -> dict[str, Contact]:
    """By id. Raises Outcome; an answer that is not whole never reads as "that row is gone"."""
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    rows = document.get("value")
    if not isinstance(rows, list) or "@odata.nextLink" in document:
        raise Retry(REASONS.unreachable, f"{table.entity_set}: the answer is not whole")
    read = [read_row(row, table, columns) for row in rows]
    return {row.id: row for row in read}


def properties(columns: Iterable[str], lookups: Collection[str]) -> dict[str, str]:
    """The Web API's names of columns, each with the column's own: a lookup is read as `_NAME_value`."""
    return {f"_{column}_value" if column in lookups else column: column for column in columns}


def by_column(contact: Contact, names: Mapping[str, str]) -> Contact:
    """The same row, under the columns' own names; `names` as `properties` gives them."""
    columns = {names[name]: value for name, value in contact.columns.items()}
    labels = {names[name]: label for name, label in contact.labels.items()}
    return replace(contact, columns=columns, labels=labels)


def opt_outs_request(config: DynamicsConfig, contact_id: str, columns: Mapping[str, bool], version: str) -> Request:
    """Write against a version. The tag tells plug-ins and webhooks who wrote."""
    headers = {**HEADERS, "Content-Type": "application/json", "If-Match": version}
    url = f"{config.base}/contacts({checked_id(contact_id)})?tag={TAG}"
    return Request(SYSTEM, "contacts", "PATCH", url, headers, json.dumps(dict(columns)).encode())


def read_opt_outs_written(response: Response) -> bool:
    """False: another version, or no row. Raises Outcome."""
    if response.status in (200, 204):
        return True
    if response.status in (404, 412):
        return False
    raise refused(response, write=True)


def whoami_request(config: DynamicsConfig) -> Request:
    """The application user behind the credentials."""
    return Request(SYSTEM, "whoami", "GET", f"{config.base}/WhoAmI", HEADERS, repeatable=True)


def read_whoami(response: Response) -> str:
    """The systemuser's id. Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    user = json_object(response, REASONS).get("UserId")
    if not isinstance(user, str):
        raise Retry(REASONS.unreachable, "WhoAmI: the answer holds no UserId")
    return user.lower()


def read_row(row: Mapping[str, Any], table: TableName, columns: Sequence[str], *, labels: bool = True) -> Contact:
    """One row of an answer. Raises Retry."""
    try:
        return Contact(
            id=str(UUID(row[table.id_column])),
            version=str(row["@odata.etag"]),
            modified_on=datetime.fromisoformat(row["modifiedon"]).astimezone(UTC),
            columns={name: _value(row.get(name)) for name in columns},
            labels=_labels(row, columns) if labels else {},
            modified_by=str(UUID(row["_modifiedby_value"])) if row.get("_modifiedby_value") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retry(REASONS.unreachable, f"{table.entity_set}: a row of the answer is not readable") from None


def _labels(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    return {name: str(row[f"{name}@{_LABEL}"]) for name in columns if f"{name}@{_LABEL}" in row}


def _value(value: object) -> Value:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise TypeError("a column's value is not a plain value")
    return value
