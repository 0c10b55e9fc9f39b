"""What `bridge doctor` looks at for every custom table: what both systems need before its rows can flow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from cli.checks import NOBODY
from cli.diagnosis import Check, Title, UnhealthyError, UnprovenError
from shared.app import App
from shared.domain.change import RecordKey
from shared.domain.conversion import text
from shared.domain.mapping import Mapping, Mappings, Resource
from shared.mapping_check.link_checks import (
    check_filter_name,
    check_link_column,
    check_link_field,
    personal_columns,
    reached_by_privacy,
)
from shared.mapping_check.report import Report
from shared.mapping_check.row_checks import check_field

CORRECT = "Correct the mapping or the table; `bridge mapping check` says where."
TRACK = (
    "In Power Apps, open the table's properties, advanced options, tick 'Track changes', save and publish; it cannot be"
    " switched off again. Until then what a webhook misses is not found."
)
PUBLISH = (
    "In Campaign, Administration > Development > Custom resources: create it with the mapped fields; then publish, with"
    " the box for the Profiles & Services Ext API ticked if it is linked to profiles."
)
FILTER = (
    "In the resource's filter definition, add the filter: key field equal to a parameter, case-sensitive; publish. Its"
    " name and parameter go under `filter` in the mapping."
)
CASCADE = (
    "Campaign's API does not tell a link's options. In the resource's Links tab, the link to the parent must delete the"
    " record with its target; without it a privacy request leaves the data."
)


def table_checks(mappings: Mappings) -> tuple[Check, ...]:
    """For each custom table; what a check needs stands before it. Four engine calls a table."""
    return tuple(check for mapping in mappings.entities for check in _checks(mapping, mappings))


def _checks(mapping: Mapping, mappings: Mappings) -> Iterator[Check]:
    resource = mapping.resource
    if resource is None:
        return
    table, name = mapping.table, resource.name
    yield _check(f"table-{table}", "columns, links, change tracking", CORRECT, partial(_table, mapping), ("dynamics",))
    described = partial(_fields, mapping, resource)
    yield _check(f"resource-{name}", "published, with its fields", PUBLISH, described, ("campaign",))
    probe = partial(_filter, mapping, resource)
    yield _check(f"filter-{name}", "finds a record by its key", FILTER, probe, (f"resource-{name}",))
    if personal_columns(mapping):
        yield _check(f"privacy-{name}", "deleted with the person", CASCADE, partial(_privacy, mapping, mappings))


def _check(
    name: str, about: str, remedy: str, probe: Callable[[App], Awaitable[str]], needs: tuple[str, ...] = ()
) -> Check:
    return Check(Title(name, about, remedy), probe, needs)


async def _table(mapping: Mapping, app: App) -> str:
    """Raises UnhealthyError, Outcome. A read of a row that does not exist names every mapped column all the same."""
    await app.ports.dynamics.read(RecordKey(mapping.table, NOBODY))
    described = await app.inspection.tables.table(mapping.table)
    report = Report({})
    for link in mapping.links:
        check_link_column(report, (), link, described)
    _refuse(report)
    if not described.change_tracking:
        raise UnhealthyError("change tracking is off", TRACK)
    return f"{len(mapping.columns)} columns, {len(mapping.links)} links, tracks changes"


async def _fields(mapping: Mapping, resource: Resource, app: App) -> str:
    """Raises UnhealthyError, Outcome."""
    described = await app.inspection.resources.custom(resource)
    report = Report({})
    linked = {link.field for link in mapping.links}
    for name in dict.fromkeys((mapping.key_field, *(row.target for row in mapping.field_rows))):
        if name not in linked:
            check_field(report, (), name, described)
    for link in mapping.links:
        check_link_field(report, (), link, described)
    check_filter_name(report, (), mapping, described)
    _refuse(report)
    return f"published, with {len(mapping.field_rows) + 1} fields of the mapping"


async def _filter(mapping: Mapping, resource: Resource, app: App) -> str:
    """A record that Campaign shows must be found by its own key. Raises UnhealthyError, UnprovenError, Outcome."""
    some = await app.campaign.any_record(resource)
    key = some.fields.get(mapping.key_field) if some else None
    found = await app.ports.records.record(resource, mapping.key_field, text(key) if key else NOBODY)
    if not key:
        raise UnprovenError(f"{resource.filter} answers, and there is no record with a key yet to find by it")
    if found is None:
        raise UnhealthyError(f"{resource.filter} does not find a record of {resource.name} by its {mapping.key_field}")
    return f"{resource.filter} finds by {mapping.key_field}"


async def _privacy(mapping: Mapping, mappings: Mappings, _app: App) -> str:
    """Raises UnprovenError: nothing that can be asked would prove it."""
    names = ", ".join(personal_columns(mapping))
    if not reached_by_privacy(mapping, mappings):
        raise UnprovenError(f"{names}: perhaps personal, and by the mapping nothing deletes the record with the person")
    raise UnprovenError(f"{names}: perhaps personal; the mapping says that the record is deleted with the person")


def _refuse(report: Report) -> None:
    """Raises UnhealthyError where anything was found."""
    if found := [f"{one.reason}. {one.remedy}" for one in report.findings]:
        raise UnhealthyError(" ".join(found))
