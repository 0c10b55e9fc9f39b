"""Custom resources: verbs, keys, lists and filters, the error texts, metadata, and what a definition may be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sandbox.campaign import EXAMPLE_RESOURCES, CampaignConfig, CustomFilter, CustomResource, Link, ResourceField, start
from sandbox.campaign.definitions import arranged
from tests.contract.campaign.conftest import Client, Opener, StoppedClock, connect

VEHICLE, DEALER = "profileAndServicesExt/cusVehicle", "customResources/cusDealer"
NOW = "2026-03-02 08:10:00.123Z"


@pytest.fixture
async def client(open_campaign: Opener) -> Client:
    """A Campaign with the example resources and one person, c-1."""
    client = await open_campaign(custom_resources=EXAMPLE_RESOURCES)
    await client.create(externalId="c-1")
    return client


async def _vehicle(client: Client, number: str = "v-1", person: str = "c-1", **values: Any) -> Any:
    document = {"externalId": number, "profileExternalId": person, **values}
    answer = await client.call("POST", VEHICLE, document)
    assert answer.status == 201, answer.body
    return answer.body


async def test_create_answers_201_with_the_full_record(client: Client) -> None:
    dealer = (await client.call("POST", DEALER, {"externalId": "d-1", "city": "Oslo"})).body
    record = await _vehicle(client, VIN="VIN1", modelYear=2024, color="red", dealerExternalId="d-1")
    person = (await client.call("GET", "profileAndServicesExt/profile/c-1")).body
    assert record == {
        "PKey": record["PKey"],
        "VIN": "VIN1",
        "color": "red",
        "created": NOW,
        "dealer": {"PKey": dealer["PKey"], "href": f"{client.root}/{DEALER}/{dealer['PKey']}"},
        "dealerExternalId": "d-1",
        "externalId": "v-1",
        "href": f"{client.root}/{VEHICLE}/{record['PKey']}",
        "lastModified": NOW,
        "modelYear": 2024,
        "profile": {"PKey": person["PKey"], "href": person["href"]},
        "profileExternalId": "c-1",
        "vehicleName": "",
    }
    assert (await client.call("GET", record["href"])).body == record


async def test_patch_answers_the_key_only_and_moves_the_time(client: Client, clock: StoppedClock) -> None:
    record = await _vehicle(client, color="red")
    clock.advance(seconds=5)
    answer = await client.call("PATCH", f"{VEHICLE}/{record['PKey']}", {"color": "blue"})
    assert (answer.status, answer.body) == (200, {"PKey": record["PKey"], "href": record["href"]})
    stored = (await client.call("GET", record["href"])).body
    assert (stored["color"], stored["created"], stored["lastModified"]) == ("blue", NOW, "2026-03-02 08:10:05.123Z")


async def test_a_recreated_record_has_a_new_pkey(client: Client) -> None:
    first = await _vehicle(client)
    assert (await client.call("DELETE", first["href"], {})).status == 200
    second = await _vehicle(client)
    assert second["PKey"] != first["PKey"]
    stale = await client.call("PATCH", first["href"], {"color": "red"})
    assert (stale.status, "path 'Vehicle' from key" in stale.body) == (404, True)


async def test_a_pkey_belongs_to_its_resource(client: Client) -> None:
    record = await _vehicle(client)
    answer = await client.call("GET", f"profileAndServicesExt/cusServiceVisit/{record['PKey']}")
    assert (answer.status, "XTK-170036" in answer.body) == (500, True)


async def test_lists_are_paged_ordered_and_counted(client: Client) -> None:
    for number in range(5):
        await _vehicle(client, f"v-{number}", modelYear=2020 + number % 3)
    first = (await client.call("GET", f"{VEHICLE}?_lineCount=3&_order=modelYear%20desc&_forcePagination=true")).body
    assert [one["modelYear"] for one in first["content"]] == [2022, 2021, 2021]
    rest = (await client.call("GET", first["next"]["href"])).body
    assert [one["modelYear"] for one in rest["content"]] == [2020, 2020]
    assert "next" not in rest
    assert (await client.call("GET", first["count"]["href"])).body == {"count": 5}


async def test_big_tables_silently_give_no_next(open_campaign: Opener) -> None:
    client = await open_campaign(custom_resources=EXAMPLE_RESOURCES, big_table_threshold=2)
    for number in range(3):
        await client.call("POST", DEALER, {"externalId": f"d-{number}"})
    assert "next" not in (await client.call("GET", f"{DEALER}?_lineCount=2")).body
    assert "next" in (await client.call("GET", f"{DEALER}?_lineCount=2&_forcePagination=true")).body


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{VEHICLE}/byExternalId?externalId_parameter=v-1", ["v-1"]),
        (f"{VEHICLE}/byExternalId?externalId_parameter=V-1", []),
        (f"{VEHICLE}/byVin?VIN_parameter=SAME", ["v-1", "v-2"]),
        (f"{VEHICLE}/byVin/byExternalId?VIN_parameter=SAME&externalId_parameter=v-2", ["v-2"]),
    ],
)
async def test_custom_filters_give_collections(client: Client, path: str, expected: list[str]) -> None:
    for number in ("v-1", "v-2"):
        await _vehicle(client, number, VIN="SAME")
    assert [one["externalId"] for one in (await client.call("GET", path)).body["content"]] == expected


async def test_a_single_column_is_a_list_of_values(client: Client) -> None:
    await _vehicle(client, VIN="VIN1")
    assert (await client.call("GET", f"{VEHICLE}/VIN")).body["content"] == ["VIN1"]


async def test_a_filter_needs_its_parameter(client: Client) -> None:
    answer = await client.call("GET", f"{VEHICLE}/byExternalId")
    assert (answer.status, "externalId_parameter" in answer.body) == (500, True)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"externalId": "v-2", "created": NOW}, "Cannot update the 'created' property that is read-only"),
        ({"externalId": "v-2", "wheels": 4}, "'wheels' property is not valid for the 'cusVehicle' resource"),
        ({"externalId": "v-2", "color": "pink"}, "'pink' is not valid for the 'cus:vehicle:color' enumeration of the"),
        ({"externalId": "v-2", "VIN": "x" * 18}, "'@VIN' field exceeds its length (17 characters)"),
        ({"externalId": "v-2", "modelYear": "2024"}, "not a valid integer"),
        ({"VIN": "x"}, "'@externalId' field is mandatory"),
        ({"externalId": None}, "'@externalId' field is mandatory"),
        ({"externalId": "v-1"}, "A 'Vehicle' with the same key 'v-1' already exists. PGS-220000"),
    ],
)
async def test_data_errors_are_500_with_a_text(client: Client, document: Any, text: str) -> None:
    await _vehicle(client)
    answer = await client.call("POST", VEHICLE, document)
    assert answer.status == 500
    assert text in answer.body
    assert len(await client.control("GET", "resources/cusVehicle")) == 1


async def test_key_errors(client: Client) -> None:
    one, two = await _vehicle(client), await _vehicle(client, "v-2")
    for body in ({"externalId": "v-3"}, {"PKey": two["PKey"]}):
        conflict = await client.call("PATCH", one["href"], body)
        assert (conflict.status, "RST-360012" in conflict.body) == (500, True)
    assert (await client.call("PATCH", one["href"], {"PKey": one["PKey"], "externalId": "v-1"})).status == 200
    emptied = await client.call("PATCH", one["href"], {"externalId": ""})
    assert (emptied.status, "RST-360012" in emptied.body) == (500, True)
    for method in ("GET", "PATCH", "DELETE"):
        garbage = await client.call(method, f"{VEHICLE}/@gibberish", {})
        assert (garbage.status, "'gibberish' attribute unknown" in garbage.body) == (500, True)
        assert "'Vehicle (cus:vehicle)' schema" in garbage.body
        named = await client.call(method, f"{VEHICLE}/v-1", {})
        assert (named.status, "Unable to find document with path 'Vehicle' from key 'v-1'" in named.body) == (404, True)


async def test_a_composite_key_is_unique_as_a_whole(open_campaign: Opener) -> None:
    fields = (ResourceField("region"), ResourceField("number"))
    filters = (CustomFilter.labelled("Key", area="region", number="number"),)
    stock = CustomResource("cusStock", fields, "customResources", ("region", "number"), filters)
    client = await open_campaign(custom_resources=(stock,))
    path = "customResources/cusStock"
    for region in ("north", "south"):
        assert (await client.call("POST", path, {"region": region, "number": "1"})).status == 201
    taken = await client.call("POST", path, {"region": "north", "number": "1"})
    assert (taken.status, "'north+1' already exists" in taken.body) == (500, True)
    found = await client.call("GET", f"{path}/byKey?area_parameter=south&number_parameter=1")
    assert [one["region"] for one in found.body["content"]] == ["south"]


async def test_a_linked_object_in_a_body_is_ignored(client: Client) -> None:
    record = await _vehicle(client, profile={"PKey": "@another"})
    assert record["profileExternalId"] == "c-1"


@pytest.mark.parametrize(
    "path",
    [
        "profileAndServicesExt/cusShop",
        "customResources/cusShop",
        "customResources/cusVehicle",
        "profileAndServicesExt/cusDealer",
        "customResources/resourceType/cusVehicle",
        "customResources/resourceType/profile",
        "profileAndServicesExt/resourceType/cusDealer",
    ],
)
async def test_a_resource_that_is_not_there_is_404(client: Client, path: str) -> None:
    answer = await client.call("GET", path)
    assert (answer.status, answer.body.startswith("RST-360011")) == (404, True)


async def test_an_unpublished_resource_is_not_there_and_keeps_its_records(client: Client) -> None:
    record = await _vehicle(client)
    definitions = {one["name"]: one for one in await client.control("GET", "resources")}
    await client.control("POST", "resources", {**definitions["cusVehicle"], "published": False})
    assert (await client.call("GET", record["href"])).status == 404
    assert (await client.call("GET", "profileAndServicesExt/resourceType/cusVehicle")).status == 404
    assert "cusVehicle" not in (await client.call("GET", "profileAndServicesExt/")).body
    await client.control("POST", "resources", [definitions["cusVehicle"]])
    assert (await client.call("GET", record["href"])).body == record


async def test_the_index_lists_what_is_linked_to_the_profile(client: Client) -> None:
    index = (await client.call("GET", "profileAndServicesExt/")).body
    assert list(index) == ["apiName", "profile", "cusVehicle", "cusServiceVisit", "cusServicePart"]
    vehicle = index["cusVehicle"]
    assert (vehicle["name"], vehicle["help"], vehicle["type"]) == ("cusVehicle", "Vehicle", "collection")
    assert vehicle["data"] == "/profileAndServicesExt/cusVehicle/"
    assert vehicle["content"]["VIN"]["length"] == 17


async def test_metadata_describes_fields_links_and_filters(client: Client) -> None:
    described = (await client.call("GET", "profileAndServicesExt/resourceType/cusVehicle")).body
    content = described["content"]
    assert (described["schema"], described["label"]) == ("cus:vehicle", "Vehicle")
    assert (content["externalId"]["mandatory"], content["VIN"]["mandatory"]) == (True, False)
    assert content["created"]["readOnly"] is True
    assert (content["profile"]["type"], content["profile"]["resTarget"]) == ("link", "profile")
    assert content["dealer"]["resTarget"] == "cusDealer"
    assert list(content["color"]["values"]) == ["unknown", "black", "white", "red", "blue"]
    filters = (await client.call("GET", described["filters"]["href"])).body
    assert list(filters) == ["byExternalId", "byVin"]
    assert filters["byVin"]["data"] == "/profileAndServicesExt/cusVehicle/byVin?VIN_parameter=$value"


async def test_metadata_of_what_is_not_linked(client: Client) -> None:
    described = (await client.call("GET", "customResources/resourceType/cusDealer")).body
    assert described["data"] == "/customResources/cusDealer/"
    filters = (await client.call("GET", described["filters"]["href"])).body
    assert filters["byExternalId"]["data"] == "/customResources/cusDealer/byExternalId?externalId_parameter=$value"


async def test_the_profiles_filters_are_described_too(client: Client) -> None:
    described = (await client.call("GET", "profileAndServicesExt/resourceType/profile")).body
    filters = (await client.call("GET", described["filters"]["href"])).body
    assert filters["byText"]["data"] == "/profileAndServicesExt/profile/byText?text=$value"
    assert "byExternalId" in filters


async def test_definitions_made_at_run_time_outlive_a_restart(tmp_path: Path) -> None:
    document = {
        "name": "cusShop",
        "api": "customResources",
        "fields": [{"name": "externalId", "length": 36, "mandatory": True}],
        "key": ["externalId"],
    }
    for first in (True, False):
        campaign = await start(CampaignConfig(state=tmp_path))
        client = await connect(campaign)
        if first:
            await client.control("POST", "resources", document)
            assert (await client.call("POST", "customResources/cusShop", {"externalId": "s-1"})).status == 201
        else:
            listed = (await client.call("GET", "customResources/cusShop")).body["content"]
            assert [one["externalId"] for one in listed] == ["s-1"]
        await client.session.close()
        await campaign.stop()


async def test_a_reset_empties_resources_and_keeps_their_definitions(client: Client) -> None:
    first = await _vehicle(client)
    await client.control("POST", "reset")
    assert await client.control("GET", "resources/cusVehicle") == []
    await client.create(externalId="c-1")
    assert (await _vehicle(client))["PKey"] != first["PKey"]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"name": "cusShop"}, "fields: Field required"),
        ({"name": "cusShop", "fields": [], "colour": 1}, "colour: Unexpected"),
        ({"name": "shop", "fields": []}, "begins with 'cus'"),
        ({"name": "cusShop", "fields": [{"name": "PKey"}]}, "not a name for a field"),
        ({"name": "cusShop", "fields": [{"name": "a"}, {"name": "a"}]}, "names a twice"),
        ({"name": "cusShop", "fields": [], "key": ["id"]}, "has no field id"),
        ({"name": "cusShop", "fields": []}, "lives under customResources"),
        ({"name": "cusSHOP", "api": "customResources", "fields": [{"name": "a", "values": ["b"]}]}, "has values"),
        (
            {"name": "cusShop", "fields": [{"name": "a"}], "links": [{"name": "b", "column": "a", "target": "cusX"}]},
            "links lead nowhere or in a circle",
        ),
        (
            {"name": "cusShop", "fields": [{"name": "a"}], "links": [{"name": "b", "column": "a", "field": "age"}]},
            "profile has no text field age",
        ),
        (
            {"name": "cusShop", "fields": [{"name": "a", "kind": "integer"}], "links": [{"name": "b", "column": "a"}]},
            "a link only texts",
        ),
        (
            {"name": "cusShop", "fields": [{"name": "a"}], "filters": [{"name": "a", "parameters": {"a": "a"}}]},
            "is called by…",
        ),
        ({"name": "cusvehicle", "api": "customResources", "fields": []}, "differ in case only"),
        ([7], "dictionary"),
    ],
)
async def test_a_bad_definition_is_refused_with_a_reason(client: Client, document: Any, text: str) -> None:
    before = await client.control("GET", "resources")
    answer = await client.call("POST", f"{client.campaign.url}/_sandbox/resources", document)
    assert (answer.status, text in answer.body["error"]) == (400, True), answer.body
    assert await client.control("GET", "resources") == before


async def test_a_key_that_stored_records_break_is_refused_as_a_whole(client: Client) -> None:
    for number in ("v-1", "v-2"):
        await _vehicle(client, number, VIN="SAME")
    vehicle = next(one for one in await client.control("GET", "resources") if one["name"] == "cusVehicle")
    answer = await client.call("POST", f"{client.campaign.url}/_sandbox/resources", {**vehicle, "key": ["VIN"]})
    assert (answer.status, "do not fit" in answer.body["error"]) == (400, True)
    taken = await client.call("POST", VEHICLE, {"externalId": "v-1"})
    assert (taken.status, "PGS-220000" in taken.body) == (500, True)


def test_circles_of_links_are_refused() -> None:
    column = (ResourceField("other"), ResourceField("externalId"))
    one = CustomResource("cusOne", column, "customResources", links=(Link("two", "other", "cusTwo"),))
    two = dataclasses.replace(one, name="cusTwo", links=(Link("one", "other", "cusOne"),))
    with pytest.raises(ValueError, match="in a circle: cusOne, cusTwo"):
        arranged((one, two), ())
