"""A resource's description from Campaign: its fields with types, lengths, enumerations and what is read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from shared.clients.calls import Request, Response, Sender
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.campaign.wire import headers
from shared.clients.campaign.wire_errors import refused
from shared.clients.exchange import Exchange, Tokens
from shared.clients.outcomes import json_object
from shared.domain.conversion import Target, TargetType
from shared.domain.mapping import Resource
from shared.domain.metadata import FieldInfo, ResourceInfo
from shared.errors import Halt, Reason, Retry

# What a customer adds to a built-in resource bears this prefix, and only the extended endpoint shows it.
EXTENSION_PREFIX = "cus"
_WHOLE = frozenset({"byte", "short", "long", "int64"})
_TYPES = {
    "string": TargetType.STRING,
    "memo": TargetType.STRING,
    "boolean": TargetType.BOOLEAN,
    "date": TargetType.DATE,
    "datetime": TargetType.DATETIME,
    "datetimetz": TargetType.DATETIME,
    "enumeration": TargetType.ENUMERATION,
    "object": TargetType.OBJECT,
    "link": TargetType.OBJECT,
    "collection": TargetType.OBJECT,
}


class ResourceMetadata:
    """Asks Campaign what a resource looks like."""

    def __init__(self, config: CampaignConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)

    async def resource(self, name: str, *, extended: bool) -> ResourceInfo:
        """One engine call; `extended`, with the fields that the customer added: two. Raises Outcome."""
        built_in = read_resource(await self._exchange.send(resource_request(self._config, name)))
        if not extended:
            return built_in
        added = read_extension(await self._exchange.send(extension_request(self._config)), name)
        return ResourceInfo({**added.fields, **built_in.fields})

    async def custom(self, resource: Resource) -> ResourceInfo:
        """A custom resource with the filters that it has; two engine calls. Raises Outcome; Halt: not published."""
        response = await self._exchange.send(custom_request(self._config, resource))
        if response.status == 404:
            raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"{resource.name}: not there, or not published")
        described = read_resource(response)
        url = filters_url(response, self._config)
        if url is None:
            return described
        answer = await self._exchange.send(
            Request(SYSTEM, "metadata", "GET", url, headers(self._config), repeatable=True)
        )
        return replace(described, filters=read_filters(answer))


def custom_request(config: CampaignConfig, resource: Resource) -> Request:
    """A custom resource."""
    api = "profileAndServicesExt" if resource.linked else "customResources"
    url = f"{config.url}/{api}/resourceType/{quote(resource.name, safe='')}"
    return Request(SYSTEM, "metadata", "GET", url, headers(config), repeatable=True)


def filters_url(response: Response, config: CampaignConfig) -> str | None:
    """Where the description says that its filters are; never another host, for the token travels with it."""
    url = (json_object(response, REASONS).get("filters") or {}).get("href")
    return url if isinstance(url, str) and url.startswith(config.url) else None


def read_filters(response: Response) -> Mapping[str, frozenset[str]] | None:
    """Each filter's parameters by its name, from the sample address that comes with it; None where it is not told."""
    if response.status != 200:
        return None
    samples = {name: one.get("data") for name, one in json_object(response, REASONS).items() if isinstance(one, dict)}
    return {name: _parameters(sample) for name, sample in samples.items() if isinstance(sample, str)} or None


def _parameters(sample: str) -> frozenset[str]:
    """Of `/customResources/cusX/byKey?key_parameter=$value`."""
    return frozenset(parse_qs(urlsplit(sample).query))


def is_extension(field: str) -> bool:
    """Whether a dotted name is a field that the customer added."""
    return field.startswith(EXTENSION_PREFIX)


def resource_request(config: CampaignConfig, name: str) -> Request:
    """A built-in resource."""
    url = f"{config.url}/profileAndServices/resourceType/{quote(name, safe='')}"
    return Request(SYSTEM, "metadata", "GET", url, headers(config), repeatable=True)


def extension_request(config: CampaignConfig) -> Request:
    """The index of the extended endpoint, which describes every resource that the customer extended or linked."""
    return Request(SYSTEM, "metadata", "GET", f"{config.url}/profileAndServicesExt/", headers(config), repeatable=True)


def read_resource(response: Response) -> ResourceInfo:
    """Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    return _resource(json_object(response, REASONS))


def read_extension(response: Response, name: str) -> ResourceInfo:
    """One resource of the index. Raises Outcome; Halt where Campaign publishes no extension of it."""
    if response.status != 200:
        raise refused(response, write=False)
    described = json_object(response, REASONS).get(name)
    if not isinstance(described, dict):
        raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"the extended API does not offer {name}: publish its extension")
    return _resource(described)


def _resource(described: Mapping[str, Any]) -> ResourceInfo:
    content = described.get("content")
    if not isinstance(content, dict):
        raise Retry(REASONS.unreachable, "metadata: the answer's content is not readable")
    return ResourceInfo(dict(_fields(content)))


def _fields(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, described in content.items():
        if isinstance(described, dict):
            yield f"{prefix}{name}", _field(described)
            yield from _fields(described.get("content") or {}, f"{prefix}{name}.")


def _field(described: Mapping[str, Any]) -> FieldInfo:
    kind = str(described.get("type", "")).lower()
    length = described.get("length")
    target = Target(
        type=_type(kind, str(described.get("resType", "")).lower()),
        length=length if isinstance(length, int) and length > 0 else None,
        values=tuple(_values(described.get("values"))),
        read_only=described.get("readOnly") is True,
    )
    return FieldInfo(
        target,
        mandatory=described.get("mandatory") is True,
        data_policy=str(described.get("dataPolicy") or ""),
        parts_known=kind != "object" or bool(described.get("content")),
    )


def _type(kind: str, technical: str) -> TargetType:
    if kind == "number":
        return TargetType.INTEGER if technical in _WHOLE else TargetType.FLOAT
    return _TYPES.get(kind, TargetType.STRING)


def _values(described: object) -> Iterator[str]:
    """The names of an enumeration's values, which are the keys of an object, or stand in a list of objects."""
    if isinstance(described, dict):
        yield from described
    elif isinstance(described, list):
        yield from (str(item["name"]) for item in described if isinstance(item, dict) and "name" in item)
