"""Custom tables do what contact does; and tables that the tester adds while the stand-in runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.dataverse import ADMIN, DataverseConfig, start
from sandbox.tls import Tls
from tests.contract.dataverse import vehicles
from tests.contract.dataverse.conftest import Client, Clock, Receiver, sign_in, until
from tests.contract.dataverse.test_batch import changeset, part, send, statuses
from tests.contract.dataverse.webhooks import Hook, register, target

FULL: dict[str, Any] = {"new_name": "Van", "new_vin": "WVW1", "new_modelyear": 2020, "new_color": 100000001}


async def test_a_row_with_every_kind_of_column(admin: Client):
    owner = await vehicles.contact(admin, lastname="Example")
    van = await vehicles.vehicle(admin, owner, **FULL)
    row = (await admin.get(f"new_vehicles({van})", Prefer='odata.include-annotations="*"')).json
    assert {name: row[name] for name in FULL} == FULL
    assert row["_new_contactid_value"] == owner
    assert row["_new_contactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row["_new_contactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "new_ContactId"
    assert row["_new_contactid_value@OData.Community.Display.V1.FormattedValue"] == "Ada Example"
    assert row["new_color@OData.Community.Display.V1.FormattedValue"] == "Blue"
    seen = await vehicles.visit(admin, van, new_visitdate="2025-03-04", new_cost=120.5, new_kind=100000000)
    row = (await admin.get(f"new_servicevisits({seen})")).json
    assert (row["new_visitdate"], row["new_cost"], row["new_cost_base"]) == ("2025-03-04", 120.5, 120.5)
    assert (row["new_kind"], row["_new_vehicleid_value"], row["exchangerate"]) == (100000000, van, 1.0)
    assert row["_transactioncurrencyid_value"] is not None


async def test_conditions_and_alternate_keys(admin: Client):
    van = await vehicles.vehicle(admin, **FULL)
    etag = (await admin.get(f"new_vehicles({van})")).json["@odata.etag"]
    assert (await admin.patch("new_vehicles(new_vin='WVW1')", {"new_color": None}, If_Match=etag)).row_id == van
    assert (await admin.patch(f"new_vehicles({van})", {"new_color": 100000000}, If_Match=etag)).status == 412
    taken = await admin.post("new_vehicles", {"new_vin": "WVW1"})
    assert (taken.status, taken.code) == (412, "0x80060892")
    made = await admin.patch("new_vehicles(new_vin='WVW2')", {"new_name": "Bus"})
    assert (await admin.get("new_vehicles(new_vin='WVW2')")).json["new_vehicleid"] == made.row_id
    bind = {"new_VehicleId@odata.bind": "/new_vehicles(new_vin='WVW2')"}
    seen = await admin.create("new_servicevisits", bind)
    assert (await admin.get(f"new_servicevisits({seen})")).json["_new_vehicleid_value"] == made.row_id


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"new_contactid@odata.bind": "/contacts(a3c5e7f9-1122-ef11-840a-6045bd0e1c77)"}, "0x80048d19"),
        ({"new_ContactId@odata.bind": "/contacts(a3c5e7f9-1122-ef11-840a-6045bd0e1c77)"}, "0x80040217"),
        ({"new_color": 5}, "0x8004431a"),
        ({"new_modelyear": 1800}, "0x8004431a"),
        ({"new_vin": "x" * 18}, "0x80044331"),
        ({"new_wheels": 4}, "0x80048d19"),
    ],
)
async def test_what_does_not_fit(admin: Client, row: dict[str, Any], code: str):
    assert (await admin.post("new_vehicles", row)).code == code
    assert await vehicles.ids(admin, "new_vehicles") == []


async def test_filters_over_lookups_and_pages(admin: Client):
    owners = [await vehicles.contact(admin, lastname=name) for name in "abc"]
    vans = [await vehicles.vehicle(admin, owner, new_modelyear=2000 + n) for n, owner in enumerate(owners)]

    async def found(text: str) -> list[str]:
        rows = (await admin.get(f"new_vehicles?$select=new_name&$filter={text}&$orderby=new_modelyear")).json["value"]
        return [row["new_vehicleid"] for row in rows]

    listed = ",".join(f"'{owner}'" for owner in owners[:2])
    in_ = "Microsoft.Dynamics.CRM.In(PropertyName='{}',PropertyValues=[{}])"
    assert await found(in_.format("new_contactid", listed)) == vans[:2]
    assert await found(in_.format("new_vehicleid", f"'{vans[2]}'")) == vans[2:]
    assert await found(f"_new_contactid_value eq {owners[1]}") == [vans[1]]
    assert await found("new_ContactId/lastname eq 'c'") == [vans[2]]
    assert await found("new_color eq null and new_modelyear gt 2000") == vans[1:]
    page = (await admin.get("new_vehicles?$orderby=new_modelyear", Prefer="odata.maxpagesize=2")).json
    rest = (await admin.get(page["@odata.nextLink"], Prefer="odata.maxpagesize=2")).json
    assert [row["new_vehicleid"] for row in page["value"] + rest["value"]] == vans
    behind = (await admin.get(f"contacts({owners[0]})/new_contact_new_vehicle")).json["value"]
    assert [row["new_vehicleid"] for row in behind] == [vans[0]]
    shown = (await admin.get(f"new_vehicles({vans[0]})?$expand=new_ContactId($select=lastname)")).json
    assert shown["new_ContactId"]["lastname"] == "a"


async def test_a_family_in_one_change_set(admin: Client):
    answer = await send(
        admin,
        changeset(
            part("POST contacts", {"firstname": "Ada"}, "1"),
            part("POST new_vehicles", {"new_name": "Van", "new_ContactId@odata.bind": "$1"}, "2"),
            part("POST new_servicevisits", {"new_name": "Visit", "new_VehicleId@odata.bind": "$2"}, "3"),
        ),
    )
    assert statuses(answer) == [204, 204, 204]
    shown = (await admin.get("new_servicevisits?$expand=new_VehicleId($select=_new_contactid_value)")).json["value"][0]
    assert shown["new_VehicleId"]["_new_contactid_value"] == (await vehicles.ids(admin, "contacts"))[0]


async def test_many_rows_in_one_action(admin: Client):
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.new_dealer"}
    path = "new_dealers/Microsoft.Dynamics.CRM.CreateMultiple"
    made = await admin.post(path, {"Targets": [{**kind, "new_city": city} for city in ("Oslo", "Rome")]})
    assert await vehicles.ids(admin, "new_dealers") == made.json["Ids"]


async def test_steps_on_custom_tables_fire_by_their_columns(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create", "new_servicevisit"))
    await register(admin, receiver, Hook("Update", "new_servicevisit", filtering="new_cost"))
    van = await vehicles.vehicle(admin)
    seen = await vehicles.visit(admin, van, new_visitdate="2025-03-04", new_cost=10)
    await admin.patch(f"new_servicevisits({seen})", {"new_name": "x"})
    await admin.patch(f"new_servicevisits({seen})", {"new_cost": 12.5})
    await until(lambda: len(receiver.calls) == 2)
    assert [body["PrimaryEntityId"] for body in receiver.bodies] == [seen, seen]
    told = {body["MessageName"]: target(body) for body in receiver.bodies}
    assert told["Create"]["new_visitdate"] == "/Date(1741046400000)/"
    assert told["Update"]["new_cost"]["Value"] == 12.5
    unknown = await admin.get("sdkmessagefilters?$filter=primaryobjecttypecode eq 'new_boat'")
    assert unknown.json["value"] == []


BOAT: dict[str, Any] = {
    "name": "new_boat",
    "schema_name": "new_Boat",
    "columns": [
        {"name": "new_length", "kind": "Decimal", "precision": 1, "minimum": 0},
        {"name": "new_price", "kind": "Money"},
        {"name": "new_kind", "kind": "Picklist", "options": {"1": "Sail", "2": "Motor"}},
        {"name": "new_launched", "kind": "DateTime", "behavior": "DateOnly"},
        {
            "name": "new_contactid",
            "kind": "Lookup",
            "target": "contact",
            "schema_name": "new_ContactId",
            "collection": "new_contact_new_boat",
            "on_delete": "Cascade",
        },
    ],
    "keys": [{"name": "new_NameKey", "columns": ["new_name"]}],
    "change_tracking": True,
}


async def test_a_table_that_is_added_at_run_time_does_all_of_it(admin: Client, receiver: Receiver):
    assert (await admin.get("new_boats")).status == 404
    added = await admin.post("/_sandbox/tables", BOAT)
    assert added.json == {"name": "new_boat", "entity_set": "new_boats", "change_tracking": True}
    assert added.json in (await admin.get("/_sandbox/tables")).json["tables"]
    await register(admin, receiver, Hook("Update", "new_boat", filtering="new_length"))
    link = (await admin.get("new_boats", Prefer="odata.track-changes")).json["@odata.deltaLink"]
    owner = await vehicles.contact(admin)
    row = {"new_length": 7.25, "new_price": 9000, "new_kind": 2, "new_launched": "2001-02-03"}
    bind = {"new_ContactId@odata.bind": f"/contacts({owner})"}
    boat = (await admin.patch("new_boats(new_name='Ahoy')", {**row, **bind})).row_id
    stored = (await admin.get(f"new_boats({boat})")).json
    assert {name: stored[name] for name in row} == row | {"new_length": 7.2}
    assert stored["new_price_base"] == 9000
    await admin.patch(f"new_boats({boat})", {"new_length": 8})
    await until(lambda: len(receiver.calls) == 1)
    await admin.delete(f"contacts({owner})")
    assert (await admin.get(link)).json["value"][0]["id"] == boat
    path = "EntityDefinitions(LogicalName='contact')/OneToManyRelationships(SchemaName='new_contact_new_boat')"
    assert (await admin.get(path)).json["CascadeConfiguration"]["Delete"] == "Cascade"


async def test_a_table_grows_a_column_and_keeps_its_rows(admin: Client):
    await admin.post("/_sandbox/tables", BOAT)
    boat = await admin.create("new_boats", {"new_length": 3})
    grown = {**BOAT, "columns": [*BOAT["columns"], {"name": "new_crew", "kind": "Integer"}], "change_tracking": False}
    assert (await admin.post("/_sandbox/tables", grown)).json["change_tracking"] is True, "tracking is never lost"
    await admin.patch(f"new_boats({boat})", {"new_crew": 4})
    row = (await admin.get(f"new_boats({boat})")).json
    assert (row["new_length"], row["new_crew"]) == (3, 4)
    await admin.post("/_sandbox/reset", {})
    assert (await admin.get("new_boats")).json["value"] == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "contact"}, "name"),
        ({"name": "new_vehicle"}, "one of the stand-in's own tables"),
        ({"colour": "red"}, "colour"),
        ({"columns": [{"name": "new_x", "kind": "Blob"}]}, "columns.0.kind"),
        ({"columns": [{"name": "new_x", "kind": "Owner"}]}, "cannot be of the kind Owner"),
        ({"columns": [{"name": "new_x", "kind": "Lookup"}]}, "a lookup needs its target"),
        ({"columns": [{"name": "new_x", "kind": "Lookup", "target": "new_y"}]}, "which is no table"),
        ({"columns": [{"name": "new_x", "kind": "Picklist"}]}, "a choice needs its options"),
        ({"columns": [{"name": "new_x", "kind": "String", "schema_name": "new_Y"}]}, "in another case"),
        ({"columns": [{"name": "new_name", "kind": "String"}]}, "two columns have the same name"),
        ({"keys": [{"name": "new_Key", "columns": ["new_z"]}]}, "new_z"),
    ],
)
async def test_a_table_that_cannot_be(admin: Client, changes: dict[str, Any], text: str):
    answer = await admin.post("/_sandbox/tables", {"name": "new_boat", **changes})
    assert (answer.status, answer.code) == (400, "0x80040203")
    assert text in answer.message
    assert (await admin.get("new_boats")).status == 404


async def test_added_tables_and_switched_tracking_survive_a_restart(
    tls: Tls, clock: Clock, tmp_path: Path, session: aiohttp.ClientSession
):
    config = DataverseConfig(tls=tls, state=tmp_path / "rows.sqlite")
    first = await start(config, now=clock)
    admin = await sign_in(session, first, ADMIN)
    await admin.post("/_sandbox/tables", BOAT)
    boat = await admin.create("new_boats", {"new_name": "Ahoy"})
    dealer = "EntityDefinitions(LogicalName='new_dealer')"
    whole = (await admin.get(dealer)).json
    assert (await admin.call("PUT", dealer, {**whole, "ChangeTrackingEnabled": True})).status == 204
    await first.stop()
    second = await start(config, now=clock)
    admin = await sign_in(session, second, ADMIN)
    assert (await admin.get(f"new_boats({boat})")).json["new_name"] == "Ahoy"
    assert (await admin.get("new_dealers", Prefer="odata.track-changes")).status == 200
    await second.stop()
