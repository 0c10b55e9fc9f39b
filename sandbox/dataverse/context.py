"""Builds the body of a webhook call: the `RemoteExecutionContext` of one step and one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.context_json import dumps, instant, pairs, typed
from sandbox.dataverse.events import Event
from sandbox.dataverse.registration import BOTH_IMAGES, POST_IMAGE, PRE_IMAGE
from sandbox.dataverse.rows import display_name
from sandbox.dataverse.schema import CHOICES, Attribute, Behavior, Kind, Schema, Table
from sandbox.dataverse.store import Store, type_column
from sandbox.dataverse.values import Json, Row, formatted

SIZE_LIMIT_BYTES = 256 * 1024
QUEUE_LIMIT_BYTES = 192 * 1024
_DROPPED = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
_NO_USER = "00000000-0000-0000-0000-000000000000"
_LABELLED = frozenset({*CHOICES, Kind.BOOLEAN, Kind.MULTISELECT, Kind.MONEY})


@dataclass(frozen=True)
class Image:
    """A snapshot that a step asks for; no `attributes` means all columns."""

    alias: str
    kind: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A registered, enabled step; `table` None listens to every table, no `filtering` to every column.

    `limit_bytes`: a larger body goes without its large properties.
    """

    id: str
    name: str
    message: str
    table: str | None
    filtering: frozenset[str]
    endpoint_id: str
    auto_delete: bool
    images: tuple[Image, ...]
    limit_bytes: int = SIZE_LIMIT_BYTES


