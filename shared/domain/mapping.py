"""A table's mapping: what its rows' records should hold, which rows take part, and what becomes of those that go."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.domain import filters
from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.conversion import LOOKUPS, ColumnType, Target, TargetType, Types, text
from shared.domain.desired import Desired, agree, digest
from shared.domain.field_row import Constant, FieldRow, FromColumn, FromTemplate, Lookup, Picklist, TooLong
from shared.domain.filters import Filter
from shared.domain.optout import OptOutRules

__all__ = [  # a mapping and all that it is made of
    "ColumnType",
    "Constant",
    "DeleteMode",
    "Desired",
    "FieldRow",
    "Filter",
    "FromColumn",
    "FromTemplate",
    "Link",
    "Lookup",
    "Mapping",
    "OptOutPair",
    "Picklist",
    "Privacy",
    "Resource",
    "Target",
    "TargetType",
    "TooLong",
    "Types",
    "WhenFilteredOut",
    "agree",
    "digest",
]


class DeleteMode(StrEnum):
    """What follows when a row is deleted. Only a person's profile can have a privacy request."""

    PRIVACY_REQUEST = "privacy_request"
    PROFILE_DELETE = "profile_delete"
    IGNORE = "ignore"


class WhenFilteredOut(StrEnum):
    """What becomes of the record of a row that the filters no longer let pass."""

    LEAVE = "leave"
    DELETE = "delete"


@dataclass(frozen=True)
class OptOutPair:
    """A boolean Dynamics column and the Campaign attribute that means the same; TRUE is opted out.

    `inverse`: in the column FALSE is opted out. `regulation`: the law whose days count; None: whichever is strictest.
    """

    column: str
    attribute: str
    inverse: bool = False
    regulation: str | None = None

    def opted_out(self, contact: Contact) -> bool:
        """What the row says; an empty column (old and imported rows) means not opted out."""
        value = contact.columns.get(self.column)
        return value is not None and bool(value) != self.inverse

    def column_value(self, opted_out: bool) -> bool:
        """What to write into the column."""
        return opted_out != self.inverse


@dataclass(frozen=True)
class Link:
    """A lookup column whose row is the parent; its id travels in a text field (a field row of its own fills that).

    `required`: Campaign hides a record whose parent it does not have ("1 cardinality simple link"). `cascade`: it
    deletes the record with its parent.
    """

    column: str
    field: str
    parent: str
    required: bool = True
    cascade: bool = True


@dataclass(frozen=True)
class Resource:
    """A custom resource and how a record of it is found: `filter` with the key's value as `parameter`.

    `linked`: it is linked to profiles, directly or over its parents, which decides where Campaign offers it.
    """

    name: str
    filter: str
    parameter: str
    linked: bool = True


@dataclass(frozen=True)
class Privacy:
    """What a privacy request must name besides the person."""

    regulation: str
    namespace_name: str


