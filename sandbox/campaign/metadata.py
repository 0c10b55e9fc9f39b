"""Descriptions of resources: `/profileAndServices/resourceType/<name>` and the index of the Ext API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Call, Reply
from sandbox.campaign.fields import DEFAULT_LENGTH, Catalogue, Field
from sandbox.campaign.keys import KeyRing

_TYPES = {"integer": "number", "float": "number"}
_TECHNICAL = {"integer": "long", "float": "double", "enumeration": "byte", "object": "struct"}
_SERVICE = (
    Field("PKey", read_only=True),
    Field("href", read_only=True),
    Field("name", length=64),
    Field("label", length=DEFAULT_LENGTH),
    Field("messageType", "enumeration", values=("email", "sms")),
)
_HISTORY = (
    Field("PKey", read_only=True),
    Field("events", "collection", read_only=True, target="subHisto"),
    *(Field(name, "integer", read_only=True) for name in ("countBroadLogEvents", "countSubHistoEvents")),
)


@dataclass(frozen=True)
class MetadataApi:
    """Describes profile, service and history."""

    catalogue: Catalogue
    data_policies: Mapping[str, str]
    keys: KeyRing

    def resource_type(self, call: Call) -> Reply:
        """Answer `GET /profileAndServices/resourceType/<name>`. Raises Problem for another verb or resource."""
        known = {"profile": "nms:recipient", "service": "nms:service", "history": "nms:recipient"}
        name = call.address.rest[0] if len(call.address.rest) == 1 else ""
        if call.method != "GET" or name not in known:
            raise problems.not_offered(f"{call.method} on the metadata '{'/'.join(call.address.rest)}'")
        api = call.address.api
        return Reply(
            200,
            {
                **self._resource(name, call, "item"),
                "filters": {"href": f"{call.base}/{api}/resourceType/{self.keys.seal('filters', name)}"},
                "label": name,
                "mandatory": False,
                "pkgStatus": "never",
                "readOnly": False,
                "schema": known[name],
            },
        )

    def ext_index(self, call: Call) -> Reply:
        """Answer `GET /profileAndServicesExt/`: every resource of that API under its name. Raises Problem."""
        if call.method != "GET":
            raise problems.not_offered(f"{call.method} on the index of an API")
        return Reply(200, {"apiName": "resourceType", "profile": self._resource("profile", call, "collection")})

    def _resource(self, name: str, call: Call, kind: str) -> dict[str, Any]:
        api = call.address.api
        fields = {
            "profile": tuple(self.catalogue.at(call.address.extended).values()),
            "service": _SERVICE,
            "history": _HISTORY,
        }[name]
        return {
            "content": {field.name: _described(field, self.data_policies.get(field.name, "")) for field in fields},
            "data": f"/{api}/{name}/",
            "help": name,
            "href": f"{call.base}/{api}/{name}/metadata",
            "name": name,
            "type": kind,
        }


def _described(field: Field, data_policy: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "apiName": field.name,
        "type": _TYPES.get(field.kind, field.kind),
        "resType": _TECHNICAL.get(field.kind, field.kind),
        "length": field.length,
        "mandatory": False,
        "readOnly": field.read_only,
        "sortable": field.kind not in ("object", "link", "collection"),
        "queryable": field.kind not in ("link", "collection"),
        "dataPolicy": data_policy,
        "category": "",
    }
    if field.kind in ("link", "collection"):
        described["resTarget"] = field.target
    if field.kind == "enumeration":
        described["values"] = {value: {"name": value, "value": str(rank)} for rank, value in enumerate(field.values)}
    if field.parts:
        described["content"] = {part.name: _described(part, "") for part in field.parts}
    return described
