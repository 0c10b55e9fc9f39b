"""One field row against both systems: its columns, its field, and whether the values of the one fit into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.contact import OLDEST, Contact, Value
from shared.domain.conversion import ColumnType, Target, TargetType, Types, text
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate, Lookup, Picklist, TooLong
from shared.domain.metadata import ColumnInfo, FieldInfo, ResourceInfo, TableInfo
from shared.mapping_check.report import Report, suggestion
from shared.mapping_check.type_table import CHOICES, REFERENCES, Fit, fault, verdict
from shared.mapping_file import Path

ID_LENGTH = 36
_NOT_EMPTY = frozenset({TargetType.ENUMERATION, TargetType.INTEGER, TargetType.FLOAT})
_ASK = "Compare it with the table's columns in Dynamics."


@dataclass(frozen=True)
class Systems:
    """What both systems say of themselves, and the mapping's part of it."""

    table: TableInfo
    resource: ResourceInfo
    types: Types


def check_row(report: Report, path: Path, row: FieldRow, systems: Systems) -> None:
    """Everything about one row."""
    columns = [check_column(report, (*path, "dynamics"), name, systems.table) for name in row.columns]
    field = check_field(report, (*path, "campaign"), row.target, systems.resource)
    if field is None:
        return
    _check_written(report, path, row, field.target)
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return
    match row.value:
        case FromColumn():
            _check_from_column(report, path, row, known[0], field.target, systems.types)
        case FromTemplate():
            _check_template(report, path, row, row.value, known, field.target)
        case Constant():
            return


def check_column(report: Report, path: Path, name: str, table: TableInfo) -> ColumnInfo | None:
    """The column, if the table has it and a query may name it."""
    column = table.columns.get(name)
    if column is None:
        report.error(path, f"the table has no column {name}", suggestion(name, table.columns, _ASK))
        return None
    if not column.readable:
        report.error(path, f"{name} cannot be read", "Map a column whose metadata says that it is valid for read.")
        return None
    return column


def check_field(report: Report, path: Path, name: str, resource: ResourceInfo) -> FieldInfo | None:
    """The field, if the resource has it and takes values for it."""
    field = resource.fields.get(name)
    if field is None:
        _tell_unknown_field(report, path, name, resource)
        return None
    if field.target.type is TargetType.OBJECT:
        parts = sorted(one for one in resource.fields if one.startswith(f"{name}."))
        remedy = (
            f"Map one of its fields: {', '.join(parts)}." if parts else "It is a link or a list; map another field."
        )
        report.error(path, f"{name} holds other fields or records, no value of its own", remedy)
        return None
    if field.target.read_only:
        report.error(path, f"{name} is read-only", "Campaign fills it by itself; map another field.")
        return None
    return field


def _tell_unknown_field(report: Report, path: Path, name: str, resource: ResourceInfo) -> None:
    parent = resource.fields.get(name.rpartition(".")[0])
    if parent is not None and not parent.parts_known:
        remedy = "Try it with one contact before you rely on it."
        report.warn(
            path, f"Campaign does not describe what {name.rpartition('.')[0]} holds: {name} is not checked", remedy
        )
        return
    ask = "A field that was added in Campaign is known by its API name once its extension is published."
    report.error(path, f"the resource has no field {name}", suggestion(name, resource.fields, ask))


def _check_written(report: Report, path: Path, row: FieldRow, target: Target) -> None:
    """The values that stand in the mapping itself."""
    for place, value in _written(row):
        if found := fault(value, target):
            report.error((*path, *place), f"{row.target} cannot hold {value!r}: {found}", "Correct the value.")
    if isinstance(row.value, Constant) or row.default not in (None, "") or target.type not in _NOT_EMPTY:
        return
    report.warn(
        path,
        f"an empty {row.source} is sent as an empty text, which a field of type {target.type} refuses",
        "Give the row a `default`.",
    )


def _written(row: FieldRow) -> Iterator[tuple[Path, Value]]:
    if isinstance(row.value, Constant):
        yield ("constant",), row.value.value
    for key, value in row.replacements.items():
        yield ("replacements", key), value
    yield ("default",), row.default