@dataclass(frozen=True)
class Mapping:
    """One table pair. `version` names the file's content, so that a decision can say which one it followed.

    `resource` None: contacts, whose other side is the profile. `privacy` is only used by the delete mode that sends
    privacy requests. `types`: metadata as resolved when this version was checked; without it any value passes as it is.
    """

    version: str
    table: str
    field_rows: tuple[FieldRow, ...]
    opt_outs: tuple[OptOutPair, ...] = ()
    privacy: Privacy = Privacy("", "")
    resource: Resource | None = None
    key_column: str = "contactid"
    key_field: str = "externalId"
    links: tuple[Link, ...] = ()
    delete_mode: DeleteMode = DeleteMode.PRIVACY_REQUEST
    deletes_per_hour: int = 1000
    when_filtered_out: WhenFilteredOut = WhenFilteredOut.LEAVE
    filters: Filter | None = None
    types: Types = field(default_factory=Types)
    opt_out_rules: OptOutRules = field(default_factory=OptOutRules)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every Dynamics column that the bridge reads of a row, in a stable order."""
        return tuple(sorted(self.field_columns | self.opt_out_columns))

    @property
    def key_is_id(self) -> bool:
        """Whether the record is found by the row's id; Dataverse names that column after the table."""
        return self.key_column == f"{self.table}id"

    @property
    def required_parents(self) -> frozenset[str]:
        """The tables without whose record Campaign hides a record of this one."""
        return frozenset(link.parent for link in self.links if link.required)

    @property
    def lookup_columns(self) -> frozenset[str]:
        """Those of `columns` that refer to another row: by their type, or because a field row says so."""
        declared = {
            row.value.column for row in self.field_rows if isinstance(row.value, FromColumn) and row.value.lookup
        }
        return frozenset(name for name in self.columns if name in declared or self.types.columns.get(name) in LOOKUPS)

    @property
    def field_columns(self) -> frozenset[str]:
        """The columns whose change concerns the profile's fields, or whether there should be a profile."""
        read = {column for row in self.field_rows for column in row.columns}
        key = frozenset() if self.key_is_id else {self.key_column}
        return frozenset(read) | key | (filters.columns(self.filters) if self.filters else frozenset())

    @property
    def opt_out_columns(self) -> frozenset[str]:
        """The columns whose change concerns the opt-out lane."""
        return frozenset(pair.column for pair in self.opt_outs)

    @property
    def wants_labels(self) -> bool:
        """Whether anything looks at the labels of values; a filter may, by naming one."""
        return self.filters is not None or any(row.wants_labels for row in self.field_rows)

    @property
    def may_hide(self) -> bool:
        """Whether a record can outlive its parent, unseen."""
        return any(link.required and not link.cascade for link in self.links)

    def passes(self, contact: Contact) -> bool:
        """Whether the filters let the row take part; without filters every row does."""
        return self.filters is None or filters.passes(self.filters, contact)

    def kept_out(self, contact: Contact) -> WhenFilteredOut | None:
        """What becomes of the row's record where the row does not take part; None: it does.

        A row without a parent that Campaign needs cannot be shown there: what was sent of it goes.
        """
        if not self.passes(contact):
            return self.when_filtered_out
        orphan = any(link.required and not contact.columns.get(link.column) for link in self.links)
        return WhenFilteredOut.DELETE if orphan else None

    def parents(self, contact: Contact) -> frozenset[RecordKey]:
        """The records without which Campaign would hide this one."""
        named = ((link.parent, contact.columns.get(link.column)) for link in self.links if link.required)
        return frozenset(RecordKey(table, str(value)) for table, value in named if value)

    def desired(self, contact: Contact) -> Desired:
        """Total: every row has a desired record. Whether it takes part is another question: `kept_out`."""
        filled = {row.target: row.filled(contact, self.types) for row in self.field_rows}
        fields = {target: one.value for target, one in filled.items()}
        updates = {row.target: fields[row.target] for row in self.field_rows if row.apply_updates}
        once = {target: value for target, value in fields.items() if target not in updates}
        return Desired(
            fields=fields,
            updates=updates,
            digest=digest(contact.id, updates),
            once=digest(contact.id, once) if once else None,
            opted_out=self.opted_out(contact),
            key=contact.id if self.key_is_id else text(contact.columns.get(self.key_column)),
            parents=self.parents(contact),
            truncated=frozenset(target for target, one in filled.items() if one.cut),
            overlong=frozenset(target for target, one in filled.items() if one.overlong),
            unconvertible=frozenset(target for target, one in filled.items() if one.refused),
        )

    def opted_out(self, contact: Contact) -> dict[str, bool]:
        """By Campaign attribute."""
        return {pair.attribute: pair.opted_out(contact) for pair in self.opt_outs}


@dataclass(frozen=True)
class Mappings:
    """The whole file: every table pair, the contacts' first. `version` is that of each."""

    contact: Mapping
    entities: tuple[Mapping, ...] = ()

    @property
    def version(self) -> str:
        """Names the file's content."""
        return self.contact.version

    @property
    def tables(self) -> tuple[Mapping, ...]:
        """All of them, in the file's order."""
        return (self.contact, *self.entities)

    def of(self, table: str) -> Mapping | None:
        """The table's; None where it is not mapped."""
        return next((mapping for mapping in self.tables if mapping.table == table), None)

    def with_types(self, types: MappingOf[str, Types]) -> Mappings:
        """The same pairs with resolved metadata, by table; a table that is not in it keeps what it has."""

        def typed(mapping: Mapping) -> Mapping:
            return replace(mapping, types=types.get(mapping.table, mapping.types))

        return Mappings(typed(self.contact), tuple(typed(mapping) for mapping in self.entities))

    def has_children(self, table: str) -> bool:
        """Whether records of a mapped table would be hidden without one of this table."""
        return any(table in mapping.required_parents for mapping in self.entities)

    def leaves_hidden(self, table: str) -> bool:
        """Whether records could stay hidden below one of this table: not all of them are deleted with it."""
        below = [(link, one.table) for one in self.entities for link in one.links if link.required]
        return any(not link.cascade or self.leaves_hidden(child) for link, child in below if link.parent == table)
