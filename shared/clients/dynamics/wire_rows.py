"""The rows of an answer: all of them objects, or the answer counts as none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from shared.clients.calls import Response
from shared.clients.dynamics.config import REASONS
from shared.clients.dynamics.wire_errors import refused
from shared.clients.outcomes import json_object
from shared.errors import Retry


def rows_in(response: Response, what: str) -> list[Mapping[str, Any]]:
    """Of a read that succeeded; `what` names them in an error. Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    rows = json_object(response, REASONS).get("value")
    if not are_rows(rows):
        raise unreadable(what)
    return rows


def are_rows(value: object) -> TypeGuard[list[Mapping[str, Any]]]:
    """Whether it is a list of objects."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def unreadable(what: str) -> Retry:
    """The answer came and is not what was asked for: perhaps the next one is."""
    return Retry(REASONS.unreachable, f"{what}: the answer is not readable")
