"""A custom table's links and look-up filter against both systems; and personal data that no privacy request reaches."""

from __future__ import annotations

from shared.domain.conversion import LOOKUPS, TargetType
from shared.domain.mapping import Link, Mapping, Mappings
from shared.domain.metadata import ResourceInfo, TableInfo
from shared.mapping_check.report import Report, suggestion
from shared.mapping_check.row_checks import ID_LENGTH, Systems, check_column, check_field
from shared.mapping_file import Path

# Words of column names that most often stand for personal data. A hint for people, no proof either way.
PERSONAL = ("name", "mail", "phone", "address", "birth", "gender", "salutation", "fax", "street", "postal")


def check_links(report: Report, at: Path, mapping: Mapping, systems: Systems) -> None:
    """Every link: a lookup column, and a text field that can hold an id."""
    for number, link in enumerate(mapping.links):
        path = (*at, "links", number)
        check_link_column(report, path, link, systems.table)
        check_link_field(report, path, link, systems.resource)


def check_link_column(report: Report, path: Path, link: Link, table: TableInfo) -> None:
    """It refers to another row."""
    column = check_column(report, (*path, "dynamics"), link.column, table)
    if column is not None and column.type not in LOOKUPS:
        reason = f"{link.column} is of type {column.type}: a link needs a column that refers to another row"
        report.error((*path, "dynamics"), reason, "Name a lookup column.")


def check_link_field(report: Report, path: Path, link: Link, resource: ResourceInfo) -> None:
    """It is a text that can hold an id."""
    field = check_field(report, (*path, "campaign"), link.field, resource)
    if field is None:
        return
    length = field.target.length
    if field.target.type is not TargetType.STRING or (length is not None and length < ID_LENGTH):
        reason = f"{link.field} cannot hold a row's id, a text of {ID_LENGTH} characters"
        report.error((*path, "campaign"), reason, "Name the text field that the link in Campaign joins on.")


def check_filter_name(report: Report, at: Path, mapping: Mapping, resource: ResourceInfo) -> None:
    """Whether Campaign has the filter that finds a record by its key, with its parameter, as far as it lists them."""
    wanted = mapping.resource
    if wanted is None or resource.filters is None:
        return
    ask = "Make it in the resource's filter definition, with the key field and a parameter, and publish the resource."
    parameters = resource.filters.get(wanted.filter)
    if parameters is None:
        reason = f"{wanted.name} has no filter {wanted.filter}"
        report.error((*at, "filter", "name"), reason, suggestion(wanted.filter, resource.filters, ask))
    elif parameters and parameters != {wanted.parameter}:
        reason = f"{wanted.filter} of {wanted.name} takes {', '.join(sorted(parameters))}, not just {wanted.parameter}"
        report.error((*at, "filter", "parameter"), reason, suggestion(wanted.parameter, parameters, ask))


def check_personal(report: Report, at: Path, mapping: Mapping, mappings: Mappings) -> None:
    """Privacy requests reach what is linked to a profile, and deleted with it; nothing else."""
    personal = personal_columns(mapping)
    if personal and not reached_by_privacy(mapping, mappings):
        reason = (
            f"{', '.join(personal)}: perhaps personal data, which a privacy request in Campaign would not reach here"
        )
        remedy = "Link the resource to profiles, with the option that deletes it with its parent; or leave them out."
        report.warn((*at, "fields"), reason, remedy)


def personal_columns(mapping: Mapping) -> list[str]:
    """Columns whose names sound like personal data, in the alphabet's order."""
    return sorted(name for name in mapping.columns if any(word in name for word in PERSONAL))


def reached_by_privacy(mapping: Mapping, mappings: Mappings, below: frozenset[str] = frozenset()) -> bool:
    """Whether a line of cascading links leads up to the profile, so that Campaign deletes the record with the person.

    As far as the mapping tells the links; `below`: the tables that the line has passed.
    """
    if mapping.resource is None:
        return True
    parents = {link.parent for link in mapping.links if link.cascade} - below
    above = (mappings.of(parent) for parent in parents if mapping.resource.linked)
    return any(one is not None and reached_by_privacy(one, mappings, below | {mapping.table}) for one in above)
