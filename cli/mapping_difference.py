"""Two mappings told apart: line by line, and in words."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from shared.domain.conversion import text
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate
from shared.domain.filters import All, Any, Condition, Filter, Not
from shared.domain.mapping import Link, Mappings, OptOutPair
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.optout import OptOutRules

Thing = TypeVar("Thing")
_PLAIN = ("delete_mode", "deletes_per_hour", "when_filtered_out", "privacy", "key_column", "key_field", "resource")


@dataclasses.dataclass(frozen=True)
class Named:
    """A mapping file under the name that a person knows it by. `mappings` None: the text does not parse."""

    name: str
    text: str = dataclasses.field(repr=False)
    mappings: Mappings | None


@dataclasses.dataclass(frozen=True)
class Difference:
    """From `before` to `after`. `lines`: a unified diff; empty where the texts are alike."""

    before: str
    after: str
    summary: tuple[str, ...]
    lines: tuple[str, ...]


def difference(before: Named, after: Named) -> Difference:
    """Pure."""
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), before.name, after.name, lineterm=""
    )
    told = tuple(_all_words(before.mappings, after.mappings)) if before.mappings and after.mappings else ()
    return Difference(before.name, after.name, told, tuple(lines))


def _all_words(before: Mappings, after: Mappings) -> Iterator[str]:
    """Table by table; what is said of custom tables begins with the table's name."""
    for mapping in after.tables:
        old = before.of(mapping.table)
        if old is None:
            yield f"table {mapping.table} is new"
        elif mapping is after.contact:
            yield from words(old, mapping)
        else:
            yield from (f"{mapping.table}: {line}" for line in words(old, mapping))
    for mapping in before.tables:
        if after.of(mapping.table) is None:
            yield f"table {mapping.table} is no longer mapped; its records in Campaign stay as they are"


def words(before: MappingRules, after: MappingRules) -> Iterator[str]:
    """One line for each thing that the bridge would do in another way."""
    yield from _told("field", _by_target(before), _by_target(after), _row_words)
    yield from _told("opt-out", _by_attribute(before), _by_attribute(after), _pair_words)
    yield from _rule_words(before.opt_out_rules, after.opt_out_rules)
    yield from _told("link", _by_column(before), _by_column(after), _link_words)
    if before.filters != after.filters:
        yield f"filters: {filter_words(before.filters)} → {filter_words(after.filters)}"
    for name in _PLAIN:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {_shown(old)} → {_shown(new)}"


def filter_words(tree: Filter | None) -> str:
    """A filter as one line; None: everybody takes part."""
    match tree:
        case None:
            return "everybody"
        case Condition():
            value = ", ".join(map(text, tree.value)) if isinstance(tree.value, tuple) else text(tree.value)
            return f"{tree.column} {tree.operator} {value}".rstrip()
        case Not():
            return f"not ({filter_words(tree.of)})"
        case All() | Any():
            word = " and " if isinstance(tree, All) else " or "
            return f"({word.join(map(filter_words, tree.of))})"


def _told(
    kind: str, before: Mapping[str, Thing], after: Mapping[str, Thing], shown: Callable[[Thing], str]
) -> Iterator[str]:
    for name in sorted(after.keys() - before.keys()):
        yield f"{kind} {name} is new: {shown(after[name])}"
    for name in sorted(before.keys() - after.keys()):
        yield f"{kind} {name} is no longer written: {shown(before[name])}"
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"{kind} {name}: {shown(before[name])} → {shown(after[name])}"


def _by_target(mapping: MappingRules) -> dict[str, FieldRow]:
    return {row.target: row for row in mapping.field_rows}


def _by_column(mapping: MappingRules) -> dict[str, Link]:
    return {link.column: link for link in mapping.links}


def _link_words(link: Link) -> str:
    needed = "needed" if link.required else "not needed"
    return f"to {link.parent} by {link.field}, {needed}{', deleted with it' if link.cascade else ''}"


def _by_attribute(mapping: MappingRules) -> dict[str, OptOutPair]:
    return {pair.attribute: pair for pair in mapping.opt_outs}


def _pair_words(pair: OptOutPair) -> str:
    more = ["inverse"] if pair.inverse else []
    more += [f"under {pair.regulation}"] if pair.regulation else []
    return f"{pair.column} ({'; '.join(more)})" if more else pair.column


def _rule_words(before: OptOutRules, after: OptOutRules) -> Iterator[str]:
    for name in ("configuration", "policy"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"opt-out {name}: {old} → {new}"
    yield from _told("regulation", before.regulations, after.regulations, lambda days: f"{days} days")


def _row_words(row: FieldRow) -> str:
    """Only what is not as usual, besides where the value comes from."""
    usual = FieldRow(row.target, row.value)
    more = [] if row.apply_updates else ["not with updates"]
    more += _manner(row.value)
    if row.replacements:
        replaced = (f"{key} → {text(value) or 'nothing'}" for key, value in row.replacements.items())
        more.append(f"replacements {', '.join(replaced)}")
    if row.default != usual.default:
        more.append(f"default {text(row.default)}")
    if row.too_long is not usual.too_long:
        more.append(f"too long: {row.too_long}")
    return f"{row.source} ({'; '.join(more)})" if more else row.source


def _manner(value: FromColumn | FromTemplate | Constant) -> list[str]:
    if isinstance(value, Constant):
        return []
    usual = FromColumn("")
    picklist = [f"picklist {value.picklist}"] if value.picklist is not usual.picklist else []
    return picklist + ([f"lookup {value.lookup}"] if value.lookup else [])


def _shown(value: object) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return " ".join(str(part) for part in dataclasses.astuple(value) if part) or "none"
    return str(value)
