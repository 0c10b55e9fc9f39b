"""From the checked file to the domain's mappings."""

from __future__ import annotations

from shared.domain import filters
from shared.domain.change import CONTACT
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate, Lookup
from shared.domain.mapping import DeleteMode, Link, Mapping, Mappings, OptOutPair, Privacy, Resource
from shared.domain.optout import Configuration, OptOutRules
from shared.mapping_file import file_models, models, table_models
from shared.mapping_file.table_models import Cardinality, ContactTable, EntityDeleteMode, EntityTable

DELETE_MODES = {EntityDeleteMode.DELETE: DeleteMode.PROFILE_DELETE, EntityDeleteMode.IGNORE: DeleteMode.IGNORE}


def mappings(file: file_models.File, version: str) -> Mappings:
    """`version` names the file's content."""
    contact = next(_contact(table, file, version) for table in file.tables if isinstance(table, ContactTable))
    return Mappings(contact, tuple(_entity(table, version) for table in file.tables if isinstance(table, EntityTable)))


def _contact(table: ContactTable, file: file_models.File, version: str) -> Mapping:
    privacy = Privacy(table.privacy.regulation, table.privacy.namespace_name) if table.privacy else Privacy("", "")
    rules = file.opt_out_rules
    return Mapping(
        version=version,
        table=CONTACT,
        key_column=table.key.dynamics,
        key_field=table.key.campaign,
        field_rows=tuple(_row(row) for row in table.fields),
        opt_outs=tuple(OptOutPair(p.dynamics, p.campaign, p.inverse, p.regulation) for p in _travelling(file)),
        opt_out_rules=OptOutRules(rules.configuration, rules.policy, rules.regulations),
        privacy=privacy,
        delete_mode=table.delete_mode,
        deletes_per_hour=table.deletes_per_hour,
        when_filtered_out=table.when_filtered_out,
        filters=None if table.filters is None else filter_tree(table.filters),
    )


def _entity(table: EntityTable, version: str) -> Mapping:
    key = table.key or table_models.Key(dynamics=f"{table.dynamics}id", campaign="externalId")
    found_by = table.filter or default_filter(key.campaign)
    links = tuple(FieldRow(link.campaign, FromColumn(link.dynamics, lookup=Lookup.ID)) for link in table.links)
    return Mapping(
        version=version,
        table=table.dynamics,
        resource=Resource(table.campaign, found_by.name, found_by.parameter, table.linked_to_profiles),
        key_column=key.dynamics,
        key_field=key.campaign,
        field_rows=(*links, *(_row(row) for row in table.fields)),
        links=tuple(_link(link) for link in table.links),
        delete_mode=DELETE_MODES[table.delete_mode],
        deletes_per_hour=table.deletes_per_hour,
        when_filtered_out=table.when_filtered_out,
        filters=None if table.filters is None else filter_tree(table.filters),
    )


def default_filter(field: str) -> table_models.Filter:
    """As Campaign names a filter that is labelled after its field, and the parameter that it makes for it."""
    return table_models.Filter(name=f"by{field[0].upper()}{field[1:]}", parameter=f"{field}_parameter")


def _link(link: table_models.Link) -> Link:
    return Link(link.dynamics, link.campaign, link.parent, link.cardinality is Cardinality.ONE, link.cascade)


def _travelling(file: file_models.File) -> list[file_models.Pair]:
    """Where opt-outs are disabled, pairs may stay in the file for later; nothing is read or written for them."""
    return [] if file.opt_out_rules.configuration is Configuration.DISABLED else file.opt_outs


def _row(row: models.Row) -> FieldRow:
    match row:
        case models.ConstantRow():
            return FieldRow(row.campaign, Constant(row.constant), row.apply_updates)
        case models.TemplateRow():
            source = FromTemplate(row.template, row.picklist, row.lookup)
            return FieldRow(row.campaign, source, row.apply_updates, {}, row.default, row.too_long)
        case _:
            column = FromColumn(row.dynamics, row.picklist, row.lookup)
            return FieldRow(row.campaign, column, row.apply_updates, row.replacements, row.default, row.too_long)


def filter_tree(node: models.FilterNode) -> filters.Filter:
    """Of a filter as the file has it."""
    match node:
        case models.AllOf():
            return filters.All(tuple(filter_tree(branch) for branch in node.of))
        case models.AnyOf():
            return filters.Any(tuple(filter_tree(branch) for branch in node.of))
        case models.NotOf():
            return filters.Not(filter_tree(node.of))
        case _:
            value = tuple(node.value) if isinstance(node.value, list) else node.value
            return filters.Condition(node.column, node.operator, value)
