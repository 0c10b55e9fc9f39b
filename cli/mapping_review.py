"""A mapping file judged: on its own, and against both systems; and what applying it would change."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.mapping_comparison import Impact, compare
from cli.mapping_difference import Difference, Named, difference
from cli.mapping_workbench import InForce, Workbench
from shared import mapping_file
from shared.clients.dynamics.sample import Total
from shared.domain.contact import Contact
from shared.domain.conversion import LOOKUPS
from shared.domain.mapping import Mapping, Mappings
from shared.domain.metadata import TableInfo
from shared.mapping_check import check, resolve
from shared.mapping_file import Finding, errors
from shared.stores.mapping_entry import Draft


@dataclass(frozen=True)
class Review:
    """`offline`: only the file itself was looked at. `tables` and `mappings` (with types) only without errors."""

    file: str
    offline: bool
    findings: tuple[Finding, ...]
    text: str = field(repr=False)
    mappings: Mappings | None = None
    tables: MappingOf[str, TableInfo] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether it cannot be applied."""
        return bool(errors(self.findings))


@dataclass(frozen=True)
class TablePlan:
    """What applying would change for one table.

    `impact` None: the version in force does not map the table, or does not parse. `by_resync_only`: fields that no
    update carries.
    """

    table: str
    impact: Impact | None
    rows: Total
    by_resync_only: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What applying would change. `comparable` False: the version in force does not parse."""

    version: str
    replaces: str
    comparable: bool
    difference: Difference
    tables: tuple[TablePlan, ...]


def review_alone(file: Path) -> Review:
    """The file by itself. Raises OSError, UnicodeDecodeError."""
    text = file.read_text(encoding="utf-8")
    return Review(str(file), offline=True, findings=mapping_file.parse(text).findings, text=text)


async def review(bench: Workbench, file: Path) -> Review:
    """Against both systems, which are asked only if the file itself is in order.

    Raises Outcome, OSError, UnicodeDecodeError.
    """
    alone = review_alone(file)
    parsed = mapping_file.parse(alone.text)
    if parsed.mappings is None:
        return alone
    described = {mapping.table: await bench.metadata(mapping) for mapping in parsed.mappings.tables}
    found = replace(alone, offline=False, findings=tuple(check(parsed, described)))
    if found.refused:
        return found
    types = {mapping.table: resolve(mapping, described[mapping.table]) for mapping in parsed.mappings.tables}
    tables = {name: one.table for name, one in described.items()}
    return replace(found, mappings=parsed.mappings.with_types(types), tables=tables)


def draft_of(bench: Workbench, mappings: Mappings, text: str, note: str) -> Draft:
    """What is stored: the text, and the types that the check found."""
    return Draft(text, {mapping.table: mapping.types for mapping in mappings.tables}, bench.operator, note)


async def plan(bench: Workbench, in_force: InForce, found: Review, sample: int, *, show_values: bool) -> Plan:
    """Reads `sample` rows a table; changes nothing. Raises Outcome, and ValueError for a review that found errors."""
    if found.mappings is None:
        raise ValueError("a mapping with errors cannot be planned")
    old = in_force.mappings
    parts = [
        await _table_plan(bench, old.of(new.table) if old else None, new, found.tables[new.table], sample, show_values)
        for new in found.mappings.tables
    ]
    return Plan(
        version=found.mappings.version,
        replaces=in_force.name,
        comparable=old is not None,
        difference=difference(Named(in_force.name, in_force.text, old), Named(found.file, found.text, found.mappings)),
        tables=tuple(parts),
    )


async def _table_plan(
    bench: Workbench,
    old: Mapping | None,
    new: Mapping,
    table: TableInfo,
    sample: int,
    show_values: bool,
) -> TablePlan:
    rows = await _rows(bench, old, new, table, sample)
    return TablePlan(
        table=new.table,
        impact=compare(old, new, rows, show_values=show_values) if old else None,
        rows=await bench.sample.total(new.table),
        by_resync_only=_by_resync_only(new),
    )


async def _rows(bench: Workbench, old: Mapping | None, new: Mapping, table: TableInfo, count: int) -> list[Contact]:
    """With the columns of both; one that the table has lost is empty, as it would be now."""
    columns = {*new.columns, *(old.columns if old else ())} & table.columns.keys()
    lookups = frozenset(name for name in columns if table.columns[name].type in LOOKUPS)
    return await bench.sample.rows(new.table, sorted(columns), lookups, count)


def _by_resync_only(mapping: Mapping) -> tuple[str, ...]:
    return tuple(row.target for row in mapping.field_rows if not row.apply_updates)
