"""The vocabulary in which tables are described: columns, choices, lookups, keys, and the schema that joins them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """A column's type, named as the metadata's `AttributeType` names it."""

    STRING = "String"
    MEMO = "Memo"
    BOOLEAN = "Boolean"
    INTEGER = "Integer"
    BIGINT = "BigInt"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    MONEY = "Money"
    DATETIME = "DateTime"
    PICKLIST = "Picklist"
    STATE = "State"
    STATUS = "Status"
    LOOKUP = "Lookup"
    CUSTOMER = "Customer"
    OWNER = "Owner"
    UNIQUEIDENTIFIER = "Uniqueidentifier"
    MULTISELECT = "MultiSelectPicklist"
    ENTITY_NAME = "EntityName"


REFERENCES = frozenset({Kind.LOOKUP, Kind.CUSTOMER, Kind.OWNER})
CHOICES = frozenset({Kind.PICKLIST, Kind.STATE, Kind.STATUS})
TEXTS = frozenset({Kind.STRING, Kind.MEMO, Kind.ENTITY_NAME})


class Behavior(StrEnum):
    """How a date is meant: an instant, a calendar day that no time zone shifts, or a wall-clock time."""

    USER_LOCAL = "UserLocal"
    DATE_ONLY = "DateOnly"
    TIME_ZONE_INDEPENDENT = "TimeZoneIndependent"


class OnDelete(StrEnum):
    """What the deletion of the referenced row does: the referencing one goes too, loses its link, or forbids it."""

    CASCADE = "Cascade"
    REMOVE_LINK = "RemoveLink"
    RESTRICT = "Restrict"


@dataclass(frozen=True)
class Option:
    """One value of a choice; a status belongs to a `state`, the first one listed per state is its default."""

    value: int
    label: str
    state: int = 0


@dataclass(frozen=True)
class Target:
    """A table that a lookup may point at, and the two navigation properties (case-sensitive) of that relationship."""

    table: str
    navigation: str
    collection: str = ""
    on_delete: OnDelete = OnDelete.REMOVE_LINK


@dataclass(frozen=True)
class Attribute:
    """A column. `creatable`/`updatable`: a value sent by a caller is taken, otherwise ignored as the platform does."""

    name: str
    kind: Kind
    label: str = ""
    schema_name: str = ""
    max_length: int = 100
    behavior: Behavior = Behavior.USER_LOCAL
    options: tuple[Option, ...] = ()
    default: bool | int | None = None
    precision: int = 2
    minimum: float | None = None
    maximum: float | None = None
    targets: tuple[Target, ...] = ()
    creatable: bool = True
    updatable: bool = True
    readable: bool = True

    @property
    def is_reference(self) -> bool:
        return self.kind in REFERENCES

    @property
    def property_name(self) -> str:
        """The name under which OData shows the column: lookups are `_name_value`."""
        return f"_{self.name}_value" if self.is_reference else self.name

    def target(self, table: str) -> Target | None:
        return next((target for target in self.targets if target.table == table), None)

    def option(self, value: int) -> Option | None:
        return next((option for option in self.options if option.value == value), None)


@dataclass(frozen=True)
class Key:
    """An alternate key: a set of columns whose values name at most one row."""

    name: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table. `view`: a read-only union of others; `managed`: only the platform adds and removes rows."""

    name: str
    entity_set: str
    primary_id: str
    primary_name: str
    attributes: tuple[Attribute, ...]
    schema_name: str = ""
    object_type_code: int = 0
    keys: tuple[Key, ...] = ()
    is_activity: bool = False
    is_custom: bool = False
    change_tracking: bool = False
    user_owned: bool = True
    view: bool = False
    managed: bool = False

    @cached_property
    def columns(self) -> dict[str, Attribute]:
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def properties(self) -> dict[str, Attribute]:
        """Columns by OData property name."""
        return {attribute.property_name: attribute for attribute in self.attributes}

    @cached_property
    def navigations(self) -> dict[str, tuple[Attribute, Target]]:
        """Single-valued navigation properties."""
        return {target.navigation: (column, target) for column in self.attributes for target in column.targets}

    def has(self, name: str) -> bool:
        return name in self.columns


@dataclass(frozen=True)
class Relationship:
    """A many-to-one link seen from outside: which table's column points at which table."""

    referencing: Table
    attribute: Attribute
    target: Target

    @property
    def schema_name(self) -> str:
        """The relationship's own name, which its collection-valued navigation property has too where there is one."""
        return self.target.collection or f"{self.target.table}_{self.referencing.name}_{self.attribute.name}"


class Schema:
    """All tables, found by logical name (`table`), by entity set, and by who points at whom."""

    def __init__(self, tables: Iterable[Table]) -> None:
        """Join the tables; lookup targets that are not described here are left out of the relationships.

        Raises:
            ValueError: two tables share a logical name or an entity set.
        """
        self.tables: dict[str, Table] = {}
        self.entity_sets: dict[str, Table] = {}
        self._referencing: dict[str, list[Relationship]] = {}
        for table in tables:
            if table.name in self.tables:
                raise ValueError(f"two tables share the logical name {table.name}")
            self._place(table)
        self._join()

    def define(self, table: Table) -> None:
        """Add a table, or put it in the place of the one that has its logical name.

        Raises:
            ValueError: the entity set belongs to another table.
        """
        self._place(table)
        self._join()

    def forget(self, table: Table) -> None:
        """Take a table away."""
        del self.tables[table.name]
        del self.entity_sets[table.entity_set]
        self._join()

    def _place(self, table: Table) -> None:
        other = self.entity_sets.get(table.entity_set)
        if other is not None and other.name != table.name:
            raise ValueError(f"{table.name} and {other.name} share the entity set {table.entity_set}")
        earlier = self.tables.get(table.name)
        if earlier is not None:
            del self.entity_sets[earlier.entity_set]
        self.tables[table.name] = self.entity_sets[table.entity_set] = table

    def _join(self) -> None:
        self._referencing = {table.name: [] for table in self}
        for link in self._links():
            self._referencing[link.target.table].append(link)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def referencing(self, table: Table) -> list[Relationship]:
        """Relationships whose "one" side is this table."""
        return self._referencing[table.name]

    def collection(self, table: Table, name: str) -> Relationship | None:
        """The relationship behind a collection-valued navigation property of this table."""
        return next((link for link in self.referencing(table) if link.target.collection == name), None)

    def relationships(self) -> Iterator[Relationship]:
        """Every relationship, grouped by the table on its "one" side."""
        for links in self._referencing.values():
            yield from links

    def _links(self) -> Iterator[Relationship]:
        for table in self:
            if table.view:
                continue
            for column in table.attributes:
                yield from (Relationship(table, column, to) for to in column.targets if to.table in self.tables)


def read_only(attribute: Attribute) -> Attribute:
    """The same column, filled by the platform alone."""
    return replace(attribute, creatable=False, updatable=False)
