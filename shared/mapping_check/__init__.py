"""A mapping held against what both systems say of themselves: what does not exist, does not fit, or will surprise."""

from __future__ import annotations

from shared.domain.conversion import LOOKUPS, ColumnType, TargetType, Types
from shared.domain.mapping import Mapping, OptOutPair
from shared.domain.metadata import ResourceInfo, TableInfo
from shared.mapping_check.condition_checks import check_filter
from shared.mapping_check.report import Report
from shared.mapping_check.row_checks import ID_LENGTH, Systems, check_column, check_field, check_row
from shared.mapping_file import Finding, Parsed, Path

_TABLE: Path = ("tables", 0)
# Adobe's guardrails page of the integration names five linked columns a resource as the most that it carries well.
LINKED_COLUMNS = 5


def check(parsed: Parsed, table: TableInfo, resource: ResourceInfo) -> list[Finding]:
    """The file's own findings and those of the comparison, in the order of the file. Pure."""
    if parsed.mapping is None:
        return list(parsed.findings)
    mapping = parsed.mapping
    report = Report(parsed.positions)
    systems = Systems(table, resource, resolve(mapping, table, resource))
    _check_key(report, mapping, systems)
    for number, row in enumerate(mapping.field_rows):
        check_row(report, (*_TABLE, "fields", number), row, systems)
    if mapping.filters is not None:
        check_filter(report, (*_TABLE, "filters"), mapping.filters, table)
    for number, pair in enumerate(mapping.opt_outs):
        _check_opt_out(report, ("opt_outs", number), pair, systems)
    _check_what_is_missing(report, mapping, resource)
    _check_guardrails(report, mapping, systems)
    return sorted([*parsed.findings, *report.findings], key=lambda finding: (finding.line, finding.column))


def resolve(mapping: Mapping, table: TableInfo, resource: ResourceInfo) -> Types:
    """The types of the columns that the mapping reads and of the fields that it writes, as far as they exist."""
    written = (row.target for row in mapping.field_rows)
    return Types(
        columns={name: table.columns[name].type for name in mapping.columns if name in table.columns},
        targets={name: resource.fields[name].target for name in written if name in resource.fields},
    )


def _check_key(report: Report, mapping: Mapping, systems: Systems) -> None:
    check_column(report, (*_TABLE, "key", "dynamics"), mapping.key_column, systems.table)
    path = (*_TABLE, "key", "campaign")
    field = check_field(report, path, mapping.key_field, systems.resource)
    if field is None:
        return
    length = field.target.length
    if field.target.type is not TargetType.STRING or (length is not None and length < ID_LENGTH):
        reason = f"{mapping.key_field} cannot hold a contact's id, a text of {ID_LENGTH} characters"
        report.error(path, reason, "Choose a text field that is an identification key in Campaign.")


def _check_opt_out(report: Report, path: Path, pair: OptOutPair, systems: Systems) -> None:
    column = check_column(report, (*path, "dynamics"), pair.column, systems.table)
    if column is not None and column.type is not ColumnType.BOOLEAN:
        reason = f"{pair.column} is of type {column.type}: an opt-out is a column with two values"
        report.error((*path, "dynamics"), reason, "Map a two-option column.")
    field = check_field(report, (*path, "campaign"), pair.attribute, systems.resource)
    if field is not None and field.target.type is not TargetType.BOOLEAN:
        reason = f"{pair.attribute} is of type {field.target.type}: an opt-out is a boolean"
        report.error((*path, "campaign"), reason, "Map one of Campaign's opt-out attributes.")


def _check_what_is_missing(report: Report, mapping: Mapping, resource: ResourceInfo) -> None:
    written = {row.target for row in mapping.field_rows} | {pair.attribute for pair in mapping.opt_outs}
    for name, field in resource.fields.items():
        fillable = not field.target.read_only and field.target.type is not TargetType.OBJECT
        if field.mandatory and fillable and name not in written | {mapping.key_field}:
            reason = f"{name} is mandatory in Campaign and no row fills it: creations may be refused"
            report.warn((*_TABLE, "fields"), reason, "Add a row for it, if need be with a constant.")


def _check_guardrails(report: Report, mapping: Mapping, systems: Systems) -> None:
    linked = [name for name, kind in systems.types.columns.items() if kind in LOOKUPS]
    if len(linked) > LINKED_COLUMNS:
        reason = f"{len(linked)} linked columns; Adobe's guardrails for this integration name {LINKED_COLUMNS}"
        report.warn((*_TABLE, "fields"), reason, "Leave out those that no campaign needs.")
    if not systems.table.change_tracking:
        reason = f"{mapping.table} does not track changes: what a webhook misses is not found by a sweep"
        report.warn((*_TABLE, "dynamics"), reason, "Turn change tracking on for the table in Dynamics.")
