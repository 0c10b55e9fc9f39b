"""Activity tables: task, the four e-mail activities of the integration, and their read-only union `activitypointer`."""

from __future__ import annotations

from dataclasses import replace

from sandbox.dataverse.schema import Attribute, Kind, OnDelete, Option, Table, Target, read_only
from sandbox.dataverse.schema_columns import (
    bookkeeping,
    choice,
    memo,
    moment,
    ownership,
    state,
    status,
    text,
    unique_id,
)

_STATES = ("Open", "Completed", "Canceled", "Scheduled")
_CUSTOM_STATUS = (
    Option(1, "Open", 0),
    Option(2, "Completed", 1),
    Option(3, "Canceled", 2),
    Option(4, "Scheduled", 3),
)
_TASK_STATUS = (
    Option(3, "In Progress", 0),
    Option(2, "Not Started", 0),
    Option(4, "Waiting on someone else", 0),
    Option(7, "Deferred", 0),
    Option(5, "Completed", 1),
    Option(6, "Canceled", 2),
)
_FIRST_CUSTOM_TYPE_CODE = 10201
_REGARDING = ("contact", "account")


def _regarding(table: str) -> Attribute:
    """Each activity table has its own pair of regarding properties: `regardingobjectid_<target>_<table>`."""
    targets = tuple(
        Target(to, f"regardingobjectid_{to}_{table}", f"{to}_{table}s", OnDelete.CASCADE) for to in _REGARDING
    )
    return Attribute("regardingobjectid", Kind.LOOKUP, "Regarding", targets=targets)


def _shared(table: str) -> tuple[Attribute, ...]:
    return (
        unique_id("activityid"),
        text("subject", 400, "Subject"),
        memo("description"),
        _regarding(table),
        moment("actualstart"),
        moment("actualend"),
        moment("scheduledstart"),
        moment("scheduledend", "Due Date"),
        choice("prioritycode", "Low", "Normal", "High", first=0, default=1),
        read_only(Attribute("activitytypecode", Kind.ENTITY_NAME, max_length=64)),
    )


def _email_activity(offset: int, suffix: str, date_column: str, *more: Attribute) -> Table:
    columns = (
        text("adobe_campaignname", 400, "Campaign Name"),
        text("adobe_deliveryname", 400, "Delivery Name"),
        text("adobe_mirrorpageurl", 2000, "Mirror Page URL"),
        moment(date_column),
        *more,
    )
    return activity_table(f"adobe_{suffix}", columns, code=_FIRST_CUSTOM_TYPE_CODE + offset, tracked=True)


def activity_table(schema_name: str, columns: tuple[Attribute, ...] = (), *, code: int, tracked: bool = False) -> Table:
    """A custom activity table: its own columns between those that all activities have."""
    name = schema_name.lower()
    return Table(
        name,
        f"{name}s",
        "activityid",
        "subject",
        (
            *_shared(name),
            *columns,
            state(*_STATES),
            status(*_CUSTOM_STATUS),
            *ownership(),
            *bookkeeping(),
        ),
        schema_name=schema_name,
        object_type_code=code,
        is_activity=True,
        is_custom=True,
        change_tracking=tracked,
    )


TASK = Table(
    "task",
    "tasks",
    "activityid",
    "subject",
    (
        *_shared("task"),
        text("category", 250),
        state(*_STATES[:3]),
        status(*_TASK_STATUS),
        *ownership(),
        *bookkeeping(),
    ),
    schema_name="Task",
    object_type_code=4212,
    is_activity=True,
    change_tracking=True,
)

EMAIL_ACTIVITIES = (
    _email_activity(0, "EmailSend", "adobe_senton"),
    _email_activity(1, "EmailOpen", "adobe_openedon"),
    _email_activity(2, "EmailUrlClick", "adobe_clickedon", text("adobe_trackingurl", 2000, "Tracking URL")),
    _email_activity(3, "EmailBounce", "adobe_bouncedon"),
)

ACTIVITY_POINTER = Table(
    "activitypointer",
    "activitypointers",
    "activityid",
    "subject",
    (
        *(
            replace(column, targets=tuple(Target(to, f"regardingobjectid_{to}") for to in _REGARDING))
            if column.name == "regardingobjectid"
            else column
            for column in _shared("activitypointer")
        ),
        state(*_STATES),
        status(*_CUSTOM_STATUS),
        *ownership(),
        *(column for column in bookkeeping() if column.name != "overriddencreatedon"),
    ),
    schema_name="ActivityPointer",
    object_type_code=4200,
    is_activity=True,
    view=True,
)

ACTIVITIES = (TASK, ACTIVITY_POINTER)
