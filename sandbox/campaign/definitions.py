"""What a custom resource is: its fields, identification key, filters and links, as a document or in code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sandbox.campaign.fields import Field
from sandbox.campaign.filters import CustomFilter
from sandbox.campaign.rows import Naming

Api = Literal["profileAndServicesExt", "customResources"]
PROFILE = "profile"
_NAME = re.compile(r"cus[A-Za-z0-9]+")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KEPT_FIRST = (Field("PKey", read_only=True), Field("href", read_only=True))
_KEPT_LAST = (Field("created", "datetime", read_only=True), Field("lastModified", "datetime", read_only=True))
_TECHNICAL = {field.name for field in (*_KEPT_FIRST, *_KEPT_LAST)}
_COMPARABLE = ("string", "enumeration", "date", "datetime")


@dataclass(frozen=True)
class ResourceField:
    """A field of one's own: no prefix, `length` in characters for a string (0: not limited)."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    kind: Literal["string", "boolean", "integer", "float", "date", "datetime", "enumeration"] = "string"
    length: int = 255
    mandatory: bool = False
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _FIELD_NAME.fullmatch(self.name) or self.name in _TECHNICAL:
            raise ValueError(f"not a name for a field: {self.name!r}")
        if (self.kind == "enumeration") != bool(self.values):
            raise ValueError(f"an enumeration, and nothing else, has values: {self.name!r}")


@dataclass(frozen=True)
class Link:
    """A join: `column`, a text of this resource, holds the value of the target's `field`.

    Cardinality `1` hides a record whose target is missing; `0..1` does not. With `cascade`, deleting the target
    deletes the records that point to it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    column: str
    target: str = PROFILE
    field: str = "externalId"
    cardinality: Literal["1", "0..1"] = "1"
    cascade: bool = False


@dataclass(frozen=True)
class CustomResource:
    """One custom resource. `key` holds the fields of the identification key, unique together unless all are empty
    (assumed, as with profiles). What is not `published` keeps its records, and the API does not know it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    fields: tuple[ResourceField, ...]
    api: Api = "profileAndServicesExt"
    key: tuple[str, ...] = ()
    filters: tuple[CustomFilter, ...] = ()
    links: tuple[Link, ...] = ()
    label: str = ""
    published: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for names that cannot be, or that lead nowhere."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a custom resource's name begins with 'cus': {self.name!r}")
        names = [field.name for field in self.fields] + [link.name for link in self.links]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{self.name} names {', '.join(doubled)} twice")
        filtered = {field for one in self.filters for field in one.parameters.values()}
        self._check_known({*self.key, *filtered, *(link.column for link in self.links)})
        self._check_comparable(filtered, _COMPARABLE)
        self._check_comparable({link.column for link in self.links}, ("string",))
        for one in self.filters:
            if not one.name.startswith("by") or not all(name.endswith("_parameter") for name in one.parameters):
                raise ValueError(f"a custom filter is called by…, its parameters …_parameter: {one.name!r}")

    @property
    def naming(self) -> Naming:
        """Return how paths, keys and errors call the resource."""
        label = self.label or self.name.removeprefix("cus")
        return Naming(self.name, label, self.schema, label)

    @property
    def schema(self) -> str:
        """Return the schema's name, as `cus:vehicle` for `cusVehicle`."""
        bare = self.name.removeprefix("cus")
        return f"cus:{bare[0].lower()}{bare[1:]}"

    def catalogue(self) -> Mapping[str, Field]:
        """Return all fields by name: the technical ones, one's own, and the links."""
        own = (
            Field(one.name, one.kind, _length(one), values=one.values, mandatory=one.mandatory, schema=self.schema)
            for one in self.fields
        )
        links = (Field(link.name, "link", target=link.target) for link in self.links)
        return {field.name: field for field in (*_KEPT_FIRST, *own, *_KEPT_LAST, *links)}

    def _check_known(self, named: Iterable[str]) -> None:
        if missing := sorted(set(named) - {field.name for field in self.fields}):
            raise ValueError(f"{self.name} has no field {', '.join(missing)} for its key, a filter or a link")

    def _check_comparable(self, named: Iterable[str], kinds: tuple[str, ...]) -> None:
        if wrong := sorted(field.name for field in self.fields if field.name in named and field.kind not in kinds):
            raise ValueError(f"{self.name}: a filter compares texts and dates, a link only texts: {', '.join(wrong)}")


_ADAPTER = TypeAdapter(CustomResource)


def from_document(document: object) -> CustomResource:
    """Read a definition from JSON: an object with the fields of `CustomResource`. Raises ValueError."""
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        faults = (f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        raise ValueError("; ".join(faults)) from None


def from_json(text: str) -> CustomResource:
    """Read a stored definition. Raises ValueError."""
    return _ADAPTER.validate_json(text)


def as_json(definition: CustomResource) -> str:
    """Return a definition as it is stored and read again."""
    return _ADAPTER.dump_json(definition).decode()


def arranged(definitions: Iterable[CustomResource], profile_fields: Iterable[str]) -> tuple[CustomResource, ...]:
    """Return the definitions, every target before what points to it.

    Raises ValueError for links that lead nowhere or in a circle (this stand-in offers none), for a resource at the
    wrong API (linked to the profile, directly or over others: the Ext one), and for names that differ in case only.
    """
    waiting = {one.name: one for one in definitions}
    if len({name.lower() for name in waiting}) < len(waiting):
        raise ValueError("two custom resources have names that differ in case only")
    fields = {one.name: {field.name for field in one.fields if field.kind == "string"} for one in waiting.values()}
    fields[PROFILE] = set(profile_fields)
    linked = {PROFILE: True}
    order: list[CustomResource] = []
    while waiting:
        ready = [one for one in waiting.values() if all(link.target in linked for link in one.links)]
        if not ready:
            raise ValueError(f"links lead nowhere or in a circle: {', '.join(sorted(waiting))}")
        for one in ready:
            _check_targets(one, fields)
            linked[one.name] = any(linked[link.target] for link in one.links)
            _check_api(one, linked[one.name])
            order.append(waiting.pop(one.name))
    return tuple(order)


def _check_targets(definition: CustomResource, fields: Mapping[str, set[str]]) -> None:
    for link in definition.links:
        if link.field not in fields[link.target]:
            raise ValueError(f"{definition.name}.{link.name}: {link.target} has no text field {link.field}")


def _check_api(definition: CustomResource, linked: bool) -> None:
    right: Api = "profileAndServicesExt" if linked else "customResources"
    if definition.api != right:
        how = "is" if linked else "is not"
        raise ValueError(f"{definition.name} {how} linked to the profile, so it lives under {right}")


def _length(field: ResourceField) -> int:
    return field.length if field.kind == "string" else 0
