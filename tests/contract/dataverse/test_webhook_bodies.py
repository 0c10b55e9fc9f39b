"""The bytes of webhook calls: shapes, encodings, images, and the rule for large payloads."""

from __future__ import annotations

import json
from typing import Any

from sandbox.dataverse import ADMIN, INTEGRATION
from tests.contract.dataverse.conftest import Client, Receiver, until
from tests.contract.dataverse.webhooks import Hook, entries, register, target

NS = "http://schemas.microsoft.com/xrm/2011/Contracts"
CONTACT_ID = "a3c5e7f9-1122-ef11-840a-6045bd0e1c77"
STAMP = "/Date(1735787045000)/"
TOP = [
    "BusinessUnitId",
    "CorrelationId",
    "Depth",
    "InitiatingUserAgent",
    "InitiatingUserAzureActiveDirectoryObjectId",
    "InitiatingUserId",
    "InputParameters",
    "IsExecutingOffline",
    "IsInTransaction",
    "IsOfflinePlayback",
    "IsolationMode",
    "MessageName",
    "Mode",
    "OperationCreatedOn",
    "OperationId",
    "OrganizationId",
    "OrganizationName",
    "OutputParameters",
    "OwningExtension",
    "ParentContext",
    "PostEntityImages",
    "PreEntityImages",
    "PrimaryEntityId",
    "PrimaryEntityName",
    "RequestId",
    "SecondaryEntityName",
    "SharedVariables",
    "Stage",
    "UserAzureActiveDirectoryObjectId",
    "UserId",
]


def reference(table: str, row_id: str, name: str | None = None) -> dict[str, Any]:
    inner: dict[str, Any] = {"Id": row_id, "KeyAttributes": [], "LogicalName": table, "Name": name, "RowVersion": None}
    return {"__type": f"EntityReference:{NS}", **inner}


def entity(attributes: dict[str, Any], labels: dict[str, Any] | None = None) -> dict[str, Any]:
    """An entity as it stands in an image: without a type."""
    return {
        "Attributes": [{"key": key, "value": value} for key, value in attributes.items()],
        "EntityState": None,
        "FormattedValues": [{"key": key, "value": value} for key, value in (labels or {}).items()],
        "Id": CONTACT_ID,
        "KeyAttributes": [],
        "LogicalName": "contact",
        "RelatedEntities": [],
        "RowVersion": None,
    }


PRIMARY_NAME = {"AsynchronousStepPrimaryName": entity({"fullname": "Ada Example", "contactid": CONTACT_ID})}
CHANGED = {
    "key": "ChangedEntityTypes",
    "value": [
        {"__type": "KeyValuePairOfstringstring:#System.Collections.Generic", "key": "contact", "value": "Update"}
    ],
}


async def make_ada(client: Client, **more) -> None:
    ada = {"contactid": CONTACT_ID, "firstname": "Ada", "lastname": "Example", "emailaddress1": "ada@example.org"}
    await client.create("contacts", {**ada, **more})


async def test_update(admin: Client, integration: Client, receiver: Receiver):
    images = (("post", 1, "donotemail,emailaddress1,modifiedon,versionnumber"),)
    step_id = await register(admin, receiver, Hook(filtering="donotemail", images=images))
    await make_ada(admin)
    path = f"contacts({CONTACT_ID})?tag=acme-acs-sync"
    await integration.patch(path, {"donotemail": True}, User_Agent="Sync/1.0")
    await until(lambda: len(receiver.calls) == 1)
    body = receiver.bodies[0]
    assert list(body) == TOP == list(body["ParentContext"])
    written = {
        "donotemail": True,
        "modifiedon": STAMP,
        "modifiedby": reference("systemuser", INTEGRATION.user_id),
        "modifiedonbehalfby": None,
        "contactid": CONTACT_ID,
    }
    assert entries(body["InputParameters"])["Target"] == {"__type": f"Entity:{NS}", **entity(written)}
    version = (await admin.get(f"contacts({CONTACT_ID})")).json["versionnumber"]
    post = {"donotemail": True, "emailaddress1": "ada@example.org", "modifiedon": STAMP, "versionnumber": version}
    image = entity({**post, "contactid": CONTACT_ID}, {"donotemail": "Do Not Allow"})
    assert entries(body["PostEntityImages"]) == {"post": image, **PRIMARY_NAME}
    assert (body["PreEntityImages"], body["OutputParameters"]) == ([], [])
    extension = reference("sdkmessageprocessingstep", step_id)
    assert body["OwningExtension"] == {key: value for key, value in extension.items() if key != "__type"}
    tag = {"key": "tag", "value": "acme-acs-sync"}
    assert (body["SharedVariables"], body["ParentContext"]["SharedVariables"]) == ([tag], [tag, CHANGED])
    assert (body["UserId"], body["InitiatingUserId"]) == (INTEGRATION.user_id, INTEGRATION.user_id)
    assert (body["Mode"], body["Stage"], body["Depth"], body["IsInTransaction"]) == (1, 40, 1, False)
    assert body["OperationCreatedOn"] == "/Date(1735787045678+0000)/"
    assert (body["MessageName"], body["PrimaryEntityName"], body["PrimaryEntityId"]) == (
        "Update",
        "contact",
        CONTACT_ID,
    )
    assert body["InitiatingUserAgent"] == "Sync/1.0"
    parent = body["ParentContext"]
    assert (parent["Stage"], parent["ParentContext"], parent["PostEntityImages"]) == (30, None, [])
    assert target(parent) == {"donotemail": True, "contactid": CONTACT_ID}
    assert entries(parent["InputParameters"])["SuppressDuplicateDetection"] is False


