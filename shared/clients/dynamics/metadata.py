"""A table's description from Dataverse: its columns with types, choices and lengths, and whether it tracks changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.clients.calls import Request, Response, Sender
from shared.clients.dynamics.config import REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS
from shared.clients.dynamics.wire_errors import refused
from shared.clients.dynamics.wire_rows import rows_in
from shared.clients.exchange import Exchange, Tokens
from shared.clients.outcomes import json_object
from shared.domain.conversion import ColumnType
from shared.domain.metadata import ColumnInfo, TableInfo
from shared.errors import Retry

_NAME = "LogicalName"
# Only a column's own kind has these properties, so each kind is asked for by its type name.
CASTS: Mapping[str, str] = {
    "StringAttributeMetadata": f"$select={_NAME},MaxLength",
    "MemoAttributeMetadata": f"$select={_NAME},MaxLength",
    "DateTimeAttributeMetadata": f"$select={_NAME},DateTimeBehavior",
    "PicklistAttributeMetadata": f"$select={_NAME}&$expand=OptionSet($select=Options)",
    "StateAttributeMetadata": f"$select={_NAME}&$expand=OptionSet($select=Options)",
    "StatusAttributeMetadata": f"$select={_NAME}&$expand=OptionSet($select=Options)",
    "MultiSelectPicklistAttributeMetadata": f"$select={_NAME}&$expand=OptionSet($select=Options)",
    "BooleanAttributeMetadata": f"$select={_NAME}&$expand=OptionSet($select=TrueOption,FalseOption)",
}
_BEHAVIOURS = {"DateOnly": ColumnType.DATE, "TimeZoneIndependent": ColumnType.DATETIME_INDEPENDENT}
# Shown in the description and yet no property of a row.
_NOT_IN_ROWS = ("PartyListType", "CalendarRulesType", "ManagedPropertyType", "VirtualType")


class TableMetadata:
    """Asks Dataverse what a table looks like. The application user needs no more than to read the customisations."""

    def __init__(self, config: DynamicsConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)

    async def table(self, name: str) -> TableInfo:
        """By logical name; ten small requests, one after the other. Raises Outcome; Halt for an unknown table."""
        definition = await self._exchange.send(table_request(self._config, name))
        attributes = await self._exchange.send(attributes_request(self._config, name))
        details = [read_details(await self._exchange.send(cast_request(self._config, name, cast))) for cast in CASTS]
        return read_table(definition, attributes, details)


def table_request(config: DynamicsConfig, name: str) -> Request:
    """The table itself."""
    return _request(config, name, f"?$select={_NAME},ChangeTrackingEnabled")


def attributes_request(config: DynamicsConfig, name: str) -> Request:
    """What all kinds of column have in common."""
    return _request(config, name, f"/Attributes?$select={_NAME},AttributeType,AttributeTypeName,IsValidForRead")


def cast_request(config: DynamicsConfig, name: str, cast: str) -> Request:
    """What only the columns of one kind have; `cast` is a key of CASTS."""
    return _request(config, name, f"/Attributes/Microsoft.Dynamics.CRM.{cast}?{CASTS[cast]}")


def read_details(response: Response) -> Mapping[str, Mapping[str, Any]]:
    """The columns of one kind, by name. Raises Outcome."""
    return {_text(item, _NAME): item for item in rows_in(response, "metadata")}


def read_table(
    definition: Response, attributes: Response, details: Sequence[Mapping[str, Mapping[str, Any]]]
) -> TableInfo:
    """All answers together. Raises Outcome."""
    if definition.status != 200:
        raise refused(definition, write=False)
    more = {name: item for kind in details for name, item in kind.items()}
    columns = {
        _text(item, _NAME): _column(item, more.get(_text(item, _NAME), {}))
        for item in rows_in(attributes, "metadata")
        if isinstance(item.get("AttributeType"), str)
    }
    tracked = json_object(definition, REASONS).get("ChangeTrackingEnabled")
    return TableInfo(columns, change_tracking=tracked is True)


def _request(config: DynamicsConfig, table: str, rest: str) -> Request:
    if not table.isidentifier() or not table.isascii():
        raise ValueError("a table's logical name has letters, digits and underscores only")
    url = f"{config.base}/EntityDefinitions(LogicalName='{table}'){rest}"
    return Request(SYSTEM, "metadata", "GET", url, HEADERS, repeatable=True)


def _column(item: Mapping[str, Any], more: Mapping[str, Any]) -> ColumnInfo:
    kind = (item.get("AttributeTypeName") or {}).get("Value", "")
    return ColumnInfo(
        type=_type(str(item["AttributeType"]), str(kind), more),
        options=_options(more.get("OptionSet")),
        max_length=more.get("MaxLength"),
        readable=item.get("IsValidForRead") is not False and kind not in _NOT_IN_ROWS,
    )


def _type(name: str, kind: str, more: Mapping[str, Any]) -> ColumnType:
    """Several new kinds call themselves Virtual and tell the truth in the type's long name only."""
    if kind == "MultiSelectPicklistType":
        return ColumnType.MULTI_SELECT
    if name == "DateTime":
        return _BEHAVIOURS.get((more.get("DateTimeBehavior") or {}).get("Value", ""), ColumnType.DATETIME)
    try:
        return ColumnType(name.lower())
    except ValueError:
        return ColumnType.OTHER


def _options(choice: Mapping[str, Any] | None) -> dict[int, str]:
    if not choice:
        return {}
    named = [*(choice.get("Options") or ()), choice.get("TrueOption"), choice.get("FalseOption")]
    return {option["Value"]: _label(option) for option in named if option}


def _label(option: Mapping[str, Any]) -> str:
    """In the caller's language; a label without a translation has none, so the first there is stands in."""
    label = option.get("Label") or {}
    chosen: Mapping[str, Any] = label.get("UserLocalizedLabel") or next(iter(label.get("LocalizedLabels") or ()), {})
    return str(chosen.get("Label", ""))


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise _unreadable(name)
    return value


def _unreadable(name: str) -> Retry:
    return Retry(REASONS.unreachable, f"metadata: the answer's {name} is not readable")
