"""What administrators do over the Web API: activity tables, solutions, roles, and what these then allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.dataverse import ADMIN, INTEGRATION, Dataverse, DataverseConfig, start
from sandbox.tls import Tls
from tests.contract.dataverse.conftest import Client, Clock, sign_in

TABLE = "EntityDefinitions(LogicalName='acme_letter')"


@pytest.fixture
def config(tls: Tls) -> DataverseConfig:
    """A company without Adobe's tables, whose application user has no role."""
    return DataverseConfig(tls=tls, users=(ADMIN, replace(INTEGRATION, administrator=False)), email_activities=False)


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def column(name: str, kind: str = "String", **more: Any) -> dict[str, Any]:
    typed = {"MaxLength": 100} if kind == "String" else {}
    return {
        "@odata.type": f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": label(name),
        **typed,
        **more,
    }


def letter(**changes: Any) -> dict[str, Any]:
    document = {
        "SchemaName": "acme_Letter",
        "DisplayName": label("Letter"),
        "DisplayCollectionName": label("Letters"),
        "IsActivity": True,
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": True,
        "IsAvailableOffline": True,
        "Attributes": [column("Subject", IsPrimaryName=True)],
    }
    return document | changes


async def add_letter(admin: Client) -> None:
    assert (await admin.post("EntityDefinitions", letter())).status == 204
    for one in (column("acme_Stamp"), column("acme_SentOn", "DateTime")):
        assert (await admin.post(f"{TABLE}/Attributes", one)).status == 204


async def test_an_activity_table_is_there_at_once_with_all_that_activities_have(admin: Client):
    await add_letter(admin)
    found = (await admin.get(f"{TABLE}?$select=EntitySetName,IsActivity&$expand=Attributes($select=LogicalName)")).json
    assert (found["EntitySetName"], found["IsActivity"]) == ("acme_letters", True)
    names = {one["LogicalName"] for one in found["Attributes"]}
    assert {"subject", "regardingobjectid", "scheduledend", "acme_stamp", "acme_senton"} < names
    contact = await admin.create("contacts", {"firstname": "Ada"})
    bind = {"regardingobjectid_contact_acme_letter@odata.bind": f"/contacts({contact})"}
    row = await admin.create("acme_letters", {"subject": "Hello", "acme_senton": "2026-01-02T03:04:05Z", **bind})
    timeline = await admin.get(f"activitypointers?$filter=_regardingobjectid_value eq {contact}")
    (shown,) = timeline.json["value"]
    assert (shown["activityid"], shown["activitytypecode"]) == (row, "acme_letter")
    await admin.delete(f"contacts({contact})")
    assert (await admin.get("activitypointers/$count")).text == "0"


async def test_a_table_has_a_form_message_filters_and_privileges(admin: Client):
    await add_letter(admin)
    forms = await admin.get("systemforms?$filter=objecttypecode eq 'acme_letter' and type eq 2")
    assert 'datafieldname="subject"' in forms.json["value"][0]["formxml"]
    filters = await admin.get("sdkmessagefilters?$filter=primaryobjecttypecode eq 'acme_letter'")
    assert len(filters.json["value"]) == 6
    shown = (await admin.get(f"{TABLE}?$select=LogicalName,Privileges")).json["Privileges"]
    assert {one["Name"] for one in shown} >= {"prvCreateActivity", "prvAppendActivity"}


async def test_tables_and_roles_outlive_a_restart(config: DataverseConfig, tmp_path: Path, session, clock: Clock):
    kept = replace(config, state=tmp_path / "dataverse.db")
    first = await start(kept, now=clock)
    admin = await sign_in(session, first, ADMIN)
    await add_letter(admin)
    await give_role(admin, "prvReadContact")
    await first.stop()
    second = await start(kept, now=clock)
    again, user = await sign_in(session, second, ADMIN), await sign_in(session, second, INTEGRATION)
    assert (await again.post("acme_letters", {"acme_stamp": "x"})).status == 204
    assert (await user.get("contacts?$select=firstname")).status == 200
    await second.stop()


async def test_a_deleted_table_is_gone_with_its_rows(admin: Client):
    await add_letter(admin)
    await admin.create("acme_letters", {"subject": "Hello"})
    assert (await admin.delete(TABLE)).status == 204
    assert (await admin.get("acme_letters")).status == 404
    assert (await admin.get("activitypointers/$count")).text == "0"
    assert (await admin.get("systemforms?$filter=objecttypecode eq 'acme_letter'")).json["value"] == []
    await add_letter(admin)
    assert (await admin.get("acme_letters/$count")).text == "0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"SchemaName": "letter"},
        {"HasActivities": True},
        {"OwnershipType": "OrganizationOwned"},
        {"Attributes": []},
        {"Attributes": [column("acme_Title", IsPrimaryName=True)]},
        {"DisplayName": {}},
    ],
)
async def test_what_the_platform_refuses_in_an_activity(admin: Client, wrong: dict[str, Any]):
    assert (await admin.post("EntityDefinitions", letter(**wrong))).status == 400


async def test_names_are_taken_once_and_other_tables_are_left_alone(admin: Client):
    await add_letter(admin)
    assert (await admin.post("EntityDefinitions", letter())).status == 400
    assert (await admin.post(f"{TABLE}/Attributes", column("acme_Stamp"))).status == 400
    assert (await admin.post(f"{TABLE}/Attributes", column("acme_X", MaxLength=5000))).status == 400
    assert (await admin.post("EntityDefinitions(LogicalName='contact')/Attributes", column("acme_X"))).status == 400
    assert (await admin.post("EntityDefinitions", letter(IsActivity=False))).status == 501


