"""Table and column definitions as the API shows them: `EntityDefinitions` with attributes, choices, links and keys."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.dataverse import privileges
from sandbox.dataverse.schema import CHOICES, TEXTS, Attribute, Kind, OnDelete, Option, Relationship, Schema, Table

_CAST = "Microsoft.Dynamics.CRM."
_PUBLISHERS = ("acme", "adobe", "msdyn")  # of custom columns on tables that are not custom
_MERGEABLE = ("account", "contact")
_OPTION_SETS = frozenset({*CHOICES, Kind.BOOLEAN, Kind.MULTISELECT})


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"dataverse-metadata/{name}"))


def _label(text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [label], "UserLocalizedLabel": label}


def entity(table: Table) -> dict[str, Any]:
    """A table's definition without its parts."""
    schema_name = table.schema_name or table.name
    return {
        "MetadataId": _id(table.name),
        "LogicalName": table.name,
        "SchemaName": schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "DisplayName": _label(schema_name),
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": "UserOwned" if table.user_owned else "OrganizationOwned",
        "IsActivity": table.is_activity,
        "ActivityTypeMask": int(table.is_activity),
        "IsCustomEntity": table.is_custom,
        "HasActivities": table.name in ("contact", "account"),
        "ChangeTrackingEnabled": table.change_tracking,
        "CanChangeTrackingBeEnabled": {"Value": not table.view, "CanBeChanged": not table.view},
        "IsOptimisticConcurrencyEnabled": not table.view,
        "IsManaged": not table.is_custom,
        "Privileges": privileges.shown(table),
    }


def attribute(table: Table, column: Attribute) -> dict[str, Any]:
    """A column's definition, with the type-specific parts that a cast reveals."""
    virtual = column.kind is Kind.MULTISELECT
    shown = {
        "@odata.type": f"#{_CAST}{cast_name(column)}",
        "MetadataId": _id(f"{table.name}/{column.name}"),
        "EntityLogicalName": table.name,
        "LogicalName": column.name,
        "SchemaName": column.schema_name or column.name,
        "DisplayName": _label(column.label or column.name),
        "AttributeType": "Virtual" if virtual else _type(table, column),
        "AttributeTypeName": {"Value": f"{_type(table, column)}Type"},
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForRead": column.readable,
        "IsValidForCreate": column.creatable and not table.view,
        "IsValidForUpdate": column.updatable and not table.view,
        "IsCustomAttribute": _is_custom(table, column),
        "RequiredLevel": {"Value": "SystemRequired" if column.name == table.primary_id else "None"},
    }
    return shown | _details(table, column)


def _is_custom(table: Table, column: Attribute) -> bool:
    """Custom names begin with their publisher's prefix."""
    publishers = {*_PUBLISHERS, table.name.partition("_")[0]} if table.is_custom else _PUBLISHERS
    prefix, separator, _ = column.name.partition("_")
    return bool(separator) and prefix in publishers


def cast_name(column: Attribute) -> str:
    """The metadata type of a column, as it stands in a cast segment."""
    if column.is_reference:
        return "LookupAttributeMetadata"
    if column.kind is Kind.UNIQUEIDENTIFIER:
        return "UniqueIdentifierAttributeMetadata"
    if column.kind is Kind.BIGINT:
        return "BigIntAttributeMetadata"
    return f"{column.kind.value}AttributeMetadata"


def _type(table: Table, column: Attribute) -> str:
    return "Uniqueidentifier" if column.name == table.primary_id else column.kind.value


def _details(table: Table, column: Attribute) -> dict[str, Any]:
    if column.kind in TEXTS:
        return {"MaxLength": column.max_length, "Format": "TextArea" if column.kind is Kind.MEMO else "Text"}
    if column.kind is Kind.DATETIME:
        date_only = column.behavior.value == "DateOnly"
        behavior = {"DateTimeBehavior": {"Value": column.behavior.value}}
        return {**behavior, "Format": "DateOnly" if date_only else "DateAndTime"}
    if column.kind in _OPTION_SETS:
        return {"OptionSet": _option_set(table, column), "DefaultFormValue": column.default}
    if column.is_reference:
        return {"Targets": [target.table for target in column.targets]}
    if column.minimum is not None or column.maximum is not None:
        return {"MinValue": column.minimum, "MaxValue": column.maximum, "Precision": column.precision}
    return {}


def _option_set(table: Table, column: Attribute) -> dict[str, Any]:
    named = {"MetadataId": _id(f"{table.name}/{column.name}/options"), "Name": f"{table.name}_{column.name}"}
    if column.kind is Kind.BOOLEAN:
        true, false = (_option(column, option) for option in column.options)
        return {**named, "OptionSetType": "Boolean", "TrueOption": true, "FalseOption": false}
    kind = column.kind.value if column.kind in (Kind.STATE, Kind.STATUS) else "Picklist"
    return {**named, "OptionSetType": kind, "Options": [_option(column, option) for option in column.options]}


def _option(column: Attribute, option: Option) -> dict[str, Any]:
    shown: dict[str, Any] = {"Value": option.value, "Label": _label(option.label)}
    if column.kind is Kind.STATUS:
        shown["State"] = option.state
    return shown


def many_to_one(schema: Schema, table: Table) -> list[dict[str, Any]]:
    """The relationships in which this table holds the lookup."""
    return [relationship(schema, link) for link in schema.relationships() if link.referencing.name == table.name]


def one_to_many(schema: Schema, table: Table) -> list[dict[str, Any]]:
    """The relationships in which another table's lookup points at this one."""
    return [relationship(schema, link) for link in schema.referencing(table)]


def relationship(schema: Schema, link: Relationship) -> dict[str, Any]:
    """A relationship's definition, the same from both of its sides."""
    table, column, target = link.referencing, link.attribute, link.target
    return {
        "@odata.type": f"#{_CAST}OneToManyRelationshipMetadata",
        "SchemaName": link.schema_name,
        "MetadataId": _id(f"{table.name}/{column.name}/{target.table}"),
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": table.is_custom or _is_custom(table, column),
        "ReferencingEntity": table.name,
        "ReferencingAttribute": column.name,
        "ReferencingEntityNavigationPropertyName": target.navigation,
        "ReferencedEntity": target.table,
        "ReferencedAttribute": schema.tables[target.table].primary_id,
        "ReferencedEntityNavigationPropertyName": target.collection or None,
        "IsHierarchical": False,
        "CascadeConfiguration": _cascades(link),
    }


def _cascades(link: Relationship) -> dict[str, str]:
    """Parental: everything that happens to the one row happens to the many; otherwise only the deletion is told."""
    follows = "Cascade" if link.target.on_delete is OnDelete.CASCADE else "NoCascade"
    return {
        "Assign": follows,
        "Delete": link.target.on_delete.value,
        "Merge": "Cascade" if link.target.table in _MERGEABLE else "NoCascade",
        "Reparent": follows,
        "Share": follows,
        "Unshare": follows,
        "RollupView": "NoCascade",
    }


def keys(table: Table) -> list[dict[str, Any]]:
    """The alternate keys, all with their index built."""
    return [
        {
            "MetadataId": _id(f"{table.name}/key/{key.name}"),
            "LogicalName": key.name.lower(),
            "SchemaName": key.name,
            "EntityLogicalName": table.name,
            "KeyAttributes": list(key.attributes),
            "EntityKeyIndexStatus": "Active",
        }
        for key in table.keys
    ]
