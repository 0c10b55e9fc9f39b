"""Relationships and change tracking in the table definitions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.dataverse.conftest import Client

CAST = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"


def definition(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{table}')"


async def test_a_lookup_as_the_many_side_sees_it(admin: Client):
    query = "$select=SchemaName,ReferencedEntity,ReferencingEntityNavigationPropertyName,CascadeConfiguration"
    path = f"{definition('new_vehicle')}/ManyToOneRelationships?{query}&$filter=ReferencingAttribute eq "
    (parental,) = (await admin.get(f"{path}'new_contactid'")).json["value"]
    assert (parental["SchemaName"], parental["ReferencedEntity"]) == ("new_contact_new_vehicle", "contact")
    assert parental["ReferencingEntityNavigationPropertyName"] == "new_ContactId"
    assert parental["CascadeConfiguration"] == {
        "Assign": "Cascade",
        "Delete": "Cascade",
        "Merge": "Cascade",
        "Reparent": "Cascade",
        "Share": "Cascade",
        "Unshare": "Cascade",
        "RollupView": "NoCascade",
    }
    (referential,) = (await admin.get(f"{path}'new_dealerid'")).json["value"]
    cascades = referential["CascadeConfiguration"]
    assert (cascades["Delete"], cascades["Assign"], cascades["Merge"]) == ("RemoveLink", "NoCascade", "NoCascade")


async def test_both_sides_and_the_list_of_all_tell_the_same(admin: Client):
    path = f"{definition('contact')}/OneToManyRelationships(SchemaName='new_contact_new_vehicle')"
    seen = (await admin.get(path)).json
    assert (seen["ReferencingEntity"], seen["ReferencingAttribute"]) == ("new_vehicle", "new_contactid")
    assert (seen["ReferencedAttribute"], seen["RelationshipType"]) == ("contactid", "OneToManyRelationship")
    other = f"{definition('new_vehicle')}/ManyToOneRelationships({seen['MetadataId']})"
    assert (await admin.get(other)).json == seen
    for found in (
        f"RelationshipDefinitions({seen['MetadataId']})",
        "RelationshipDefinitions(SchemaName='new_contact_new_vehicle')",
    ):
        assert (await admin.get(found)).json == seen
    text = "$filter=ReferencedEntity eq 'contact' and ReferencingEntity eq 'new_vehicle'"
    assert (await admin.get(f"RelationshipDefinitions/{CAST}?{text}")).json["value"] == [seen]
    assert (await admin.get(f"{definition('contact')}/ManyToManyRelationships")).json["value"] == []
    assert (await admin.get("RelationshipDefinitions(SchemaName='none')")).status == 404
    assert (await admin.post("RelationshipDefinitions", {})).status == 501


async def test_every_relationship_has_a_name_and_an_id_of_its_own(admin: Client):
    found = (await admin.get("RelationshipDefinitions?$select=SchemaName")).json["value"]
    assert len({item["MetadataId"] for item in found}) == len({item["SchemaName"] for item in found}) == len(found)


async def test_columns_of_a_custom_table(admin: Client):
    path = f"{definition('new_servicevisit')}/Attributes"
    columns = {item["LogicalName"]: item for item in (await admin.get(path)).json["value"]}
    types = {name: column["AttributeType"] for name, column in columns.items()}
    expected = {
        "new_servicevisitid": "Uniqueidentifier",
        "new_vehicleid": "Lookup",
        "new_visitdate": "DateTime",
        "new_cost": "Money",
        "new_kind": "Picklist",
    }
    assert types | expected == types
    assert columns["new_vehicleid"]["SchemaName"] == "new_VehicleId"
    assert columns["new_vehicleid"]["Targets"] == ["new_vehicle"]
    assert columns["new_visitdate"]["DateTimeBehavior"] == {"Value": "DateOnly"}
    custom = {name for name, column in columns.items() if column["IsCustomAttribute"]}
    assert custom >= {"new_cost", "new_vehicleid", "new_name"}
    assert not custom & {"statecode", "createdon"}
    (key,) = (await admin.get(f"{definition('new_vehicle')}/Keys")).json["value"]
    assert key["KeyAttributes"] == ["new_vin"]
    contact = (await admin.get(f"{definition('contact')}/Attributes?$select=IsCustomAttribute,LogicalName")).json
    assert {item["LogicalName"]: item["IsCustomAttribute"] for item in contact["value"]}["address1_line1"] is False


async def test_tracked_and_untracked_tables_are_found(admin: Client):
    text = "ChangeTrackingEnabled eq {} and IsCustomEntity eq true and IsActivity eq false"
    path = "EntityDefinitions?$select=LogicalName&$filter="
    tracked = (await admin.get(path + text.format("true"))).json["value"]
    assert {item["LogicalName"] for item in tracked} >= {"new_vehicle", "new_servicevisit", "new_servicepart"}
    (dealer,) = (await admin.get(path + text.format("false"))).json["value"]
    assert dealer["LogicalName"] == "new_dealer"
    impossible = "ChangeTrackingEnabled eq false and CanChangeTrackingBeEnabled/Value eq false"
    assert [item["LogicalName"] for item in (await admin.get(path + impossible)).json["value"]] == ["activitypointer"]


async def test_tracking_is_switched_on_by_replacing_the_definition(admin: Client):
    path = definition("new_dealer")
    whole = (await admin.get(path)).json
    assert whole["ChangeTrackingEnabled"] is False
    label = {"LocalizedLabels": [{"Label": "new_Dealer", "LanguageCode": 1033, "IsManaged": False}]}
    wanted = {**whole, "ChangeTrackingEnabled": True, "DisplayName": label}
    for _ in range(2):
        assert (await admin.call("PUT", path, wanted, MSCRM_MergeLabels="true")).status == 204
    assert (await admin.get(f"EntityDefinitions({whole['MetadataId']})")).json["ChangeTrackingEnabled"] is True
    dealer = await admin.create("new_dealers", {"new_name": "Acme"})
    rows = (await admin.get("new_dealers", Prefer="odata.track-changes")).json["value"]
    assert [row["new_dealerid"] for row in rows] == [dealer]


@pytest.mark.parametrize(
    ("table", "method", "changes", "status", "text"),
    [
        ("new_dealer", "PATCH", {"ChangeTrackingEnabled": True}, 405, "does not support http method 'PATCH'"),
        ("new_vehicle", "PUT", {"ChangeTrackingEnabled": False}, 400, "cannot be switched off"),
        ("new_dealer", "PUT", {"ChangeTrackingEnabled": "yes"}, 400, "cannot be switched off"),
        ("activitypointer", "PUT", {"ChangeTrackingEnabled": True}, 400, "cannot be enabled"),
        ("new_dealer", "PUT", {"EntitySetName": None}, 501, "changing 'EntitySetName'"),
        ("new_dealer", "PUT", {"IsAuditEnabled": {"Value": True}}, 501, "changing 'IsAuditEnabled'"),
    ],
)
async def test_other_changes_are_refused(
    admin: Client, table: str, method: str, changes: dict[str, Any], status: int, text: str
):
    path = definition(table)
    before = (await admin.get(path)).json
    answer = await admin.call(method, path, {**before, **changes})
    assert answer.status == status
    assert text in answer.message
    assert (await admin.get(path)).json == before


async def test_a_part_of_a_definition_is_not_a_definition(admin: Client):
    answer = await admin.call("PUT", definition("new_dealer"), {"ChangeTrackingEnabled": True})
    assert (answer.status, answer.code) == (400, "0x80048d19")
    assert "replaced as a whole" in answer.message
    assert (await admin.call("PUT", definition("none"), {})).status == 404
