"""Custom resources on the wire: a record is found by a custom filter on its key and written by its handle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from shared.clients.calls import Request, Response
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.campaign.wire import body, flat, headers, nested, read_list
from shared.domain.contact import Profile, Value
from shared.domain.mapping import Resource
from shared.errors import Halt, Reason, Retry


def look_up_request(config: CampaignConfig, resource: Resource, key: str) -> Request:
    """`/byExternalId?externalId_parameter=…`: the filter that an administrator made for the key."""
    query = f"{quote(resource.parameter, safe='')}={quote(key, safe='')}"
    url = f"{_url(config, resource)}/{quote(resource.filter, safe='')}?{query}"
    return Request(SYSTEM, resource.name, "GET", url, headers(config), repeatable=True)


def read_looked_up(response: Response, resource: Resource, key_field: str, key: str) -> Profile | None:
    """None: not there, or hidden. Raises Outcome; Halt where the filter shows records with another key."""
    records = read_list(response)["content"]
    found = [record for record in records if str(record.get(key_field)) == key]
    if not found and records:
        raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"{resource.filter} of {resource.name} does not look for {key_field}")
    return _record(found[0]) if found else None


def sample_request(config: CampaignConfig, resource: Resource) -> Request:
    """Any one record."""
    url = f"{_url(config, resource)}?_lineCount=1"
    return Request(SYSTEM, resource.name, "GET", url, headers(config), repeatable=True)


def read_sample(response: Response) -> Profile | None:
    """None: Campaign shows no record at all. Raises Outcome."""
    records = read_list(response)["content"]
    return _record(records[0]) if records else None


def create_request(config: CampaignConfig, resource: Resource, fields: Mapping[str, Value]) -> Request:
    """Empty fields are left out: a new record has none, and not every type accepts an empty text."""
    document = nested({name: value for name, value in fields.items() if value is not None})
    return Request(SYSTEM, resource.name, "POST", _url(config, resource), headers(config), body(document))


def update_request(config: CampaignConfig, resource: Resource, handle: str, fields: Mapping[str, Value]) -> Request:
    """An empty field is sent as an empty text."""
    document = nested({name: "" if value is None else value for name, value in fields.items()})
    return Request(
        SYSTEM, resource.name, "PATCH", _handle_url(config, resource, handle), headers(config), body(document)
    )


def delete_request(config: CampaignConfig, resource: Resource, handle: str) -> Request:
    """Campaign deletes, or hides, what is linked to it."""
    return Request(SYSTEM, resource.name, "DELETE", _handle_url(config, resource, handle), headers(config))


def _record(document: Mapping[str, Any]) -> Profile:
    handle = document.get("PKey")
    if not isinstance(handle, str) or not handle:
        raise Retry(REASONS.unreachable, "a custom resource's record has no PKey")
    return Profile(handle, dict(flat(document)))


def _url(config: CampaignConfig, resource: Resource) -> str:
    api = "profileAndServicesExt" if resource.linked else "customResources"
    return f"{config.url}/{api}/{quote(resource.name, safe='')}"


def _handle_url(config: CampaignConfig, resource: Resource, handle: str) -> str:
    return f"{_url(config, resource)}/{quote(handle, safe='')}"
