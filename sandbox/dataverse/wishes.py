"""What a caller may ask for beside its request: a tag for the events, and steps that must not fire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sandbox.dataverse.errors import invalid_value, not_offered
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.query import options
from sandbox.dataverse.values import guid

_STEP_IDS = "mscrm.bypassbusinesslogicexecutionstepids"
_LOGIC = "mscrm.bypassbusinesslogicexecution"
_MAX_STEP_IDS = 3


def wished(operation: Operation, headers: Mapping[str, str], query_string: str) -> Operation:
    """The operation with the wishes of one request; header names are lower case.

    Raises ApiError 400 for an unknown kind of logic or more than three step ids (the platform's default limit),
    501 when duplicate rules shall be applied.
    """
    if headers.get("mscrm.suppressduplicatedetection", "true").lower() == "false":
        raise not_offered("duplicate detection rules")
    kinds = {kind.strip().lower() for kind in headers.get(_LOGIC, "").split(",") if kind.strip()}
    if not kinds <= {"customsync", "customasync"}:
        raise invalid_value(f"'{headers[_LOGIC]}' is not a kind of business logic.")
    return replace(
        operation,
        tag=options(query_string).get("tag", operation.tag),
        bypass_async=operation.bypass_async or "customasync" in kinds,
        bypassed_steps=operation.bypassed_steps | _step_ids(headers.get(_STEP_IDS, "")),
    )


def _step_ids(text: str) -> frozenset[str]:
    listed = [part.strip() for part in text.split(",") if part.strip()]
    if len(listed) > _MAX_STEP_IDS:
        raise invalid_value(f"At most {_MAX_STEP_IDS} step ids can be bypassed.")
    try:
        return frozenset(guid(part) for part in listed)
    except ValueError:
        raise invalid_value("A step id to be bypassed is not a GUID.") from None