class ContextBuilder:
    """Turns events into bodies, byte for byte as the platform's serialiser writes them."""

    def __init__(self, schema: Schema, store: Store, config: DataverseConfig) -> None:
        self._schema = schema
        self._store = store
        self._config = config

    def body(self, step: Step, event: Event, job_id: str, *, oversize: bool = False) -> tuple[bytes, bool]:
        """The body, and whether its four large properties were left out.

        They are when the payload exceeds the step's limit; `oversize` pretends that it does.
        """
        full = self._full(step, event, job_id)
        body = dumps(full).encode()
        if not oversize and len(body) <= step.limit_bytes:
            return body, False
        return dumps({name: value for name, value in full.items() if name not in _DROPPED}).encode(), True

    def _full(self, step: Step, event: Event, job_id: str) -> dict[str, Any]:
        parent = self._envelope(step, event, job_id) | {
            "InputParameters": self._parent_input(event),
            "OutputParameters": [],
            "ParentContext": None,
            "PostEntityImages": [],
            "PreEntityImages": [],
            "SharedVariables": pairs(_shared(event, parent=True)),
            "Stage": 30,
        }
        own = self._envelope(step, event, job_id) | {
            "InputParameters": pairs({"Target": self._target(event)}),
            "OutputParameters": pairs({"id": event.row_id}) if event.message == "Create" else [],
            "ParentContext": _alphabetical(parent),
            "PostEntityImages": pairs(self._images(step, event, POST_IMAGE)),
            "PreEntityImages": pairs(self._images(step, event, PRE_IMAGE)),
            "SharedVariables": pairs(_shared(event, parent=False)),
            "Stage": 40,
        }
        return _alphabetical(own)

    def _envelope(self, step: Step, event: Event, job_id: str) -> dict[str, Any]:
        op = event.operation
        extension = _reference("sdkmessageprocessingstep", step.id, None)
        return {
            "BusinessUnitId": self._config.business_unit_id,
            "CorrelationId": op.correlation_id,
            "Depth": 1,
            "InitiatingUserAgent": op.user_agent,
            "InitiatingUserAzureActiveDirectoryObjectId": _NO_USER,
            "InitiatingUserId": op.caller.initiating_user_id,
            "IsExecutingOffline": False,
            "IsInTransaction": False,
            "IsOfflinePlayback": False,
            "IsolationMode": 1,
            "MessageName": event.message,
            "Mode": 1,
            "OperationCreatedOn": instant(op.at, "+0000"),
            "OperationId": job_id,
            "OrganizationId": self._config.organization_id,
            "OrganizationName": self._config.organization_name,
            "OwningExtension": extension,
            "PrimaryEntityId": event.row_id,
            "PrimaryEntityName": event.table.name,
            "RequestId": op.request_id,
            "SecondaryEntityName": "none",
            "UserAzureActiveDirectoryObjectId": _NO_USER,
            "UserId": op.caller.user_id,
        }

    def _parent_input(self, event: Event) -> list[dict[str, Any]]:
        if event.message == "Delete":
            return pairs({"Target": self._target(event)})
        submitted = {**event.submitted, event.table.primary_id: event.row_id}
        target = typed("Entity", self._entity(event.table, event.row_id, submitted, {}))
        return pairs({"Target": target, "SuppressDuplicateDetection": False})

    def _target(self, event: Event) -> dict[str, Any]:
        """Create: all columns that have got a value, Update: the changed ones, Delete: only a reference."""
        if event.message == "Delete":
            return typed("EntityReference", _reference(event.table.name, event.row_id, None))
        values = {**event.changed, event.table.primary_id: event.row_id}
        values.pop("versionnumber", None)
        labels = self._labels(event.table, values) if event.message == "Create" else {}
        return typed("Entity", self._entity(event.table, event.row_id, values, labels))

    def _images(self, step: Step, event: Event, kind: int) -> dict[str, Any]:
        """The step's own snapshots, and the one of the primary name that every asynchronous step gets."""
        row = event.before if kind == PRE_IMAGE else event.after
        if row is None:
            return {}
        images = {
            image.alias: self._image(event.table, event.row_id, row, image.attributes)
            for image in step.images
            if image.kind in (kind, BOTH_IMAGES)
        }
        if kind == (PRE_IMAGE if event.message == "Delete" else POST_IMAGE):
            primary = {name: row[name] for name in (event.table.primary_name, event.table.primary_id)}
            images["AsynchronousStepPrimaryName"] = self._entity(event.table, event.row_id, primary, {})
        return images

    def _image(self, table: Table, row_id: str, row: Row, attributes: tuple[str, ...]) -> dict[str, Any]:
        """Only columns that have a value are in a snapshot."""
        chosen = attributes or tuple(column.name for column in table.attributes if column.readable)
        names = [name for name in chosen if row.get(name) is not None and name != table.primary_id]
        values = {name: row[name] for name in (*names, table.primary_id)}
        values |= {type_column(name): row[type_column(name)] for name in names if table.columns[name].is_reference}
        labels = {
            name: formatted(table.columns[name], row[name]) for name in names if table.columns[name].kind in _LABELLED
        }
        return self._entity(table, row_id, values, labels, named=True)

    def _labels(self, table: Table, values: Row) -> dict[str, str | None]:
        labels: dict[str, str | None] = {}
        for name, value in values.items():
            column = table.columns.get(name)
            if column is None or value is None:
                continue
            if column.kind is Kind.DATETIME and column.behavior is not Behavior.DATE_ONLY:
                labels[name] = datetime.fromisoformat(value).isoformat()
            elif column.is_reference and name in ("createdby", "modifiedby", "ownerid"):
                labels[name] = None
            elif (text := formatted(column, value)) is not None:
                labels[name] = text
        return labels

    def _entity(
        self, table: Table, row_id: str, values: Row, labels: dict[str, str | None], *, named: bool = False
    ) -> dict[str, Any]:
        attributes = {
            name: self._value(table.columns[name], values, named=named)
            for name in values
            if name in table.columns and table.columns[name].readable
        }
        return {
            "Attributes": pairs(attributes),
            "EntityState": None,
            "FormattedValues": pairs(labels),
            "Id": row_id,
            "KeyAttributes": [],
            "LogicalName": table.name,
            "RelatedEntities": [],
            "RowVersion": None,
        }

    def _value(self, column: Attribute, values: Row, *, named: bool) -> Json:
        stored = values[column.name]
        if stored is None:
            return None
        if column.is_reference:
            other = self._schema.tables[values[type_column(column.name)]]
            name = display_name(self._store, other, stored) if named else None
            return typed("EntityReference", _reference(other.name, stored, name))
        return _scalar(column, stored)


def _alphabetical(body: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(body.items()))


def _reference(table: str, row_id: str, name: str | None) -> dict[str, Any]:
    return {"Id": row_id, "KeyAttributes": [], "LogicalName": table, "Name": name, "RowVersion": None}


def _scalar(column: Attribute, stored: Json) -> Json:
    if column.kind in CHOICES:
        return typed("OptionSetValue", {"Value": stored})
    if column.kind is Kind.MULTISELECT:
        return [typed("OptionSetValue", {"Value": int(part)}) for part in str(stored).split(",")]
    if column.kind is Kind.MONEY:
        return typed("Money", {"Value": stored})
    if column.kind is Kind.DECIMAL:
        return Decimal(f"{stored:.{column.precision}f}")
    if column.kind is Kind.BOOLEAN:
        return bool(stored)
    if column.kind is Kind.DATETIME:
        moment = datetime.fromisoformat(stored)
        return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return stored


def _shared(event: Event, *, parent: bool) -> dict[str, Any]:
    shared: dict[str, Any] = {} if event.operation.tag is None else {"tag": event.operation.tag}
    if event.message == "Create":
        shared |= {"IsAutoTransact": True, "DefaultsAddedFlag": True}
    if parent:
        changed = {"key": event.table.name, "value": "Update"}
        shared["ChangedEntityTypes"] = [{"__type": "KeyValuePairOfstringstring:#System.Collections.Generic", **changed}]
    return shared
