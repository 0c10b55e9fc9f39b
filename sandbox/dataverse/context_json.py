"""JSON as the platform's serialiser writes it: `\\/` in texts, `/Date(ms)/`, decimals with all their zeros."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.dataverse.values import Json

_SHORT_ESCAPE = re.compile(r"\\.")
_BY_NUMBER = {"\\n": "\\u000a", "\\r": "\\u000d", "\\t": "\\u0009", "\\b": "\\u0008", "\\f": "\\u000c"}
NAMESPACE = "http://schemas.microsoft.com/xrm/2011/Contracts"


def dumps(value: Json) -> str:
    """The value on one line; keys stay in the order given, `Decimal` is a bare number with its trailing zeros."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f'"{name}":{dumps(item)}' for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value)


def _text(value: str) -> str:
    """Control characters are written by number, never by a short escape."""
    quoted = json.dumps(value, ensure_ascii=False).replace("/", "\\/")
    return _SHORT_ESCAPE.sub(lambda match: _BY_NUMBER.get(match.group(), match.group()), quoted)


def pairs(items: Mapping[str, Json]) -> list[dict[str, Json]]:
    """A dictionary as the array of key/value objects that stands for it on the wire."""
    return [{"key": name, "value": value} for name, value in items.items()]


def typed(name: str, body: Mapping[str, Json]) -> dict[str, Json]:
    """An object that names its contract type."""
    return {"__type": f"{name}:{NAMESPACE}", **body}


def instant(moment: datetime, offset: str = "") -> str:
    """`/Date(1735787045000)/`: milliseconds in UTC; an offset is for display only."""
    return f"/Date({round(moment.astimezone(UTC).timestamp() * 1000)}{offset})/"
