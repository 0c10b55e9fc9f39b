"""The activity tables as Dataverse describes them: entity set, navigation property to the contact, missing columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS
from shared.clients.dynamics.wire_errors import refused
from shared.clients.outcomes import json_object
from shared.domain.timeline import ActivityTable
from shared.errors import Halt, Reason, Retry

CONTACT = "contact"
_REGARDING = "regardingobjectid"
_QUERY = (
    "?$select=LogicalName,EntitySetName,IsActivity&$expand=Attributes($select=LogicalName),"
    "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName)"
)


@dataclass(frozen=True)
class Found:
    """One activity table as it is there. `regarding`: the navigation property that binds the contact."""

    name: str
    entity_set: str
    regarding: str


def table_request(config: DynamicsConfig, name: str) -> Request:
    """Everything that writing to the table needs to know."""
    url = f"{config.base}/EntityDefinitions(LogicalName='{name}'){_QUERY}"
    return Request(SYSTEM, "metadata", "GET", url, HEADERS, repeatable=True)


def read_table(response: Response, table: ActivityTable, columns: Sequence[str]) -> Found:
    """Raises Halt, which names what is missing, and Retry."""
    if response.status == 404:
        raise _wrong(f"there is no table {table.name}")
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    if document.get("IsActivity") is not True:
        raise _wrong(f"{table.name} is not an activity table")
    present = {str(item.get("LogicalName")) for item in _items(document, "Attributes")}
    missing = sorted(set(columns) - present)
    if missing:
        raise _wrong(f"{table.name} has no column {', '.join(missing)}")
    return Found(table.name, str(document["EntitySetName"]), _regarding(document, table))


def _regarding(document: Mapping[str, Any], table: ActivityTable) -> str:
    """The configured property, else the one of this table's own relationship, else the one that all activities have."""
    names = [
        str(item.get("ReferencingEntityNavigationPropertyName"))
        for item in _items(document, "ManyToOneRelationships")
        if (item.get("ReferencingAttribute"), item.get("ReferencedEntity")) == (_REGARDING, CONTACT)
    ]
    if table.regarding is not None and table.regarding not in names:
        raise _wrong(f"{table.name} has no relationship {table.regarding} to contact")
    own = f"{_REGARDING}_{CONTACT}_{table.name}"
    chosen = table.regarding or next((name for name in names if name.lower() == own), next(iter(names), None))
    if chosen is None:
        raise _wrong(f"{table.name} cannot regard a contact")
    return chosen


def _items(document: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    items = document.get(part)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Retry(REASONS.unreachable, f"metadata: the answer's {part} is not readable")
    return items


def _wrong(what: str) -> Halt:
    return Halt(Reason.TIMELINE_TABLES, what)