async def test_the_header_puts_what_is_created_into_a_solution(admin: Client):
    publisher = await admin.create("publishers", {"uniquename": "acme", "customizationprefix": "acme"})
    bind = {"publisherid@odata.bind": f"/publishers({publisher})"}
    solution = await admin.create("solutions", {"uniquename": "Letters", "version": "1.0.0.0", **bind})
    header = {"MSCRM.SolutionUniqueName": "Letters"}
    assert (await admin.call("POST", "EntityDefinitions", letter(), **header)).status == 204
    assert (await admin.call("POST", f"{TABLE}/Attributes", column("acme_Stamp"), **header)).status == 204
    await admin.post(f"{TABLE}/Attributes", column("acme_Other"))
    components = await admin.get(f"solutioncomponents?$filter=_solutionid_value eq {solution}")
    assert sorted(row["componenttype"] for row in components.json["value"]) == [1, 2]
    unknown = await admin.call("POST", "roles", {"name": "x"}, **{"MSCRM.SolutionUniqueName": "Nothing"})
    assert unknown.status == 400
    assert (await admin.delete(f"publishers({publisher})")).status == 405
    assert (await admin.delete(f"solutions({solution})")).status == 204
    assert (await admin.get("solutioncomponents/$count")).text == "0"


async def give_role(admin: Client, *privileges: str) -> str:
    """A new role with these privileges, for the application user."""
    role = await admin.create("roles", {"name": "R"})
    ids = [
        (await admin.get(f"privileges?$filter=name eq '{name}'")).json["value"][0]["privilegeid"] for name in privileges
    ]
    body = {"Privileges": [{"PrivilegeId": one, "Depth": "Global"} for one in ids]}
    assert (await admin.post(f"roles({role})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole", body)).status == 204
    users = f"systemusers({INTEGRATION.user_id})/systemuserroles_association"
    assert (await admin.post(f"{users}/$ref", {"@odata.id": f"{admin.url}/api/data/v9.2/roles({role})"})).status == 204
    return role


async def test_a_role_grants_what_it_lists_and_nothing_else(admin: Client, integration: Client):
    contact = await admin.create("contacts", {"firstname": "Ada"})
    refused = await integration.get(f"contacts({contact})")
    assert (refused.status, refused.code) == (403, "0x80040220")
    assert "prvReadContact" in refused.message
    role = await give_role(admin, "prvReadContact", "prvCreateActivity")
    assert (await integration.get(f"contacts({contact})")).status == 200
    assert (await integration.patch(f"contacts({contact})", {"firstname": "B"})).status == 403
    bind = {"regardingobjectid_contact_task@odata.bind": f"/contacts({contact})"}
    assert (await integration.post("tasks", {"subject": "x"})).status == 204
    lacking = await integration.post("tasks", {"subject": "x", **bind})
    assert (lacking.status, "prvAppendActivity" in lacking.message) == (403, True)
    granted = await admin.get(f"RetrieveRolePrivilegesRole(RoleId={role})")
    assert {one["PrivilegeName"] for one in granted.json["RolePrivileges"]} == {"prvReadContact", "prvCreateActivity"}
    users = f"systemusers({INTEGRATION.user_id})/systemuserroles_association"
    assert [row["roleid"] for row in (await admin.get(users)).json["value"]] == [role]
    assert (await admin.delete(f"{users}({role})/$ref")).status == 204
    assert (await integration.get(f"contacts({contact})")).status == 403


async def test_many_rows_at_once_need_the_same_privileges(admin: Client, integration: Client):
    contact = await admin.create("contacts", {"firstname": "Ada"})
    bind = {"regardingobjectid_contact_task@odata.bind": f"/contacts({contact})"}
    target = {"@odata.type": "Microsoft.Dynamics.CRM.task", "subject": "x", **bind}
    path = "tasks/Microsoft.Dynamics.CRM.CreateMultiple"
    await give_role(admin, "prvCreateActivity", "prvAppendActivity")
    lacking = await integration.post(path, {"Targets": [target]})
    assert "prvAppendToContact" in lacking.message
    await give_role(admin, "prvAppendToContact")
    assert (await integration.post(path, {"Targets": [target]})).status == 200


async def test_definitions_are_read_with_privileges_and_changed_by_administrators(admin: Client, integration: Client):
    assert (await integration.get(TABLE.replace("acme_letter", "contact"))).status == 403
    await give_role(admin, "prvReadEntity", "prvReadAttribute", "prvReadRelationship", "prvReadOptionSet")
    assert (await integration.get(TABLE.replace("acme_letter", "contact"))).status == 200
    assert (await integration.post("EntityDefinitions", letter())).status == 403
    assert (await integration.post("PublishAllXml", {})).status == 403
    assert (await admin.post("PublishAllXml", {})).status == 204


async def test_a_privilege_or_depth_that_does_not_exist_is_refused(admin: Client, session: aiohttp.ClientSession):
    role = await admin.create("roles", {"name": "R"})
    action = f"roles({role})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole"
    assert (await admin.post(action, {"Privileges": [{"PrivilegeId": role, "Depth": "Global"}]})).status == 400
    known = (await admin.get("privileges?$filter=name eq 'prvReadContact'")).json["value"][0]["privilegeid"]
    assert (await admin.post(action, {"Privileges": [{"PrivilegeId": known, "Depth": "All"}]})).status == 400


async def test_a_reset_takes_roles_away(dataverse: Dataverse, admin: Client, integration: Client):
    await give_role(admin, "prvReadContact")
    assert (await integration.get("contacts")).status == 200
    await admin.post("/_sandbox/reset", {})
    assert (await integration.get("contacts")).status == 403
