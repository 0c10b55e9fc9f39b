"""Contacts on the wire: functions over data, and the home of Dataverse's own words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
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
IDS_PER_READ = 100
_URL_LIMIT = 32_000
_ID_LENGTH = len("%2C%27%27") + 36
_LABEL = "OData.Community.Display.V1.FormattedValue"
_ALWAYS = ("contactid", "modifiedon", "_modifiedby_value")
# "null" makes sure that no cache answers.
_READ_HEADERS = {**HEADERS, "If-None-Match": "null", "Prefer": f'odata.include-annotations="{_LABEL}"'}


def checked_id(contact_id: str) -> str:
    """The id in lower case. Raises ValueError for anything but a GUID: ids go into addresses and filters."""
    try:
        return str(UUID(contact_id))
    except ValueError:
        raise ValueError("a contact's id is not a GUID") from None


def ids_per_read(config: DynamicsConfig, columns: Sequence[str]) -> int:
    """How many contacts one address can name beside the columns; Dataverse takes 32 KB."""
    room = _URL_LIMIT - len(contacts_request(config, columns, []).url)
    return max(1, min(IDS_PER_READ, room // _ID_LENGTH))


def contacts_request(config: DynamicsConfig, columns: Sequence[str], ids: Sequence[str]) -> Request:
    """The rows with these ids, as far as they exist, with the columns and the labels of their values."""
    select = ",".join(dict.fromkeys((*columns, *_ALWAYS)))
    values = ",".join(f"'{checked_id(contact_id)}'" for contact_id in ids)
    condition = f"Microsoft.Dynamics.CRM.In(PropertyName='contactid',PropertyValues=[{values}])"
    url = f"{config.base}/contacts?$select={quote(select, safe=',')}&$filter={quote(condition, safe='')}"
    return Request(SYSTEM, "contacts", "GET", url, _READ_HEADERS, repeatable=True)


def read_contacts(response: Response, columns: Sequence[str]) -> dict[str, Contact]:
    """By id. Raises Outcome; an answer that is not whole never reads as "that contact is gone"."""
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    rows = document.get("value")
    if not isinstance(rows, list) or "@odata.nextLink" in document:
        raise Retry(REASONS.unreachable, "contacts: the answer is not whole")
    contacts = [_contact(row, columns) for row in rows]
    return {contact.id: contact for contact in contacts}


def properties(columns: Iterable[str], lookups: Collection[str]) -> dict[str, str]:
    """The Web API's names of columns, each with the column's own: a lookup is read as `_NAME_value`."""
    return {f"_{column}_value" if column in lookups else column: column for column in columns}


def by_column(contact: Contact, names: Mapping[str, str]) -> Contact:
    """The same contact, under the columns' own names; `names` as `properties` gives them."""
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


def _contact(row: Mapping[str, Any], columns: Sequence[str]) -> Contact:
    try:
        return Contact(
            id=str(UUID(row["contactid"])),
            version=str(row["@odata.etag"]),
            modified_on=datetime.fromisoformat(row["modifiedon"]).astimezone(UTC),
            columns={name: _value(row.get(name)) for name in columns},
            labels={name: str(row[f"{name}@{_LABEL}"]) for name in columns if f"{name}@{_LABEL}" in row},
            modified_by=str(UUID(row["_modifiedby_value"])) if row.get("_modifiedby_value") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retry(REASONS.unreachable, "contacts: a row of the answer is not readable") from None


def _value(value: object) -> Value:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise TypeError("a column's value is not a plain value")
    return value
