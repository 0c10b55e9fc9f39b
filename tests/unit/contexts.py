"""Dataverse's announcements as they arrive: the wire's form of a created, updated, deleted and oversized contact.

Restated from captures of the wire: collections are lists of key and value, entities in images have no `__type`,
slashes are escaped, dates are milliseconds between slashes. What is personal in them is a canary for the log tests.
"""

from __future__ import annotations

import json
from typing import Any

CONTACT = "5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d"
USER = "c0ffee11-2222-ee11-9cbe-00224829c8d2"
EMPTY_ID = "00000000-0000-0000-0000-000000000000"
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
CANARIES = ("Ada", "Lovelace", "ada@example.org", "+44 20 7946 0000")

JSON = dict[str, Any]


def pairs(**values: Any) -> list[JSON]:
    """A .NET collection on the wire."""
    return [{"key": key, "value": value} for key, value in values.items()]


def entity(attributes: list[JSON], *, typed: bool = True, formatted: list[JSON] | None = None) -> JSON:
    """A row as a parameter; inside an image it is not `typed`."""
    kind = {"__type": f"Entity:{CONTRACTS}"} if typed else {}
    return kind | {
        "Attributes": attributes,
        "EntityState": None,
        "FormattedValues": formatted or [],
        "Id": CONTACT,
        "KeyAttributes": [],
        "LogicalName": "contact",
        "RelatedEntities": [],
        "RowVersion": None,
    }


def reference(table: str, row: str) -> JSON:
    """A lookup's value."""
    return {
        "__type": f"EntityReference:{CONTRACTS}",
        "Id": row,
        "KeyAttributes": [],
        "LogicalName": table,
        "Name": None,
        "RowVersion": None,
    }


def choice(value: int) -> JSON:
    """A picklist's value."""
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def execution_context(message: str, **changes: Any) -> JSON:
    """Every key that a context of today has; `changes` replaces some."""
    return {
        "BusinessUnitId": "b1b1b1b1-0b9c-ee11-9079-000d3a3c1f20",
        "CorrelationId": "c2c2c2c2-7f0e-4f0e-9f53-0b1a2c3d4e5f",
        "Depth": 1,
        "InitiatingUserAgent": "Mozilla/5.0 (example)",
        "InitiatingUserAzureActiveDirectoryObjectId": EMPTY_ID,
        "InitiatingUserId": USER,
        "InputParameters": [],
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": "/Date(1735873445000+0000)/",
        "OperationId": "d3d3d3d3-1001-ef11-8a69-000d3a5b6c78",
        "OrganizationId": "e4e4e4e4-41d5-4c0e-9a5b-3f0c6d2a9e10",
        "OrganizationName": "unqe4e4e4e441d54c0e9a5b3f0c6d2a9",
        "OutputParameters": [],
        "OwningExtension": {
            "Id": "f5f5f5f5-bbbb-ef11-8a69-000d3a5b6c02",
            "KeyAttributes": [],
            "LogicalName": "sdkmessageprocessingstep",
            "Name": None,
            "RowVersion": None,
        },
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": CONTACT,
        "PrimaryEntityName": "contact",
        "RequestId": "a6a6a6a6-2001-4b3c-9d8e-7f6a5b4c3d2e",
        "SecondaryEntityName": "none",
        "SharedVariables": pairs(tag="acme-acs-sync"),
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": EMPTY_ID,
        "UserId": USER,
    } | changes


def wire(context: Any) -> bytes:
    """As Dataverse's serializer writes it: compact, slashes escaped."""
    return json.dumps(context, separators=(",", ":")).replace("/", "\\/").encode()


_PERSON = pairs(
    firstname="Ada",
    lastname="Lovelace",
    fullname="Ada Lovelace",
    emailaddress1="ada@example.org",
    telephone1="+44 20 7946 0000",
)
_DEFAULTS = pairs(
    birthdate="/Date(499651200000)/",
    fax=None,
    gendercode=choice(2),
    exchangerate=1.0,
    acme_interests=[choice(100000001), choice(100000004)],
    parentcustomerid=reference("account", "0a0a0a0a-1c1c-ef11-840a-6045bd0e1c77"),
    donotbulkemail=False,
    donotphone=False,
    statecode=choice(0),
    contactid=CONTACT,
)
_STAMPS = pairs(contactid=CONTACT, modifiedon="/Date(1735873445000)/", modifiedby=reference("systemuser", USER))
_IMAGE = pairs(post=entity([*_PERSON, *pairs(donotbulkemail=True, versionnumber=73412231)], typed=False))
_OWN_CALL = execution_context("Update", InputParameters=pairs(Target=entity(pairs(donotbulkemail=True))), Stage=30)

CREATED = wire(
    execution_context(
        "Create",
        InputParameters=pairs(Target=entity([*_PERSON, *_DEFAULTS], formatted=pairs(statecode="Active"))),
        OutputParameters=pairs(id=CONTACT),
    )
)
UPDATED = wire(
    execution_context(
        "Update",
        InputParameters=pairs(Target=entity([*pairs(donotbulkemail=True, telephone1=None), *_STAMPS])),
        PostEntityImages=_IMAGE,
        ParentContext=_OWN_CALL,
    )
)
DELETED = wire(
    execution_context(
        "Delete",
        InputParameters=pairs(Target=reference("contact", CONTACT)),
        PreEntityImages=pairs(pre=entity(_PERSON, typed=False)),
    )
)
LEFT_OUT = ("InputParameters", "ParentContext", "PostEntityImages", "PreEntityImages")
OVERSIZED = wire({key: value for key, value in execution_context("Update").items() if key not in LEFT_OUT})
