"""Short constructors for columns, and the groups of columns that many tables have alike."""

from __future__ import annotations

from sandbox.dataverse.schema import Attribute, Behavior, Kind, OnDelete, Option, Target, read_only

YES_NO = (Option(1, "Yes"), Option(0, "No"))
ALLOW = (Option(1, "Do Not Allow"), Option(0, "Allow"))


def text(name: str, length: int = 100, label: str = "") -> Attribute:
    return Attribute(name, Kind.STRING, label, max_length=length)


def memo(name: str, length: int = 2000, label: str = "") -> Attribute:
    return Attribute(name, Kind.MEMO, label, max_length=length)


def flag(
    name: str, options: tuple[Option, ...] = YES_NO, *, default: bool | None = False, label: str = ""
) -> Attribute:
    """A two-option column; `options` lists the label of true first."""
    return Attribute(name, Kind.BOOLEAN, label, options=options, default=default)


def number(name: str, minimum: int = -(2**31), maximum: int = 2**31 - 1, default: int | None = None) -> Attribute:
    return Attribute(name, Kind.INTEGER, minimum=minimum, maximum=maximum, default=default)


def money(name: str) -> Attribute:
    return Attribute(name, Kind.MONEY, minimum=-922337203685477, maximum=922337203685477)


def moment(name: str, label: str = "") -> Attribute:
    return Attribute(name, Kind.DATETIME, label)


def day(name: str, label: str = "") -> Attribute:
    return Attribute(name, Kind.DATETIME, label, behavior=Behavior.DATE_ONLY)


def choice(name: str, *labels: str, first: int = 1, default: int | None = None) -> Attribute:
    """A choice column whose values count up from `first`."""
    options = tuple(Option(first + offset, label) for offset, label in enumerate(labels))
    return Attribute(name, Kind.PICKLIST, options=options, default=default)


def unique_id(name: str) -> Attribute:
    return Attribute(name, Kind.UNIQUEIDENTIFIER, updatable=False)


def lookup(
    name: str, table: str, navigation: str = "", *, collection: str = "", on_delete: OnDelete = OnDelete.REMOVE_LINK
) -> Attribute:
    """A lookup at one table; the navigation property is the column's schema name, or its own name if none is given."""
    target = Target(table, navigation or name, collection=collection, on_delete=on_delete)
    return Attribute(name, Kind.LOOKUP, schema_name=navigation, targets=(target,))


def state(*labels: str) -> Attribute:
    options = tuple(Option(value, label) for value, label in enumerate(labels))
    return Attribute("statecode", Kind.STATE, "Status", options=options, default=0)


def status(*options: Option) -> Attribute:
    return Attribute("statuscode", Kind.STATUS, "Status Reason", options=options, default=options[0].value)


def active_inactive() -> tuple[Attribute, ...]:
    return state("Active", "Inactive"), status(Option(1, "Active", 0), Option(2, "Inactive", 1))


def bookkeeping() -> tuple[Attribute, ...]:
    """Who wrote the row, when, and its version: filled by the platform."""
    users = (lookup(name, "systemuser") for name in ("createdby", "modifiedby", "modifiedonbehalfby"))
    return (
        read_only(moment("createdon", "Created On")),
        read_only(moment("modifiedon", "Modified On")),
        *(read_only(user) for user in users),
        Attribute("overriddencreatedon", Kind.DATETIME, "Record Created On", updatable=False),
        read_only(Attribute("versionnumber", Kind.BIGINT)),
    )


def ownership() -> tuple[Attribute, ...]:
    owner = Target("systemuser", "ownerid")
    return (
        Attribute("ownerid", Kind.OWNER, "Owner", targets=(owner,)),
        read_only(lookup("owninguser", "systemuser")),
        read_only(lookup("owningbusinessunit", "businessunit")),
    )


def currency() -> tuple[Attribute, ...]:
    return (
        lookup("transactioncurrencyid", "transactioncurrency"),
        read_only(Attribute("exchangerate", Kind.DECIMAL, precision=10)),
    )
