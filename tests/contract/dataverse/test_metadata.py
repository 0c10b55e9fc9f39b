"""Table and column definitions, in the requests that clients really send."""

from __future__ import annotations

from tests.contract.dataverse.conftest import Client

CONTACT = "EntityDefinitions(LogicalName='contact')"
CAST = "Microsoft.Dynamics.CRM."


async def test_a_table_is_found_by_its_logical_name(admin: Client):
    query = (
        "$select=LogicalName,EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled&$filter=LogicalName eq 'contact'"
    )
    (found,) = (await admin.get(f"EntityDefinitions?{query}")).json["value"]
    wanted = ("contact", "contacts", "contactid", True)
    names = ("LogicalName", "EntitySetName", "PrimaryIdAttribute", "ChangeTrackingEnabled")
    assert tuple(found[name] for name in names) == wanted
    assert (await admin.get(f"EntityDefinitions({found['MetadataId']})")).json["LogicalName"] == "contact"
    assert (await admin.get("EntityDefinitions(LogicalName='nothing')")).status == 404


async def test_the_four_activity_tables(admin: Client):
    found = (await admin.get("EntityDefinitions?$filter=IsActivity eq true and IsCustomEntity eq true")).json["value"]
    assert {(table["LogicalName"], table["EntitySetName"]) for table in found} == {
        (f"adobe_email{kind}", f"adobe_email{kind}s") for kind in ("send", "open", "urlclick", "bounce")
    }
    assert {table["PrimaryIdAttribute"] for table in found} == {"activityid"}


async def test_attributes_in_one_request_with_the_tables(admin: Client):
    """A real connector discovers everything so."""
    query = "$select=LogicalName,CanChangeTrackingBeEnabled&$expand=Attributes($select=LogicalName,AttributeType)"
    tables = (await admin.get(f"EntityDefinitions?{query}")).json["value"]
    contact = next(table for table in tables if table["LogicalName"] == "contact")
    assert contact["CanChangeTrackingBeEnabled"]["Value"] is True
    types = {column["LogicalName"]: column["AttributeType"] for column in contact["Attributes"]}
    assert len(types) >= 45
    expected = {
        "contactid": "Uniqueidentifier",
        "emailaddress1": "String",
        "description": "Memo",
        "donotemail": "Boolean",
        "statecode": "State",
        "statuscode": "Status",
        "gendercode": "Picklist",
        "parentcustomerid": "Customer",
        "ownerid": "Owner",
        "transactioncurrencyid": "Lookup",
        "creditlimit": "Money",
        "versionnumber": "BigInt",
        "acme_interests": "Virtual",
    }
    assert types | expected == types


async def test_choices_of_a_cast(admin: Client):
    path = (
        f"{CONTACT}/Attributes/{CAST}PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options)"
    )
    found = {item["LogicalName"]: item["OptionSet"] for item in (await admin.get(path)).json["value"]}
    labels = [option["Label"]["UserLocalizedLabel"]["Label"] for option in found["gendercode"]["Options"]]
    assert labels == ["Male", "Female"]
    assert "donotemail" not in found
    plain = (await admin.get(f"{CONTACT}/Attributes/{CAST}PicklistAttributeMetadata")).json["value"]
    assert "OptionSet" not in plain[0]


async def test_labels_of_booleans_states_and_multi_selects(admin: Client):
    path = f"{CONTACT}/Attributes/{CAST}{{}}AttributeMetadata?$expand=OptionSet"
    flags = (await admin.get(path.format("Boolean"))).json["value"]
    do_not_mail = next(item for item in flags if item["LogicalName"] == "donotemail")["OptionSet"]
    assert do_not_mail["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"] == "Do Not Allow"
    (status,) = (await admin.get(path.format("Status"))).json["value"]
    assert [(option["Value"], option["State"]) for option in status["OptionSet"]["Options"]] == [(1, 0), (2, 1)]
    (multi,) = (await admin.get(path.format("MultiSelectPicklist"))).json["value"]
    assert multi["AttributeTypeName"] == {"Value": "MultiSelectPicklistType"}


async def test_dates_and_lengths(admin: Client):
    path = f"{CONTACT}/Attributes/{CAST}DateTimeAttributeMetadata?$select=LogicalName,DateTimeBehavior,Format"
    dates = {item["LogicalName"]: item for item in (await admin.get(path)).json["value"]}
    assert dates["birthdate"]["DateTimeBehavior"] == {"Value": "DateOnly"}
    assert (dates["modifiedon"]["DateTimeBehavior"]["Value"], dates["modifiedon"]["Format"]) == (
        "UserLocal",
        "DateAndTime",
    )
    column = await admin.get(f"{CONTACT}/Attributes(LogicalName='firstname')")
    assert (column.json["MaxLength"], column.json["IsValidForUpdate"]) == (50, True)


async def test_relationships_show_navigation_properties(admin: Client):
    path = "EntityDefinitions(LogicalName='adobe_emailopen')/ManyToOneRelationships?$select="
    path += "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName"
    found = (await admin.get(path)).json["value"]
    regarding = {
        item["ReferencedEntity"]: item["ReferencingEntityNavigationPropertyName"]
        for item in found
        if item["ReferencingAttribute"] == "regardingobjectid"
    }
    assert regarding["contact"] == "regardingobjectid_contact_adobe_emailopen"


async def test_keys(admin: Client):
    (key,) = (await admin.get(f"{CONTACT}/Keys")).json["value"]
    assert (key["KeyAttributes"], key["EntityKeyIndexStatus"]) == (["acme_customernumber"], "Active")


async def test_what_metadata_does_not_offer(admin: Client):
    assert (await admin.get(f"{CONTACT}/Privileges")).status == 501
    assert (await admin.call("DELETE", CONTACT)).status == 400
    assert (await admin.get("EntityDefinitions?$select=Nonsense")).status == 400
