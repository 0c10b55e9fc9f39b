"""Requests for definitions: choosing, filtering and expanding parts of the metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.dataverse import metadata
from sandbox.dataverse.catalog import Catalog
from sandbox.dataverse.definition_writes import DefinitionWrites
from sandbox.dataverse.errors import ApiError, bad_query, not_offered, resource_not_found
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.odata_filter import And, AnyOf, Compare, Expression, Not, Or, Path, TextMatch, parse_filter
from sandbox.dataverse.query import split_outside
from sandbox.dataverse.resource import Segment
from sandbox.dataverse.schema import Schema, Table
from sandbox.dataverse.values import Json, is_guid

_CAST = "Microsoft.Dynamics.CRM."
_PARTS = ("Attributes", "ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships", "Keys")
_OFFERED = frozenset({"$select", "$filter", "$expand"})
Definition = dict[str, Any]
Walk = Callable[[list[Segment]], Definition | list[Definition]]


class Definitions:
    """Tables, columns and relationships, which are described in Python or by the tester; clients read them."""

    def __init__(self, schema: Schema, api_url: str, catalog: Catalog) -> None:
        self._schema = schema
        self._api_url = api_url
        self._writes = DefinitionWrites(catalog)

    def answer(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        """`EntityDefinitions…`. Raises ApiError 404 for unknown names, 501 for other writes and other parts."""
        if request.method in ("PUT", "PATCH") and len(segments) == 1 and segments[0].key is not None:
            return self._writes.replace(self._table(segments[0].key), request)
        return self._read(self._walk, "EntityDefinitions", segments, request)

    def relationships(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        """`RelationshipDefinitions…`: all of them, one by its id or schema name, or a cast to the kind there is."""
        return self._read(self._walk_relationships, "RelationshipDefinitions", segments, request)

    def _read(self, walk: Walk, name: str, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        if request.method != "GET":
            raise not_offered("changing metadata")
        unknown = request.query.keys() - _OFFERED
        if unknown:
            raise not_offered(f"the metadata query option '{sorted(unknown)[0]}'")
        found = walk(segments)
        if isinstance(found, list):
            chosen = _filtered(found, request.query.get("$filter"))
            shown = [self._shaped(item, request.query) for item in chosen]
            return ApiResponse(200, {"@odata.context": f"{self._api_url}$metadata#{name}", "value": shown})
        return ApiResponse(200, self._shaped(found, request.query))

    def _walk(self, segments: list[Segment]) -> Definition | list[Definition]:
        first, *rest = segments
        if first.key is None:
            if rest:
                raise resource_not_found(rest[0].name)
            return [metadata.entity(table) for table in self._schema]
        table = self._table(first.key)
        if not rest:
            return metadata.entity(table)
        return self._part(table, rest)

    def _walk_relationships(self, segments: list[Segment]) -> Definition | list[Definition]:
        first, *rest = segments
        items = [metadata.relationship(self._schema, link) for link in self._schema.relationships()]
        if first.key is not None:
            return _named(items, first.key, "SchemaName", "RelationshipDefinitions")
        return _cast(items, rest)

    def _table(self, key: str) -> Table:
        for table in self._schema:
            named = key.replace('"', "'") == f"LogicalName='{table.name}'"
            if named or (is_guid(key) and metadata.entity(table)["MetadataId"] == key.lower()):
                return table
        raise ApiError(404, "0x80060888", f"Could not find an entity with specified key: {key}.")

    def _part(self, table: Table, segments: list[Segment]) -> Definition | list[Definition]:
        part, *rest = segments
        items = self._items(table, part.name)
        if part.key is not None:
            name = "SchemaName" if part.name.endswith("Relationships") else "LogicalName"
            return _named(items, part.key, name, f"{part.name} of {table.name}")
        return _cast(items, rest)

    def _items(self, table: Table, part: str) -> list[Definition]:
        if part == "Attributes":
            return [metadata.attribute(table, column) for column in table.attributes]
        if part == "ManyToOneRelationships":
            return metadata.many_to_one(self._schema, table)
        if part == "OneToManyRelationships":
            return metadata.one_to_many(self._schema, table)
        if part == "ManyToManyRelationships":
            return []
        if part == "Keys":
            return metadata.keys(table)
        raise not_offered(f"the metadata part '{part}'")

    def _shaped(self, item: Definition, query: dict[str, str]) -> Definition:
        """The chosen properties and the expanded parts; a choice's options are shown only when expanded."""
        expanded = dict(self._expanded(item, query.get("$expand", "")))
        plain = {name: value for name, value in item.items() if name != "OptionSet"}
        return _selected(plain, query.get("$select")) | expanded

    def _expanded(self, item: Definition, text: str) -> list[tuple[str, Json]]:
        parts: list[tuple[str, Json]] = []
        for part in split_outside(text, ","):
            name, _, inner = part.partition("(")
            select = inner.removesuffix(")").removeprefix("$select=") or None
            if name == "OptionSet" and "OptionSet" in item:
                parts.append((name, _selected(item["OptionSet"], select)))
            elif name in _PARTS and "EntitySetName" in item:
                items = self._items(self._schema.tables[item["LogicalName"]], name)
                parts.append((name, [_selected(each, select) for each in items]))
            elif name:
                raise not_offered(f"$expand of '{name}' in metadata")
        return parts


