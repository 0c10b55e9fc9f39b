"""Definitions of activity tables as callers post them: table and columns in, the schema's words out."""

from __future__ import annotations

import re
from typing import Any

from sandbox.dataverse.errors import ApiError, invalid_value, not_offered
from sandbox.dataverse.schema import Attribute, Table
from sandbox.dataverse.schema_activities import activity_table
from sandbox.dataverse.schema_columns import memo, moment, text
from sandbox.dataverse.values import Row

_CAST = "Microsoft.Dynamics.CRM."
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9]{1,7}_[A-Za-z][A-Za-z0-9_]{0,90}")
_LONGEST = {"StringAttributeMetadata": 4000, "MemoAttributeMetadata": 1_048_576}


def label(document: object) -> str:
    """The text of a label in the first language that it has. Raises ApiError 400."""
    labels = document.get("LocalizedLabels") if isinstance(document, dict) else None
    if not isinstance(labels, list) or not labels or not labels[0].get("Label"):
        raise invalid_value("A label needs its LocalizedLabels.")
    return str(labels[0]["Label"])


def table(document: Row, code: int) -> Table:
    """A new activity table, without columns of its own.

    Raises ApiError 400 for what the platform refuses in an activity, 501 for tables that are no activities.
    """
    if document.get("IsActivity") is not True:
        raise not_offered("creating tables other than activities by EntityDefinitions")
    name = schema_name(document)
    label(document.get("DisplayName")), label(document.get("DisplayCollectionName"))
    primary = [one for one in document.get("Attributes") or [] if one.get("IsPrimaryName")]
    if len(primary) != 1 or primary[0].get("SchemaName") != "Subject":
        raise invalid_value("The primary attribute of an activity must have the schema name Subject.")
    wrong = [key for key, value in _DEMANDED.items() if document.get(key) != value]
    if wrong:
        raise invalid_value(f"An activity needs {wrong[0]} = {_DEMANDED[wrong[0]]}.")
    return activity_table(name, code=code)


_DEMANDED = {"OwnershipType": "UserOwned", "HasActivities": False, "IsAvailableOffline": True, "HasNotes": True}


def column(document: Row) -> Attribute:
    """A new column. Raises ApiError 400, or 501 for a type that is not offered."""
    name, title = schema_name(document).lower(), label(document.get("DisplayName"))
    kind = str(document.get("@odata.type")).lstrip("#").removeprefix(_CAST)
    if kind == "DateTimeAttributeMetadata":
        return moment(name, title)
    if kind not in _LONGEST:
        raise not_offered(f"columns of the type {kind}")
    length = document.get("MaxLength")
    if not isinstance(length, int) or not 1 <= length <= _LONGEST[kind]:
        raise ApiError(400, "0x80044363", f"The MaxLength of '{name}' is not between 1 and {_LONGEST[kind]}.")
    return text(name, length, title) if kind == "StringAttributeMetadata" else memo(name, length, title)


def schema_name(document: dict[str, Any]) -> str:
    """Raises ApiError 400 for a name without a publisher's prefix."""
    name = document.get("SchemaName")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise invalid_value(f"'{name}' is no schema name with a customization prefix.")
    return name
