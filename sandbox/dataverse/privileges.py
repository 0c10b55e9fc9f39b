"""The privileges that exist: seven for each table, shared by all activities, and some that belong to no table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from sandbox.dataverse.schema import Table


class Right(StrEnum):
    """What a privilege allows, named as the metadata's `PrivilegeType` names it."""

    CREATE = "Create"
    READ = "Read"
    WRITE = "Write"
    DELETE = "Delete"
    APPEND = "Append"
    APPEND_TO = "AppendTo"
    ASSIGN = "Assign"


@dataclass(frozen=True)
class Privilege:
    """One of them; the id follows from the name."""

    name: str
    right: Right

    @property
    def id(self) -> str:
        return str(uuid5(NAMESPACE_URL, f"dataverse-privilege/{self.name}"))


METADATA = tuple(
    Privilege(f"prvRead{part}", Right.READ) for part in ("Entity", "Attribute", "Relationship", "OptionSet")
)
_NAMES = {"systemuser": "User", "contact": "Contact", "account": "Account"}


def of(table: Table, right: Right) -> Privilege:
    """The privilege that the right needs on a row of this table."""
    name = "Activity" if table.is_activity else _NAMES.get(table.name) or table.schema_name or table.name
    return Privilege(f"prv{right}{name}", right)


def all_of(tables: Iterable[Table]) -> list[Privilege]:
    """Every privilege once."""
    return list(dict.fromkeys((*METADATA, *(of(table, right) for table in tables for right in Right))))


def shown(table: Table) -> list[dict[str, object]]:
    """As a table's definition lists them."""
    return [
        {
            "Name": privilege.name,
            "PrivilegeId": privilege.id,
            "PrivilegeType": privilege.right.value,
            "CanBeBasic": table.user_owned,
            "CanBeLocal": table.user_owned,
            "CanBeDeep": table.user_owned,
            "CanBeGlobal": True,
        }
        for privilege in (of(table, right) for right in Right)
    ]
