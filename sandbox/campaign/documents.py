"""From a request's JSON to values that may be stored, or the error that Campaign gives for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.campaign import policies, problems
from sandbox.campaign.fields import Field
from sandbox.campaign.times import parse_time, written


def accepted(
    document: Mapping[str, Any], fields: Mapping[str, Field], data_policies: Mapping[str, str], resource: str
) -> dict[str, Any]:
    """Return the values to store: checked, in Campaign's form, rewritten by their data policies.

    A nested object stays partial, so that it can be merged. Links in the body are ignored, as the real server does
    (a record is linked by a join column). null empties a field (assumed). Raises Problem for the first fault.
    """
    values: dict[str, Any] = {}
    for name, value in document.items():
        field = fields.get(name)
        if field is None:
            raise problems.unknown_property(name, resource)
        if field.read_only:
            raise problems.read_only(name)
        if field.kind != "link":
            values[name] = _value(field, name, value, data_policies)
    return values


def _value(field: Field, path: str, value: object, data_policies: Mapping[str, str]) -> object:
    if field.kind == "object":
        return _object(field, path, value, data_policies)
    if value is None:
        return field.empty
    return _READERS[field.kind](field, path, value, data_policies.get(path))


def _object(field: Field, path: str, value: object, data_policies: Mapping[str, str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise problems.bad_value(path, "object")
    parts = {part.name: part for part in field.parts}
    for name in value:
        if name not in parts:
            raise problems.unknown_property(f"{path}.{name}", "profile")
    return {name: _value(parts[name], f"{path}.{name}", part, data_policies) for name, part in value.items()}


def _string(field: Field, path: str, value: object, policy: str | None) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise problems.bad_value(path, "string")
    text = policies.apply(policy, path, str(value))
    if field.length and len(text) > field.length:
        raise problems.too_long(path, field.length)
    return text


def _boolean(_field: Field, path: str, value: object, _policy: str | None) -> bool:
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise problems.bad_value(path, "boolean")
    return value in (True, "true")


def _integer(_field: Field, path: str, value: object, _policy: str | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise problems.bad_value(path, "integer")
    return value


def _float(_field: Field, path: str, value: object, _policy: str | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise problems.bad_value(path, "number")
    return float(value)


def _date(_field: Field, path: str, value: object, _policy: str | None) -> str:
    if value == "":
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise problems.bad_value(path, "date") from None


def _datetime(_field: Field, path: str, value: object, _policy: str | None) -> str:
    if value == "":
        return ""
    try:
        return written(parse_time(str(value)))
    except ValueError:
        raise problems.bad_value(path, "date and time") from None


def _enumeration(field: Field, path: str, value: object, _policy: str | None) -> str:
    if value not in field.values:
        raise problems.bad_enumeration(path, value, field.schema)
    return str(value)


_READERS: Mapping[str, Callable[[Field, str, Any, str | None], object]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "float": _float,
    "date": _date,
    "datetime": _datetime,
    "enumeration": _enumeration,
}