def _check_from_column(
    report: Report, path: Path, row: FieldRow, column: ColumnInfo, target: Target, types: Types
) -> None:
    if column.type is ColumnType.BOOLEAN or (column.type in CHOICES and column.options):
        _try_each_option(report, path, row, column, target, types)
    elif target.type is TargetType.STRING:
        _check_length(report, path, row, _longest(row, column), target)
    else:
        _check_types(report, path, row, column.type, target)


def _try_each_option(
    report: Report, path: Path, row: FieldRow, column: ColumnInfo, target: Target, types: Types
) -> None:
    """By the code that runs later: each option goes through the row as a contact's value would."""
    options = _options(column)
    _check_replacement_keys(report, path, row, options)
    refused = [code for code, label in options.items() if not _lands(row, code, label, target, types)]
    if not refused:
        return
    names = ", ".join(f"{text(code)} ({options[code]})" for code in refused)
    if len(refused) == len(options):
        report.error(path, f"{row.target} takes none of {row.source}'s values: {names}", _land(target))
    else:
        report.warn(path, f"{row.target} takes no value for {names}: such contacts are parked", _land(target))


def _options(column: ColumnInfo) -> dict[Value, str]:
    """What a row of the table may hold, with its label."""
    if column.type is ColumnType.BOOLEAN:
        return {truth: column.options.get(int(truth), text(truth)) for truth in (True, False)}
    return {code: column.options[code] for code in column.options}


def _lands(row: FieldRow, code: Value, label: str, target: Target, types: Types) -> bool:
    """A replacement that the field refuses is a finding of its own."""
    if _key(row, code, label) in row.replacements:
        return True
    filled = row.filled(Contact("", "", OLDEST, {row.source: code}, {row.source: label}), types)
    return not (filled.refused or filled.overlong) and fault(filled.value, target) is None


def _key(row: FieldRow, code: Value, label: str) -> str:
    """What `replacements` compares with."""
    by_label = isinstance(row.value, FromColumn) and row.value.picklist is Picklist.LABEL
    return label if by_label else text(code)


def _land(target: Target) -> str:
    values = f" with one of {', '.join(target.values)}" if target.values else ""
    return f"Add a line for each to `replacements`{values}."


def _check_replacement_keys(report: Report, path: Path, row: FieldRow, options: Mapping[Value, str]) -> None:
    keys = [_key(row, code, label) for code, label in options.items()]
    for key in row.replacements:
        if key not in keys:
            reason = f"{row.source} never has the value {key}, so this replaces nothing"
            report.warn((*path, "replacements", key), reason, f"Its values are {', '.join(keys)}.")


def _longest(row: FieldRow, column: ColumnInfo) -> int | None:
    """The most characters that the column can give; None: not known."""
    by_name = isinstance(row.value, FromColumn) and row.value.lookup is Lookup.NAME
    if column.type in REFERENCES:
        return None if by_name else ID_LENGTH
    return column.max_length


def _check_length(report: Report, path: Path, row: FieldRow, longest: int | None, target: Target) -> None:
    if longest is None or target.length is None or longest <= target.length or row.too_long is TooLong.TRUNCATE:
        return
    report.warn(
        path,
        f"{row.source} can have {longest} characters, {row.target} takes {target.length}: longer ones are parked",
        "Say `too_long: truncate` to cut them instead, or lengthen the field.",
    )


def _check_types(report: Report, path: Path, row: FieldRow, kind: ColumnType, target: Target) -> None:
    found = verdict(kind, target.type)
    if found.fit is Fit.NONE:
        reason = f"{row.source} is of type {kind}, which {row.target} ({target.type}) cannot hold"
        report.error(path, reason, "Map it to a field of a fitting type; docs/flows/mapping_versions.md has the table.")
    elif found.fit is Fit.SOME:
        reason = f"{row.source} ({kind}) → {row.target} ({target.type}): {found.what}"
        report.warn(path, reason, "Map it to a text field if that is not what you want.")


def _check_template(
    report: Report, path: Path, row: FieldRow, source: FromTemplate, columns: list[ColumnInfo], target: Target
) -> None:
    if target.type is not TargetType.STRING:
        _check_types(report, path, row, ColumnType.STRING, target)
        return
    lengths = [column.max_length for column in columns]
    if all(length is not None for length in lengths):
        literal = sum(len(part) for part in source.parts if isinstance(part, str))
        _check_length(report, path, row, literal + sum(filter(None, lengths)), target)