async def test_create_holds_every_column_type(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    account = await admin.create("accounts", {"name": "Acme"})
    await make_ada(
        admin,
        telephone1=None,
        birthdate="1965-11-01",
        gendercode=2,
        creditlimit=2154.32,
        numberofchildren=2,
        acme_score=12,
        acme_interests="100000004,100000001",
        description="one\ntwo/three ë",
        **{"parentcustomerid_account@odata.bind": f"/accounts({account})"},
    )
    await until(lambda: len(receiver.calls) == 1)
    raw, body = receiver.calls[0][2].decode(), receiver.bodies[0]
    got = target(body)
    choice = f"OptionSetValue:{NS}"
    assert got["gendercode"] == {"__type": choice, "Value": 2}
    assert got["acme_interests"] == [{"__type": choice, "Value": value} for value in (100000001, 100000004)]
    assert got["creditlimit"] == got["creditlimit_base"] == {"__type": f"Money:{NS}", "Value": 2154.32}
    assert got["parentcustomerid"] == reference("account", account)
    assert got["birthdate"] == "/Date(-131500800000)/"
    assert (got["telephone1"], got["numberofchildren"], got["followemail"]) == (None, 2, True)
    assert (got["createdon"], got["fullname"], got["contactid"]) == (STAMP, "Ada Example", CONTACT_ID)
    assert got["owningbusinessunit"]["LogicalName"] == "businessunit"
    assert "versionnumber" not in got
    assert '"exchangerate","value":1.0000000000}' in raw
    assert '"acme_score","value":12.0}' in raw
    assert r'"one\u000atwo\/three ë"' in raw
    assert r'"\/Date(1735787045000)\/"' in raw
    assert "/" not in raw.replace("\\/", "")
    labels = entries(entries(body["InputParameters"])["Target"]["FormattedValues"])
    assert (labels["donotemail"], labels["donotsendmm"], labels["statecode"]) == ("Allow", "Send", "Active")
    assert (labels["createdon"], labels["ownerid"]) == ("2025-01-02T03:04:05+00:00", None)
    assert body["OutputParameters"] == [{"key": "id", "value": CONTACT_ID}]
    assert entries(body["PostEntityImages"]) == PRIMARY_NAME
    assert [pair["key"] for pair in body["SharedVariables"]] == ["IsAutoTransact", "DefaultsAddedFlag"]
    assert "modifiedon" not in target(body["ParentContext"])


async def test_delete(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Delete", images=(("pre", 0, "emailaddress1,statecode,ownerid"),)))
    await make_ada(admin)
    await admin.delete(f"contacts({CONTACT_ID})?tag=t")
    await until(lambda: len(receiver.calls) == 1)
    body = receiver.bodies[0]
    assert entries(body["InputParameters"]) == {"Target": reference("contact", CONTACT_ID)}
    pre = {
        "emailaddress1": "ada@example.org",
        "statecode": {"__type": f"OptionSetValue:{NS}", "Value": 0},
        "ownerid": reference("systemuser", ADMIN.user_id, ADMIN.name),
        "contactid": CONTACT_ID,
    }
    assert entries(body["PreEntityImages"]) == {"pre": entity(pre, {"statecode": "Active"}), **PRIMARY_NAME}
    assert body["PostEntityImages"] == []


async def test_a_cleared_column_is_present_as_null_and_names_bring_fullname(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook())
    await make_ada(admin)
    await admin.patch(f"contacts({CONTACT_ID})", {"emailaddress1": None, "lastname": "Other"})
    await until(lambda: len(receiver.calls) == 1)
    got = target(receiver.bodies[0])
    assert (got["emailaddress1"], got["fullname"], got["yomifullname"]) == (None, "Ada Other", "Ada Other")
    assert "firstname" not in got


async def test_over_256_kb_four_properties_are_left_out(admin: Client, receiver: Receiver):
    step = await register(admin, receiver, Hook(table="sdkmessageprocessingstep"))
    long = {"configuration": "x" * 300_000}
    assert (await admin.patch(f"sdkmessageprocessingsteps({step})", long)).status == 204
    await until(lambda: len(receiver.calls) == 1)
    headers, _, raw = receiver.calls[0]
    assert headers["x-ms-dynamics-msg-size-exceeded"] == "true"
    dropped = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}
    assert list(json.loads(raw)) == [name for name in TOP if name not in dropped]
    assert json.loads(raw)["PrimaryEntityId"] == step


async def test_large_but_within_the_limit_is_whole(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook())
    await make_ada(admin)
    await admin.patch(f"contacts({CONTACT_ID})", {"description": "x" * 2000})
    await until(lambda: len(receiver.calls) == 1)
    assert "x-ms-dynamics-msg-size-exceeded" not in receiver.calls[0][0]
    assert target(receiver.bodies[0])["description"] == "x" * 2000


async def test_one_save_of_state_and_other_columns_makes_two_updates(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook(images=(("post", 1, "firstname,statecode"),)))
    await make_ada(admin)
    await admin.patch(f"contacts({CONTACT_ID})", {"statecode": 1, "firstname": "Eve"})
    await until(lambda: len(receiver.calls) == 2)
    others, state = sorted(receiver.bodies, key=lambda body: "statecode" in target(body))
    assert "statecode" not in target(others)
    assert entries(entries(others["PostEntityImages"])["post"]["Attributes"])["statecode"]["Value"] == 0
    assert "firstname" not in target(state)
    assert (target(state)["statecode"]["Value"], target(state)["statuscode"]["Value"]) == (1, 2)
    assert others["OperationId"] != state["OperationId"]
    assert others["RequestId"] == state["RequestId"]
