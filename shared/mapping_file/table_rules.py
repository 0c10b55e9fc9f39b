"""What no single table pair can be judged by: pairs that meet, parents that are not mapped, circles, guardrails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.mapping_file.document import Document
from shared.mapping_file.finding import Finding, Path, Severity

Rows = list[tuple[Path, dict[str, Any]]]
# Adobe's guardrails page of its own integration names these; it says of none that more is refused.
MOST_ENTITIES, MOST_LINKS, MOST_DEPTH = 20, 5, 2


def findings(document: Document, tables: Rows) -> Iterator[Finding]:
    """Everything that these rules find, in no special order."""
    if tables and not any(_is_contacts(table) for _, table in tables):
        yield document.finding(("tables",), "no table pair maps contacts", "Add the pair of contact and profile.")
    yield from _mapped_twice(document, tables)
    yield from _filters(document, tables)
    parents = _parents(tables)
    for path, table in tables:
        yield from _links(document, path, table, parents)
    yield from _guardrails(document, tables)


def _is_contacts(table: dict[str, Any]) -> bool:
    """Or meant to be: what is wrong with it is told by itself."""
    return table.get("dynamics", "contact") == "contact" or table.get("campaign") == "profile"


def _mapped_twice(document: Document, tables: Rows) -> Iterator[Finding]:
    for key in ("dynamics", "campaign"):
        seen: set[str] = set()
        for path, table in tables:
            name = table.get(key)
            if isinstance(name, str) and name in seen:
                yield document.finding((*path, key), f"another pair has `{name}`, too", "Keep one of the pairs.")
            seen |= {name} if isinstance(name, str) else set()


def _filters(document: Document, tables: Rows) -> Iterator[Finding]:
    """Guessing a filter's name for the usual key field is safe; for another one it would be a guess."""
    for path, table in tables:
        key = table.get("key")
        field = key.get("campaign") if isinstance(key, dict) else None
        if table.get("dynamics") != "contact" and field not in (None, "externalId") and "filter" not in table:
            remedy = "Add `filter` with `name` and `parameter`, as Campaign's filter definition shows them."
            yield document.finding((*path, "key", "campaign"), f"no filter is named that finds `{field}`", remedy)


def _links(document: Document, path: Path, table: dict[str, Any], parents: dict[str, set[str]]) -> Iterator[Finding]:
    links = table.get("links")
    for number, link in enumerate(links if isinstance(links, list) else ()):
        parent = link.get("parent") if isinstance(link, dict) else None
        place = (*path, "links", number, "parent")
        if isinstance(parent, str) and parent not in parents:
            remedy = "Map that table, too, or leave the link out and send the lookup as a field row."
            yield document.finding(place, f"the parent `{parent}` is not mapped", remedy)
        elif isinstance(parent, str) and str(table.get("dynamics")) in _above(parent, parents):
            remedy = 'Make one of the links "0 or 1", in Campaign and here.'
            yield document.finding(
                place, f"`{parent}` needs `{table.get('dynamics')}` itself: neither could come first", remedy
            )


def _parents(tables: Rows) -> dict[str, set[str]]:
    """By table: the tables that it needs."""
    return {name: {parent for parent, needed in _linked(table) if needed} for name, table in _named(tables)}


def _named(tables: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((table["dynamics"], table) for _, table in tables if isinstance(table.get("dynamics"), str))


def _linked(table: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each parent, and whether it is needed. Without quotes, the cardinality 1 is a number."""
    links = table.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and "parent" in link:
            yield str(link["parent"]), str(link.get("cardinality", "1")) == "1"


def _above(table: str, parents: dict[str, set[str]]) -> set[str]:
    """The table, what it needs, and what that needs."""
    found: set[str] = set()
    open_ = {table}
    while open_:
        found |= open_
        open_ = {parent for one in open_ for parent in parents.get(one, set())} - found
    return found


def _guardrails(document: Document, tables: Rows) -> Iterator[Finding]:
    parents = {name: {parent for parent, _ in _linked(table)} for name, table in _named(tables)}
    entities = [(path, table) for path, table in tables if table.get("dynamics") != "contact"]
    if len(entities) > MOST_ENTITIES:
        reason = f"{len(entities)} custom tables; Adobe's guardrail for its own integration is {MOST_ENTITIES}"
        remedy = "Leave out those that no campaign uses."
        yield document.finding(("tables",), reason, remedy, Severity.WARNING)
    for path, table in entities:
        links = table.get("links")
        if isinstance(links, list) and len(links) > MOST_LINKS:
            reason = f"{len(links)} links; Adobe's guardrail for its own integration is {MOST_LINKS} for each resource"
            remedy = "Leave out those that no campaign uses."
            yield document.finding((*path, "links"), reason, remedy, Severity.WARNING)
        depth = _depth(str(table.get("dynamics")), parents)
        if depth > MOST_DEPTH:
            reason = f"{depth} links lead up from here; Adobe's guardrail for its own integration is {MOST_DEPTH}"
            remedy = "Link the resource to one that is nearer to the profile."
            yield document.finding((*path, "links"), reason, remedy, Severity.WARNING)


def _depth(table: str, parents: dict[str, set[str]], seen: frozenset[str] = frozenset()) -> int:
    above = parents.get(table, set()) - seen
    return max((1 + _depth(parent, parents, seen | {table}) for parent in above), default=0)
