"""Create, read, update, upsert, delete: status codes, headers, error codes, and what the platform fills in."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.dataverse import ADMIN, INTEGRATION
from tests.contract.dataverse.conftest import Client, Clock

ADA = {"firstname": "Ada", "lastname": "Example", "emailaddress1": "ada@example.org"}
SOME_ID = "a3c5e7f9-1122-ef11-840a-6045bd0e1c77"


async def test_create_answers_204_with_the_address_of_the_row(admin: Client):
    answer = await admin.post("contacts", ADA)
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["OData-EntityId"].startswith(f"{admin.url}/api/data/v9.2/contacts(")
    assert answer.headers["OData-Version"] == "4.0"


async def test_a_new_contact_has_what_the_platform_fills_in(admin: Client):
    row_id = await admin.create("contacts", ADA)
    row = (await admin.get(f"contacts({row_id})")).json
    assert row["fullname"] == "Ada Example"
    assert row["createdon"] == row["modifiedon"] == "2025-01-02T03:04:05Z"
    assert row["_modifiedby_value"] == row["_ownerid_value"] == ADMIN.user_id
    assert (row["donotemail"], row["followemail"], row["statecode"], row["statuscode"]) == (False, True, 0, 1)
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'
    assert "authvalue" not in row


async def test_return_representation(admin: Client):
    created = await admin.post("contacts?$select=fullname", ADA, Prefer="return=representation")
    assert created.status == 201
    assert created.json["fullname"] == "Ada Example"
    assert "emailaddress1" not in created.json
    updated = await admin.patch(
        f"contacts({created.row_id})?$select=fullname", {"firstname": "Eve"}, Prefer="return=representation"
    )
    assert (updated.status, updated.json["fullname"]) == (200, "Eve Example")
    assert updated.headers["Preference-Applied"] == "return=representation"


async def test_every_write_moves_modifiedon_version_and_modifiedby(admin: Client, integration: Client, clock: Clock):
    row_id = await admin.create("contacts", ADA)
    before = (await admin.get(f"contacts({row_id})")).json
    clock.forward(61)
    assert (await integration.patch(f"contacts({row_id})", {"firstname": "Ada"})).status == 204
    after = (await admin.get(f"contacts({row_id})")).json
    assert after["modifiedon"] == "2025-01-02T03:05:06Z"
    assert after["versionnumber"] > before["versionnumber"]
    assert (after["_modifiedby_value"], after["_createdby_value"]) == (INTEGRATION.user_id, ADMIN.user_id)


async def test_patch_creates_by_default_and_conditions_forbid_it(admin: Client):
    assert (await admin.patch(f"contacts({SOME_ID})", ADA, If_Match="*")).code == "0x80040217"
    assert (await admin.patch(f"contacts({SOME_ID})", ADA)).row_id == SOME_ID
    refused = await admin.patch(f"contacts({SOME_ID})", ADA, If_None_Match="*")
    assert (refused.status, refused.message) == (412, "A record with matching key values already exists.")


async def test_optimistic_concurrency(admin: Client):
    row_id = await admin.create("contacts", ADA)
    etag = (await admin.get(f"contacts({row_id})")).json["@odata.etag"]
    assert (await admin.patch(f"contacts({row_id})", {"donotemail": True}, If_Match=etag)).status == 204
    stale = await admin.patch(f"contacts({row_id})", {"donotemail": False}, If_Match=etag)
    assert (stale.status, stale.code) == (412, "0x80060882")
    assert stale.message == "The version of the existing record doesn't match the RowVersion property provided."
    assert (await admin.get(f"contacts({row_id})")).json["donotemail"] is True
    assert (await admin.delete(f"contacts({row_id})", If_Match=etag)).status == 412
    assert (await admin.delete(f"contacts({row_id})", If_Match="*")).status == 204


async def test_conditional_get(admin: Client):
    row_id = await admin.create("contacts", ADA)
    etag = (await admin.get(f"contacts({row_id})")).json["@odata.etag"]
    assert (await admin.get(f"contacts({row_id})", If_None_Match=etag)).status == 304
    assert (await admin.get(f"contacts({row_id})", If_None_Match="null")).status == 200


async def test_a_deleted_row_is_gone_and_can_come_back_under_its_id(admin: Client):
    row_id = await admin.create("contacts", ADA)
    assert (await admin.delete(f"contacts({row_id})")).status == 204
    for answer in (
        await admin.get(f"contacts({row_id})"),
        await admin.delete(f"contacts({row_id})"),
        await admin.patch(f"contacts({row_id})", {"firstname": "x"}, If_Match="*"),
    ):
        assert (answer.status, answer.code) == (404, "0x80040217")
        assert row_id in answer.message
    assert await admin.create("contacts", {**ADA, "contactid": row_id}) == row_id


async def test_a_taken_id_is_a_duplicate(admin: Client):
    await admin.create("contacts", {**ADA, "contactid": SOME_ID})
    again = await admin.post("contacts", {**ADA, "contactid": SOME_ID})
    assert (again.status, again.code) == (412, "0x80040237")


async def test_alternate_keys(admin: Client):
    first = await admin.patch("contacts(acme_customernumber='O''Hara/1')", {"lastname": "O'Hara"})
    assert first.status == 204
    row = (await admin.get("contacts(acme_customernumber='O''Hara/1')")).json
    assert (row["contactid"], row["acme_customernumber"]) == (first.row_id, "O'Hara/1")
    assert (await admin.patch("contacts(acme_customernumber='O%27%27Hara%2F1')", {"firstname": "Kim"})).row_id == (
        first.row_id
    )
    taken = await admin.post("contacts", {"acme_customernumber": "O'Hara/1"})
    assert (taken.status, taken.code) == (412, "0x80060892")
    assert (await admin.get("contacts(acme_customernumber='none')")).code == "0x80060891"
    assert (await admin.get("contacts(emailaddress1='x')")).code == "0x80060890"


@pytest.mark.parametrize(
    ("row", "code", "text"),
    [
        ({"nickname1": "x"}, "0x80048d19", "undeclared property 'nickname1'"),
        ({"parentcustomerid@odata.bind": f"/accounts({SOME_ID})"}, "0x80048d19", "undeclared property"),
        ({"ParentCustomerId_account@odata.bind": f"/accounts({SOME_ID})"}, "0x80048d19", "undeclared property"),
        ({"_parentcustomerid_value": SOME_ID}, "0x80048d19", "Entity Reference"),
        ({"donotemail": "true"}, "0x80048d19", "Edm.Boolean"),
        ({"numberofchildren": "2"}, "0x80048d19", "Edm.Int32"),
        ({"donotemail": ""}, "0x80048d19", "Edm.Boolean"),
        ({"firstname": 7}, "0x80048d19", "Edm.String"),
        ({"lastusedincampaign": "0001-01-01T00:00:00+05:00"}, "0x80048d19", "Edm.DateTimeOffset"),
        ({"birthdate": "1985-11-01T00:00:00Z"}, "0x80048d19", "Edm.Date"),
        ({"firstname": "x" * 51}, "0x80044331", "'50'"),
        ({"gendercode": 3}, "0x8004431a", "Accepted Values: 1,2"),
        ({"numberofchildren": -1}, "0x8004431a", "outside the valid range"),
        ({"statuscode": 2}, "0x80048408", "not a valid status code"),
    ],
)
async def test_what_does_not_fit_is_refused_with_400(admin: Client, row: dict[str, Any], code: str, text: str):
    answer = await admin.post("contacts", row)
    assert (answer.status, answer.code) == (400, code)
    assert text in answer.message
    assert (await admin.get("contacts/$count")).text == "0"


async def test_empty_text_is_null_and_system_columns_are_ignored(admin: Client):
    row_id = await admin.create("contacts", {**ADA, "jobtitle": "", "createdon": "2001-01-01T00:00:00Z"})
    row = (await admin.get(f"contacts({row_id})")).json
    assert (row["jobtitle"], row["createdon"]) == (None, "2025-01-02T03:04:05Z")


async def test_overriddencreatedon_takes_the_place_of_createdon(admin: Client):
    row_id = await admin.create("contacts", {**ADA, "overriddencreatedon": "2010-05-06T07:08:09Z"})
    row = (await admin.get(f"contacts({row_id})")).json
    assert (row["createdon"], row["overriddencreatedon"]) == ("2010-05-06T07:08:09Z", "2025-01-02T03:04:05Z")


async def test_lookups_are_bound_shown_and_cut(admin: Client):
    account = await admin.create("accounts", {"name": "Acme"})
    row_id = await admin.create("contacts", {**ADA, "parentcustomerid_account@odata.bind": f"/accounts({account})"})
    row = (await admin.get(f"contacts({row_id})", Prefer='odata.include-annotations="*"')).json
    assert row["_parentcustomerid_value"] == account
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"] == "Acme"
    await admin.patch(f"contacts({row_id})", {"parentcustomerid_account@odata.bind": None})
    assert (await admin.get(f"contacts({row_id})")).json["_parentcustomerid_value"] is None


async def test_a_link_to_a_missing_or_unfitting_row_is_refused(admin: Client):
    missing = await admin.post("contacts", {"parentcustomerid_account@odata.bind": f"/accounts({SOME_ID})"})
    assert (missing.status, missing.code) == (404, "0x80040217")
    contact = await admin.create("contacts", ADA)
    unfitting = await admin.post("contacts", {"parentcustomerid_account@odata.bind": f"/contacts({contact})"})
    assert unfitting.status == 400


async def test_formatted_values(admin: Client):
    row_id = await admin.create("contacts", {**ADA, "creditlimit": 2500, "gendercode": 2, "birthdate": "1985-11-01"})
    wish = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    row = (await admin.get(f"contacts({row_id})", Prefer=wish)).json
    shown = {name.partition("@")[0]: text for name, text in row.items() if "FormattedValue" in name}
    assert shown["creditlimit"] == shown["creditlimit_base"] == "$2,500.00"
    assert (shown["gendercode"], shown["donotemail"], shown["followemail"]) == ("Female", "Allow", "Allow")
    assert (shown["birthdate"], shown["modifiedon"]) == ("11/1/1985", "1/2/2025 3:04 AM")
    assert shown["_modifiedby_value"] == ADMIN.name


async def test_state_follows_its_default_status(admin: Client):
    row_id = await admin.create("contacts", ADA)
    await admin.patch(f"contacts({row_id})", {"statecode": 1})
    row = (await admin.get(f"contacts({row_id})")).json
    assert (row["statecode"], row["statuscode"]) == (1, 2)
    wrong = await admin.patch(f"contacts({row_id})", {"statuscode": 1})
    assert (wrong.status, wrong.code) == (400, "0x80048408")


async def test_activities_belong_to_their_contact(admin: Client):
    contact = await admin.create("contacts", ADA)
    click = {
        "subject": "C1 D1",
        "regardingobjectid_contact_adobe_emailurlclick@odata.bind": f"/contacts({contact})",
        "adobe_clickedon": "2025-01-02T03:04:05Z",
        "adobe_trackingurl": "https://example.org/",
    }
    activity = await admin.create("adobe_emailurlclicks", click)
    assert (await admin.patch(f"adobe_emailurlclicks({activity})", {"statecode": 1, "statuscode": 2})).status == 204
    task = {"subject": "Call", "regardingobjectid_contact_task@odata.bind": f"/contacts({contact})"}
    await admin.create("tasks", {**task, "scheduledend": "2025-01-05T00:00:00Z"})
    found = (await admin.get(f"activitypointers?$filter=_regardingobjectid_value eq {contact}&$orderby=subject")).json
    assert [(row["subject"], row["activitytypecode"], row["statecode"]) for row in found["value"]] == [
        ("C1 D1", "adobe_emailurlclick", 1),
        ("Call", "task", 0),
    ]
    assert (await admin.post("activitypointers", {"subject": "x"})).status == 501
    await admin.delete(f"contacts({contact})")
    assert (await admin.get("activitypointers/$count")).text == "0"


async def test_plain_regarding_binds_are_undeclared(admin: Client):
    contact = await admin.create("contacts", ADA)
    for name in ("regardingobjectid", "regardingobjectid_contact", "regardingobjectid_contact_task"):
        answer = await admin.post("adobe_emailopens", {f"{name}@odata.bind": f"/contacts({contact})"})
        assert answer.status == 400
        assert f"undeclared property '{name}'" in answer.message


async def test_custom_navigation_properties_keep_their_case(admin: Client):
    contact = await admin.create("contacts", ADA)
    bind = f"/contacts({contact})"
    card = await admin.create("acme_loyaltycards", {"acme_name": "1", "acme_ContactId@odata.bind": bind})
    assert (await admin.post("acme_loyaltycards", {"acme_contactid@odata.bind": bind})).status == 400
    await admin.delete(f"contacts({contact})")
    assert (await admin.get(f"acme_loyaltycards({card})")).json["_acme_contactid_value"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "$metadata"),
        ("POST", "Merge"),
        ("POST", "EntityDefinitions"),
        ("GET", "contacts?fetchXml=%3Cfetch/%3E"),
        ("GET", "contacts?$apply=aggregate(x)"),
        ("PUT", f"contacts({SOME_ID})"),
    ],
)
async def test_what_is_not_offered_says_so(admin: Client, method: str, path: str):
    answer = await admin.call(method, path, "{}" if method != "GET" else None)
    assert answer.status == 501
    assert "does not offer" in answer.message


async def test_unknown_resources_are_404(admin: Client):
    assert (await admin.get("kontakte")).code == "0x80060888"
    assert (await admin.get("/api/data/v8.2/contacts")).status == 404


async def test_impersonation(admin: Client):
    row_id = (await admin.post("contacts", ADA, MSCRMCallerID=INTEGRATION.user_id)).row_id
    row = (await admin.get(f"contacts({row_id})")).json
    assert (row["_createdby_value"], row["_modifiedonbehalfby_value"]) == (INTEGRATION.user_id, ADMIN.user_id)
    assert (await admin.post("contacts", ADA, MSCRMCallerID=SOME_ID)).status == 403


async def test_who_am_i(admin: Client, integration: Client):
    assert (await admin.get("WhoAmI")).json["UserId"] == ADMIN.user_id
    assert (await integration.get("WhoAmI()")).json["UserId"] == INTEGRATION.user_id
