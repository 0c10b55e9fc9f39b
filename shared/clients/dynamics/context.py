"""Dataverse's `RemoteExecutionContext` (webhook body or Service Bus message) → a row event. Pure, over bytes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.change import RecordKey, RowChange, RowEvent

LARGEST_BYTES = 1_000_000  # four times what Dataverse sends at most
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TABLE = re.compile(r"[a-z][a-z0-9_]{0,99}")
DATE = re.compile(r"/Date\((-?\d{1,13})([+-]\d{4})?\)/")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHANGES = {"Create": RowChange.CREATE, "Update": RowChange.UPDATE, "Delete": RowChange.DELETE}


class MalformedError(ValueError):
    """Not a context that we can read. The text names the place, never a value."""


def parse(body: bytes) -> RowEvent | None:
    """None: a well-formed context of a message that no step of ours is registered for. Raises MalformedError."""
    context = _object(body)
    table, name = context.get("PrimaryEntityName"), context.get("MessageName")
    if not isinstance(table, str) or not TABLE.fullmatch(table):
        raise MalformedError("PrimaryEntityName: not a table's logical name")
    if not isinstance(name, str):
        raise MalformedError("MessageName: not a text")
    if name not in CHANGES:
        return None
    key = RecordKey(table, _guid(context, "PrimaryEntityId"))
    by = _guid(context, "InitiatingUserId") if context.get("InitiatingUserId") else None
    target = _target(context)
    columns = None if target is None else frozenset(target)
    return RowEvent(key, CHANGES[name], columns, by, _moment((target or {}).get("modifiedon")))


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_BYTES:
        raise MalformedError(f"body: larger than {LARGEST_BYTES:,} bytes")
    try:
        context = json.loads(body)
    except RecursionError:
        raise MalformedError("body: nested too deeply") from None
    except ValueError:
        raise MalformedError("body: not JSON") from None
    if not isinstance(context, dict):
        raise MalformedError("body: not a JSON object")
    return context


def _guid(context: dict[str, Any], name: str) -> str:
    value = context.get(name)
    if not isinstance(value, str) or not GUID.fullmatch(value.lower()):
        raise MalformedError(f"{name}: not a GUID")
    return value.lower()


def _target(context: dict[str, Any]) -> dict[str, Any] | None:
    """The submitted columns; None where Dataverse left the parameters out (over 256 KB) or null."""
    parameters = context.get("InputParameters")
    if parameters is None:
        return None
    target = _pairs(parameters, "InputParameters").get("Target")
    if not isinstance(target, dict):
        raise MalformedError("InputParameters.Target: not an object")
    attributes = target.get("Attributes")
    if attributes is None:  # an EntityReference, as a deletion has it
        return {}
    return _pairs(attributes, "Target.Attributes")


def _moment(value: object) -> datetime | None:
    """Whole seconds, UTC, of `/Date(MILLISECONDS+OFFSET)/`; the offset is for display only. None: anything else."""
    match = DATE.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else EPOCH + timedelta(seconds=int(match[1]) // 1000)


def _pairs(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, list) or not all(isinstance(p, dict) and isinstance(p.get("key"), str) for p in value):
        raise MalformedError(f"{place}: not a list of key and value")
    return {pair["key"]: pair.get("value") for pair in value}
