"""Descriptions of resources and their filters: `…/resourceType/<name>`, and the index of the Ext API.

For a custom resource `/profileAndServicesExt/resourceType/<name>` answers as `/customResources/resourceType/<name>`
is documented to (assumed); the index of the Ext API lists it too. A link is a field of type `link`; the collection
on its other side is not described. Of a filter: its parameters, and a sample address as the vendor writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Call, Reply
from sandbox.campaign.fields import DEFAULT_LENGTH, Field
from sandbox.campaign.filters import Filter
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.resources import Resources

_BUILT_IN, _EXT = "profileAndServices", "profileAndServicesExt"
_FILTERS = "filters"
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
class _Subject:
    """What the metadata tells of one resource."""

    name: str
    label: str
    schema: str
    fields: Iterable[Field]
    filters: Mapping[str, Filter]
    policies: Mapping[str, str]


@dataclass(frozen=True)
class MetadataApi:
    """Describes profile, service, history and the published custom resources, each at its own API."""

    profiles: Profiles
    resources: Resources
    data_policies: Mapping[str, str]
    keys: KeyRing

    def resource_type(self, call: Call) -> Reply:
        """Answer `GET /<api>/resourceType/<name>`, and the address of the filters in it. Raises Problem."""
        path = call.address.rest
        if call.method != "GET" or not path or path[1:] not in ((), (_FILTERS,)):
            raise problems.not_offered(f"{call.method} on the metadata '{'/'.join(path)}'")
        name = path[0]
        described = self.keys.unseal(_FILTERS, name)
        if described is not None:
            return Reply(200, self._filters(call, self._subject(call.address.api, described)))
        subject = self._subject(call.address.api, name)
        filters = f"{call.base}/{call.address.api}/resourceType/{self.keys.seal(_FILTERS, name)}"
        return Reply(
            200,
            {
                **self._resource(call, subject, "item"),
                "filters": {"href": filters},
                "label": subject.label,
                "mandatory": False,
                "pkgStatus": "never",
                "readOnly": False,
                "schema": subject.schema,
            },
        )

    def ext_index(self, call: Call) -> Reply:
        """Answer `GET /profileAndServicesExt/`: every resource of that API under its name. Raises Problem."""
        if call.method != "GET":
            raise problems.not_offered(f"{call.method} on the index of an API")
        subjects = (self._subject(_EXT, one) for one in ("profile", *self._custom(_EXT)))
        listed = {subject.name: self._resource(call, subject, "collection") for subject in subjects}
        return Reply(200, {"apiName": "resourceType", **listed})

    def _custom(self, api: str) -> dict[str, _Subject]:
        found = {}
        for records in self.resources.published(api):
            naming, filters = records.naming, records.listing(extended=True).filters
            subject = _Subject(naming.name, naming.heading, naming.schema, records.fields.values(), filters, {})
            found[naming.name] = subject
        return found

    def _subject(self, api: str, name: str) -> _Subject:
        profile = self.profiles.listing(api == _EXT)
        built_in: dict[str, tuple[str, Iterable[Field], Mapping[str, Filter], Mapping[str, str]]] = {
            "profile": ("nms:recipient", profile.fields.values(), profile.filters, self.data_policies),
            "service": ("nms:service", _SERVICE, {}, {}),
            "history": ("nms:recipient", _HISTORY, {}, {}),
        }
        if name in built_in and api in (_BUILT_IN, _EXT):
            return _Subject(name, name, *built_in[name])
        if name not in (custom := self._custom(api)):
            raise problems.unknown_resource()
        return custom[name]

    def _resource(self, call: Call, subject: _Subject, kind: str) -> dict[str, Any]:
        api, name = call.address.api, subject.name
        return {
            "content": {one.name: _described(one, subject.policies.get(one.name, "")) for one in subject.fields},
            "data": f"/{api}/{name}/",
            "help": subject.label,
            "href": f"{call.base}/{api}/{name}/metadata",
            "name": name,
            "type": kind,
        }

    def _filters(self, call: Call, subject: _Subject) -> dict[str, Any]:
        address = f"/{call.address.api}/{subject.name}"
        return {
            one.name: {
                "PKey": self.keys.seal("filter", f"{subject.name}/{one.name}"),
                "category": "99_none",
                "data": f"{address}/{one.name}?{'&'.join(f'{parameter}=$value' for parameter in one.parameters)}",
                "formType": "none",
                "fragmentName": "",
                "label": one.name.removeprefix("by"),
                "metadata": {parameter: {"apiName": parameter, "type": "string"} for parameter in one.parameters},
            }
            for one in subject.filters.values()
        }


def _described(field: Field, data_policy: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "apiName": field.name,
        "type": _TYPES.get(field.kind, field.kind),
        "resType": _TECHNICAL.get(field.kind, field.kind),
        "length": field.length,
        "mandatory": field.mandatory,
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
