"""From the checked file to the domain's mapping."""

from __future__ import annotations

from shared.domain import filters
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate
from shared.domain.mapping import Mapping, OptOutPair, Privacy
from shared.domain.optout import Configuration, OptOutRules
from shared.mapping_file import models


def mapping(file: models.File, version: str) -> Mapping:
    """`version` names the file's content."""
    table = file.tables[0]
    privacy = Privacy(table.privacy.regulation, table.privacy.namespace_name) if table.privacy else Privacy("", "")
    rules = file.opt_out_rules
    return Mapping(
        version=version,
        table=table.dynamics,
        resource=table.campaign,
        key_column=table.key.dynamics,
        key_field=table.key.campaign,
        field_rows=tuple(_row(row) for row in table.fields),
        opt_outs=tuple(OptOutPair(p.dynamics, p.campaign, p.inverse, p.regulation) for p in _travelling(file)),
        opt_out_rules=OptOutRules(rules.configuration, rules.policy, rules.regulations),
        privacy=privacy,
        delete_mode=table.delete_mode,
        deletes_per_hour=table.deletes_per_hour,
        when_filtered_out=table.when_filtered_out,
        filters=None if table.filters is None else _filter(table.filters),
    )


def _travelling(file: models.File) -> list[models.Pair]:
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


def _filter(node: models.FilterNode) -> filters.Filter:
    match node:
        case models.AllOf():
            return filters.All(tuple(_filter(branch) for branch in node.of))
        case models.AnyOf():
            return filters.Any(tuple(_filter(branch) for branch in node.of))
        case models.NotOf():
            return filters.Not(_filter(node.of))
        case _:
            value = tuple(node.value) if isinstance(node.value, list) else node.value
            return filters.Condition(node.column, node.operator, value)