def _named(items: list[Definition], key: str, name: str, place: str) -> Definition:
    """The item with that name or id. Raises ApiError 404."""
    found = next((item for item in items if key in (f"{name}='{item[name]}'", item["MetadataId"])), None)
    if found is None:
        raise ApiError(404, "0x80060888", f"Could not find '{key}' in {place}.")
    return found


def _cast(items: list[Definition], rest: list[Segment]) -> list[Definition]:
    """All items, or only those of the type that a cast names."""
    if not rest:
        return items
    if not rest[0].name.startswith(_CAST):
        raise not_offered(f"the metadata path '{rest[0].name}'")
    return [item for item in items if item.get("@odata.type") == f"#{rest[0].name}"]


def _selected(item: Definition, text: str | None) -> Definition:
    if not text:
        return item
    names = [name.strip() for name in text.split(",")]
    kept = {name: value for name, value in item.items() if name in (*names, "@odata.type", "MetadataId")}
    unknown = [name for name in names if name not in item and not _elsewhere(name)]
    if unknown:
        raise ApiError(400, "0x80060888", f"Could not find a property named '{unknown[0]}' in the metadata type.")
    return kept


def _elsewhere(name: str) -> bool:
    """Properties that only some kinds of column or choice have."""
    return name in {"Options", "TrueOption", "FalseOption", "MaxLength", "Format", "DateTimeBehavior", "Targets"}


def _filtered(items: list[Definition], text: str | None) -> list[Definition]:
    if text is None:
        return items
    expression = parse_filter(text)
    return [item for item in items if matches(expression, item)]


def matches(expression: Expression, item: Definition) -> bool:
    """Whether a definition fits a filter; only equality of its own properties is offered."""
    match expression:
        case And(operands):
            return all(matches(operand, item) for operand in operands)
        case Or(operands):
            return any(matches(operand, item) for operand in operands)
        case Not(operand):
            return not matches(operand, item)
        case Compare(operator, path, literal) if operator in ("eq", "ne"):
            return (_property(item, path) == literal.value) is (operator == "eq")
        case Compare() | TextMatch() | AnyOf():
            raise not_offered("metadata filters other than eq and ne")


def _property(item: Definition, path: Path) -> Json:
    value: Json = item
    for name in path.names:
        if not isinstance(value, dict) or name not in value:
            raise bad_query(f"Could not find a property named '{path}' in the metadata type.")
        value = value[name]
    return value
