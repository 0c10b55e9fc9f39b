"""Query options: `$select`, `$filter`, `$orderby`, `$top`, `$count`, `$expand`, and the `Prefer` header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl

from sandbox.dataverse.errors import ApiError, bad_query, not_offered
from sandbox.dataverse.odata_filter import Expression, parse_filter
from sandbox.dataverse.odata_sql import find_column, unknown_column
from sandbox.dataverse.schema import Attribute, Table

MAX_PAGE = 5000
_OFFERED = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken"})
_OTHER_QUERIES = frozenset({"sql", "fetchxml", "savedquery", "userquery"})
_PREFERENCE = re.compile(r'\s*([\w.\-]+)(?:\s*=\s*("[^"]*"|[^,;\s]*))?\s*(?:[,;]|$)')


@dataclass(frozen=True)
class Expand:
    """A single-valued navigation property to be shown inside its row, with the chosen properties of the other row."""

    navigation: str
    select: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    column: Attribute
    descending: bool


@dataclass(frozen=True)
class Query:
    """The checked query options of one request."""

    select: tuple[str, ...] = ()
    filter: Expression | None = None
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    expand: tuple[Expand, ...] = ()
    skiptoken: str | None = None


@dataclass(frozen=True)
class Preferences:
    """The `Prefer` header's parts that this API knows."""

    representation: bool = False
    page_size: int | None = None
    annotations: tuple[str, ...] = ()
    continue_on_error: bool = False
    track_changes: bool = False

    def wants(self, annotation: str) -> bool:
        return any(fnmatchcase(annotation, pattern) for pattern in self.annotations)


def options(query_string: str) -> dict[str, str]:
    """Query options by name; `%24select`, `$select` and `+` for a space are all understood."""
    return dict(parse_qsl(query_string, keep_blank_values=True))


def parse_query(table: Table, given: Mapping[str, str]) -> Query:
    """Read the options and check them against the table; an expansion's `$select` is checked when it is shown.

    Raises ApiError 400, or 501 for an option that is not offered.
    """
    for name in given:
        if name.lower() in _OTHER_QUERIES or (name.startswith("$") and name not in _OFFERED):
            raise not_offered(f"the query option '{name}'")
    text = given.get("$filter")
    return Query(
        select=parse_select(table, given.get("$select", "")),
        filter=None if text is None else parse_filter(text),
        orderby=tuple(_orders(table, given.get("$orderby", ""))),
        top=_top(given.get("$top")),
        count=given.get("$count", "").lower() == "true",
        expand=parse_expand(table, given.get("$expand", "")),
        skiptoken=given.get("$skiptoken"),
    )


def parse_select(table: Table, text: str) -> tuple[str, ...]:
    """Property names to show; a single-valued navigation property stands for its lookup value."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if "*" in names:
        return ()
    return tuple(_selected(table, name) for name in names)


def _selected(table: Table, name: str) -> str:
    if name in table.navigations and name not in table.properties:
        return table.navigations[name][0].property_name
    return find_column(table, name).property_name


def _orders(table: Table, text: str) -> Iterator[Order]:
    for part in (part.strip() for part in text.split(",") if part.strip()):
        name, _, direction = part.partition(" ")
        if "/" in name:
            raise not_offered(f"ordering by the related column '{name}'")
        if direction.strip() not in ("", "asc", "desc"):
            raise bad_query(f"Syntax error in $orderby: '{part}'.")
        yield Order(find_column(table, name), direction.strip() == "desc")


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise bad_query(f"Invalid value '{text}' for $top query option found: a non-negative integer was expected.")
    return int(text)


def parse_expand(table: Table, text: str) -> tuple[Expand, ...]:
    """The navigation properties to expand, each with its own `$select`."""
    return tuple(_expand(table, part) for part in split_outside(text, ",") if part)


def _expand(table: Table, part: str) -> Expand:
    name, opened, inner = part.partition("(")
    name = name.strip()
    if name not in table.navigations:
        if name in table.properties:
            raise unknown_column(table, name)
        raise _unknown_expand(table, name)
    if opened and not inner.endswith(")"):
        raise bad_query(f"Syntax error in $expand: '{part}'.")
    given = dict(_inner_options(inner[:-1])) if opened else {}
    return Expand(name, tuple(name.strip() for name in given.get("$select", "").split(",") if name.strip()))


def _unknown_expand(table: Table, name: str) -> ApiError:
    return bad_query(f"Could not find a single-valued navigation property named '{name}' on type '{table.name}'.")


def _inner_options(text: str) -> Iterator[tuple[str, str]]:
    for option in split_outside(text, ";"):
        name, _, value = option.partition("=")
        if name.strip() != "$select":
            raise not_offered(f"'{name.strip()}' inside $expand")
        yield name.strip(), value


def split_outside(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside of parentheses."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def preferences(header: str) -> Preferences:
    """Read a `Prefer` header; unknown preferences are ignored, as RFC 7240 asks."""
    found = {name.lower(): value.strip('"') for name, value in _PREFERENCE.findall(header)}
    size = found.get("odata.maxpagesize", "")
    patterns = found.get("odata.include-annotations", "")
    return Preferences(
        representation=found.get("return") == "representation",
        page_size=min(int(size), MAX_PAGE) if size.isdigit() and int(size) > 0 else None,
        annotations=tuple(pattern.strip() for pattern in patterns.split(",") if pattern.strip()),
        continue_on_error="odata.continue-on-error" in found,
        track_changes="odata.track-changes" in found,
    )


def shown_columns(table: Table, select: tuple[str, ...]) -> list[Attribute]:
    """The columns that a response holds: the chosen ones and the primary id, or all readable ones."""
    readable = [column for column in table.attributes if column.readable]
    if not select:
        return readable
    wanted = {table.primary_id, *select}
    return [column for column in readable if column.property_name in wanted]
