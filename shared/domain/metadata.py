"""What both systems say about themselves: a table's columns and a resource's fields, as far as a mapping needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.conversion import ColumnType, Target


@dataclass(frozen=True)
class ColumnInfo:
    """One column of a table.

    `options`: code → label, of a choice; the labels are in the language of the bridge's user, as those of the rows
    are. `max_length` in characters; None: not a text. `readable` False: no query may name it.
    """

    type: ColumnType
    options: Mapping[int, str] = field(default_factory=dict)
    max_length: int | None = None
    readable: bool = True


@dataclass(frozen=True)
class TableInfo:
    """`columns` by logical name. `change_tracking`: whether the table can be asked for what has changed."""

    columns: Mapping[str, ColumnInfo]
    change_tracking: bool


@dataclass(frozen=True)
class FieldInfo:
    """One field of a resource.

    `data_policy`: the rule by which the system rewrites or refuses a value; empty: none. `parts_known` False: an
    object whose parts are not described.
    """

    target: Target
    mandatory: bool = False
    data_policy: str = ""
    parts_known: bool = True


@dataclass(frozen=True)
class ResourceInfo:
    """`fields` by dotted name; objects are in it as well as their parts.

    `filters`: each filter's parameters by its name, both as an address has them; None: not told.
    """

    fields: Mapping[str, FieldInfo]
    filters: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True)
class Described:
    """A table pair, as both systems describe it."""

    table: TableInfo
    resource: ResourceInfo
