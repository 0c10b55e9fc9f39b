"""Filters of a list: a path segment with its query parameters, and the condition that it puts on the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.campaign import problems
from sandbox.campaign.store import column

Condition = tuple[str, tuple[object, ...]]
_TEXT_FIELDS = ("email", "firstName", "lastName")


@dataclass(frozen=True)
class CustomFilter:
    """A filter that an instance declares, equal and case-sensitive: query parameter name → the resource's field."""

    name: str
    parameters: Mapping[str, str]

    @classmethod
    def labelled(cls, label: str, **fields: str) -> CustomFilter:
        """Return the filter as Campaign names it: `by` before the label, `_parameter` behind each parameter."""
        return cls(f"by{label}", {f"{parameter}_parameter": field for parameter, field in fields.items()})

    def as_filter(self) -> Filter:
        """Return the filter as lists use it."""
        return Filter(self.name, tuple(self.parameters), self._conditions)

    def _conditions(self, query: Mapping[str, str]) -> list[Condition]:
        return [(f"{column(field)} = ?", (query[parameter],)) for parameter, field in self.parameters.items()]


@dataclass(frozen=True)
class Filter:
    """One filter; `conditions` turns a query that has all the parameters into SQL and its values. Raises Problem."""

    name: str
    parameters: tuple[str, ...]
    conditions: Callable[[Mapping[str, str]], list[Condition]]


def _starts_with(query: Mapping[str, str]) -> list[Condition]:
    text, field = query["text"], query.get("filterType", "")
    if field and field not in _TEXT_FIELDS:
        raise problems.not_offered(f"the '{field}' filterType of byText")
    fields = (field,) if field else _TEXT_FIELDS
    condition = " OR ".join(f"substr({column(one)}, 1, ?) = ?" for one in fields)
    return [(f"({condition})", (len(text), text) * len(fields))]


PROFILE_FILTERS = (
    Filter("byText", ("text",), _starts_with),
    CustomFilter("byEmail", {"email": "email"}).as_filter(),
)
NOT_OFFERED = ("birthday", "byKeysProfile", "byDelivery", "byService", "byOrigin", "byNPIDAudience")
