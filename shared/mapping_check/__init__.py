"""A mapping held against what both systems say of themselves: what does not exist, does not fit, or will surprise."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from shared.domain.conversion import LOOKUPS, ColumnType, TargetType, Types
from shared.domain.mapping import Mapping, OptOutPair
from shared.domain.metadata import Described
from shared.mapping_check.condition_checks import check_filter
from shared.mapping_check.link_checks import check_filter_name, check_links, check_personal
from shared.mapping_check.report import Report
from shared.mapping_check.row_checks import ID_LENGTH, Systems, check_column, check_field, check_row
from shared.mapping_file import Finding, Parsed, Path

# Adobe's guardrails page of the integration names five linked columns a resource as the most that it carries well.
LINKED_COLUMNS = 5


def check(parsed: Parsed, described: MappingOf[str, Described]) -> list[Finding]:
    """The file's own findings and those of the comparison, in the order of the file. `described`: by Dynamics table.

    Pure.
    """
    if parsed.mappings is None:
        return list(parsed.findings)
    report = Report(parsed.positions)
    for mapping in parsed.mappings.tables:
        path = ("tables", parsed.numbers[mapping.table])
        _check_table(report, path, mapping, described[mapping.table])
        check_personal(report, path, mapping, parsed.mappings)
    contact = described[parsed.mappings.contact.table]
    for number, pair in enumerate(parsed.mappings.contact.opt_outs):
        _check_opt_out(report, ("opt_outs", number), pair, contact)
    return sorted([*parsed.findings, *report.findings], key=lambda finding: (finding.line, finding.column))


def resolve(mapping: Mapping, described: Described) -> Types:
    """The types of the columns that the mapping reads and of the fields that it writes, as far as they exist."""
    columns, fields = described.table.columns, described.resource.fields
    written = (row.target for row in mapping.field_rows)
    return Types(
        columns={name: columns[name].type for name in mapping.columns if name in columns},
        targets={name: fields[name].target for name in written if name in fields},
    )


def _check_table(report: Report, path: Path, mapping: Mapping, described: Described) -> None:
    systems = Systems(described.table, described.resource, resolve(mapping, described))
    _check_key(report, path, mapping, described)
    for number, row in enumerate(mapping.field_rows[len(mapping.links) :]):
        check_row(report, (*path, "fields", number), row, systems)
    if mapping.filters is not None:
        check_filter(report, (*path, "filters"), mapping.filters, described.table)
    check_links(report, path, mapping, systems)
    check_filter_name(report, path, mapping, described.resource)
    _check_what_is_missing(report, path, mapping, described)
    _check_guardrails(report, path, mapping, systems)


def _check_key(report: Report, at: Path, mapping: Mapping, described: Described) -> None:
    column = check_column(report, (*at, "key", "dynamics"), mapping.key_column, described.table)
    path = (*at, "key", "campaign")
    field = check_field(report, path, mapping.key_field, described.resource)
    if field is None or column is None:
        return
    longest = ID_LENGTH if mapping.key_is_id else column.max_length or 0
    length = field.target.length
    if field.target.type is not TargetType.STRING or (length is not None and length < longest):
        what = "a contact's id" if mapping.resource is None else mapping.key_column
        reason = f"{mapping.key_field} cannot hold {what}, a text of {longest} characters"
        report.error(path, reason, "Choose a text field that is an identification key in Campaign.")


def _check_opt_out(report: Report, path: Path, pair: OptOutPair, described: Described) -> None:
    column = check_column(report, (*path, "dynamics"), pair.column, described.table)
    if column is not None and column.type is not ColumnType.BOOLEAN:
        reason = f"{pair.column} is of type {column.type}: an opt-out is a column with two values"
        report.error((*path, "dynamics"), reason, "Map a two-option column.")
    field = check_field(report, (*path, "campaign"), pair.attribute, described.resource)
    if field is not None and field.target.type is not TargetType.BOOLEAN:
        reason = f"{pair.attribute} is of type {field.target.type}: an opt-out is a boolean"
        report.error((*path, "campaign"), reason, "Map one of Campaign's opt-out attributes.")


def _check_what_is_missing(report: Report, path: Path, mapping: Mapping, described: Described) -> None:
    written = {row.target for row in mapping.field_rows} | {pair.attribute for pair in mapping.opt_outs}
    for name, field in described.resource.fields.items():
        fillable = not field.target.read_only and field.target.type is not TargetType.OBJECT
        if field.mandatory and fillable and name not in written | {mapping.key_field}:
            reason = f"{name} is mandatory in Campaign and no row fills it: creations may be refused"
            report.warn((*path, "fields"), reason, "Add a row for it, if need be with a constant.")


def _check_guardrails(report: Report, path: Path, mapping: Mapping, systems: Systems) -> None:
    linked = [name for name, kind in systems.types.columns.items() if kind in LOOKUPS]
    if len(linked) > LINKED_COLUMNS:
        reason = f"{len(linked)} linked columns; Adobe's guardrails for this integration name {LINKED_COLUMNS}"
        report.warn((*path, "fields"), reason, "Leave out those that no campaign needs.")
    if not systems.table.change_tracking:
        reason = f"{mapping.table} does not track changes: what a webhook misses is not found by a sweep"
        report.warn((*path, "dynamics"), reason, "Turn change tracking on for the table in Dynamics.")
