"""What the platform fills in by itself: defaults, names, money in base currency, owners, states and who wrote when."""

from __future__ import annotations

from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.errors import ApiError
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.schema import Kind, Table
from sandbox.dataverse.store import type_column
from sandbox.dataverse.values import Row

_STATE = ("statecode", "statuscode")
_NAME_PARTS = frozenset({"firstname", "lastname"})


def reference(column: str, table: str, row_id: str | None) -> Row:
    """The stored form of a lookup."""
    return {column: row_id, type_column(column): None if row_id is None else table}


def accepted(table: Table, values: Row, *, creating: bool) -> Row:
    """Without the columns that callers cannot set: the platform ignores those instead of refusing the request."""
    refused = {
        name
        for column in table.attributes
        if not (column.creatable if creating else column.updatable)
        for name in (column.name, type_column(column.name))
    }
    return {name: value for name, value in values.items() if name not in refused}


def completed(table: Table, row_id: str, submitted: Row, op: Operation, config: DataverseConfig) -> Row:
    """A whole new row: what was submitted and everything that the platform adds."""
    row: Row = dict(submitted)
    for column in table.attributes:
        if column.default is not None:
            row.setdefault(column.name, int(column.default))
    row[table.primary_id] = row_id
    _check_status(table, row, creating=True)
    if table.has("ownerid"):
        _set_owner(row, op, config)
    if table.has("activitytypecode"):
        row["activitytypecode"] = table.name
    _set_times(table, row, op)
    row.update(derived(table, row, submitted, config))
    return row


def _set_owner(row: Row, op: Operation, config: DataverseConfig) -> None:
    if row.get("ownerid") is None:
        row.update(reference("ownerid", "systemuser", op.caller.user_id))
    row.update(reference("owninguser", "systemuser", row["ownerid"]))
    row.update(reference("owningbusinessunit", "businessunit", config.business_unit_id))


def _set_times(table: Table, row: Row, op: Operation) -> None:
    """A date that a migration claims for the creation takes its place; the true one is kept beside it."""
    claimed = row.get("overriddencreatedon")
    row["createdon"] = claimed or op.stamp
    if claimed and table.has("overriddencreatedon"):
        row["overriddencreatedon"] = op.stamp
    row.update(reference("createdby", "systemuser", op.caller.user_id))
    row.update(touched(op))


def touched(op: Operation) -> Row:
    """The columns that every write moves."""
    on_behalf = None if op.caller.user_id == op.caller.initiating_user_id else op.caller.initiating_user_id
    return {
        "modifiedon": op.stamp,
        **reference("modifiedby", "systemuser", op.caller.user_id),
        **reference("modifiedonbehalfby", "systemuser", on_behalf),
    }


def derived(table: Table, row: Row, submitted: Row, config: DataverseConfig) -> Row:
    """Columns computed from others of `row`, where `submitted` gives cause to."""
    more: Row = {}
    if table.has("yomifullname") and _NAME_PARTS & submitted.keys():
        parts = (row.get("firstname"), row.get("lastname"))
        more["fullname"] = more["yomifullname"] = " ".join(part for part in parts if part) or None
    if table.has("isauthvalueset") and "authvalue" in submitted:
        more["isauthvalueset"] = int(submitted["authvalue"] is not None)
    if "ownerid" in submitted:
        more.update(reference("owninguser", "systemuser", row["ownerid"]))
    return more | _base_money(table, row, submitted, config)


def _base_money(table: Table, row: Row, submitted: Row, config: DataverseConfig) -> Row:
    """A sum of money brings its currency along (the organisation's own, at rate 1) and the sum in that currency."""
    sums = [column.name for column in table.attributes if column.kind is Kind.MONEY and column.name in submitted]
    if not sums:
        return {}
    more: Row = {f"{name}_base": submitted[name] for name in sums if table.has(f"{name}_base")}
    if row.get("transactioncurrencyid") is None:
        more.update(reference("transactioncurrencyid", "transactioncurrency", config.currency_id))
    return {**more, "exchangerate": 1.0}


def split_state(values: Row) -> list[Row]:
    """State columns written beside others make two updates: first the others, then the state."""
    state = {name: value for name, value in values.items() if name in _STATE}
    others = {name: value for name, value in values.items() if name not in _STATE}
    return [part for part in (others, state) if part] or [{}]


def with_status(table: Table, before: Row, changes: Row) -> Row:
    """A change of state chooses that state's default status, unless one was given. Raises ApiError 400."""
    if not changes.keys() & set(_STATE):
        return changes
    if changes.get("statecode") is not None and "statuscode" not in changes and _moves(before, changes):
        fits = (option.value for option in table.columns["statuscode"].options if option.state == changes["statecode"])
        changes = {**changes, "statuscode": next(fits, None)}
    _check_status(table, before | changes, creating=False)
    return changes


def _moves(before: Row, changes: Row) -> bool:
    return bool(before["statecode"] != changes["statecode"])


def _check_status(table: Table, row: Row, *, creating: bool) -> None:
    """A status must belong to the row's state, and a new row starts in its first state."""
    if not table.has("statuscode"):
        return
    state, chosen = row["statecode"], row["statuscode"]
    option = None if chosen is None else table.columns["statuscode"].option(chosen)
    if option is None or option.state != state or (creating and state != 0):
        label = table.columns["statecode"].option(state) if state is not None else None
        shown = f"{table.schema_name}State.{label.label if label else state}"
        text = f"{chosen} is not a valid status code for state code {shown} on {table.name}"
        raise ApiError(400, "0x80048408", f"{text} with Id {row[table.primary_id]}.")
