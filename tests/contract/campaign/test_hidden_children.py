"""A record whose parent is missing is hidden: unreachable, not writable, its key taken, until the parent arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.campaign import EXAMPLE_RESOURCES
from tests.contract.campaign.conftest import Answer, Client, Opener, StoppedClock, eventually

EXT = "profileAndServicesExt"
VEHICLE, VISIT, PART = f"{EXT}/cusVehicle", f"{EXT}/cusServiceVisit", f"{EXT}/cusServicePart"
DEALER = "customResources/cusDealer"


@pytest.fixture
async def client(open_campaign: Opener) -> Client:
    return await open_campaign(custom_resources=EXAMPLE_RESOURCES, two_step=False)


async def _post(client: Client, path: str, **document: Any) -> Any:
    answer = await client.call("POST", path, document)
    assert answer.status == 201, answer.body
    return answer.body


async def _family(client: Client) -> tuple[Any, Any, Any]:
    """A vehicle of c-1, a visit of the vehicle and a part of the visit, written in the worst order."""
    part = await _post(client, PART, externalId="p-1", serviceVisitExternalId="s-1")
    visit = await _post(client, VISIT, externalId="s-1", vehicleExternalId="v-1")
    return await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1"), visit, part


async def _listed(client: Client, path: str) -> list[str]:
    return [one["externalId"] for one in (await client.call("GET", path)).body["content"]]


async def _hidden(client: Client, name: str) -> dict[str, bool]:
    return {one["externalId"]: one["hidden"] for one in await client.control("GET", f"resources/{name}")}


def _is_unknown(answer: Answer) -> bool:
    return answer.status == 404 and "RST-360011" in answer.body and "Unable to find document" in answer.body


async def test_a_child_without_its_parent_is_stored_and_cannot_be_reached(client: Client) -> None:
    record = await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1")
    assert _is_unknown(await client.call("GET", record["href"]))
    assert await _listed(client, VEHICLE) == []
    assert await _listed(client, f"{VEHICLE}/byExternalId?externalId_parameter=v-1") == []
    assert (await client.call("GET", f"{VEHICLE}/_count")).body == {"count": 0}
    assert await _hidden(client, "cusVehicle") == {"v-1": True}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_writing_to_a_hidden_record_is_an_error_that_is_counted(client: Client, method: str) -> None:
    record = await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1")
    assert _is_unknown(await client.call(method, record["href"], {"color": "red"}))
    await client.call("GET", record["href"])
    (stored,) = await client.control("GET", "resources/cusVehicle?externalId=v-1")
    assert (stored["color"], stored["hidden"]) == ("unknown", True)
    counters = await client.control("GET", "counters")
    assert counters["hidden"] == {"writes": {f"cusVehicle {method}": 1}, "made": {"cusVehicle POST": 1}}
    assert counters["kinds"] == {f"cusVehicle {method}": 1, "cusVehicle GET": 1, "cusVehicle POST": 1}


async def test_the_key_of_a_hidden_record_is_taken(client: Client) -> None:
    await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1")
    again = await client.call("POST", VEHICLE, {"externalId": "v-1", "profileExternalId": "c-2"})
    assert (again.status, "PGS-220000" in again.body) == (500, True)


async def test_it_appears_when_the_parent_arrives_and_vanishes_with_it(client: Client) -> None:
    record = await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1", color="red")
    person = await client.create(email="a@example.com")
    assert await _listed(client, VEHICLE) == []
    await client.call("PATCH", person["href"], {"externalId": "c-1"})
    shown = (await client.call("GET", record["href"])).body
    assert (shown["color"], shown["profile"]["PKey"]) == ("red", person["PKey"])
    assert (await client.call("PATCH", record["href"], {"color": "blue"})).status == 200
    assert (await client.control("GET", "counters"))["hidden"]["writes"] == {}


async def test_hiding_goes_down_the_whole_line(client: Client) -> None:
    await _family(client)
    for name in ("cusVehicle", "cusServiceVisit", "cusServicePart"):
        assert list((await _hidden(client, name)).values()) == [True]
    await client.create(externalId="c-1")
    for path, key in ((VEHICLE, "v-1"), (VISIT, "s-1"), (PART, "p-1")):
        assert await _listed(client, path) == [key]
    made = (await client.control("GET", "counters"))["hidden"]["made"]
    assert made == {"cusServicePart POST": 1, "cusServiceVisit POST": 1, "cusVehicle POST": 1}


async def test_an_empty_column_hides_too(client: Client) -> None:
    await client.create(email="without@example.com")
    record = await _post(client, VEHICLE, externalId="v-1")
    assert _is_unknown(await client.call("GET", record["href"]))


async def test_moving_a_record_to_a_missing_parent_hides_it(client: Client) -> None:
    await client.create(externalId="c-1")
    vehicle, visit, _ = await _family(client)
    await client.control("POST", "counters/reset")
    assert (await client.call("PATCH", vehicle["href"], {"profileExternalId": "c-2"})).status == 200
    assert _is_unknown(await client.call("GET", visit["href"]))
    assert (await client.control("GET", "counters"))["hidden"] == {"writes": {}, "made": {"cusVehicle PATCH": 1}}
    await client.create(externalId="c-2")
    assert (await client.call("GET", visit["href"])).status == 200


async def test_a_link_of_kind_0_1_hides_nothing(client: Client) -> None:
    await client.create(externalId="c-1")
    record = await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1", dealerExternalId="d-1")
    assert record["dealer"] == ""
    dealer = await _post(client, DEALER, externalId="d-1")
    assert (await client.call("GET", record["href"])).body["dealer"]["PKey"] == dealer["PKey"]
    assert (await client.call("DELETE", dealer["href"])).status == 200
    assert (await client.call("GET", record["href"])).body["dealer"] == ""


async def test_the_documented_way_out_is_to_loosen_the_link_for_a_while(client: Client) -> None:
    record = await _post(client, VEHICLE, externalId="v-1", profileExternalId="c-1")
    strict = next(one for one in await client.control("GET", "resources") if one["name"] == "cusVehicle")
    loose = {**strict, "links": [{**link, "cardinality": "0..1"} for link in strict["links"]]}
    await client.control("POST", "resources", loose)
    assert (await client.call("PATCH", record["href"], {"color": "red"})).status == 200
    await client.control("POST", "resources", strict)
    assert _is_unknown(await client.call("GET", record["href"]))


@pytest.mark.parametrize("how", ["api", "person", "privacy"])
async def test_deleting_a_person_deletes_everything_below(client: Client, how: str) -> None:
    person = await client.create(externalId="c-1")
    await client.create(externalId="c-2")
    await _family(client)
    await _post(client, VEHICLE, externalId="v-2", profileExternalId="c-2")
    await _post(client, DEALER, externalId="c-1")
    if how == "api":
        assert (await client.call("DELETE", person["href"], {})).status == 200
    elif how == "person":
        await client.control("POST", "person/delete", {"externalId": "c-1"})
    else:
        request = {"name": "R", "namespaceName": "d365ExternalId", "reconciliationValue": "c-1", "type": "delete"}
        assert (await client.call("POST", "privacy/privacyTool", {**request, "regulation": "gdpr"})).status == 201
        assert await client.control("POST", "privacy/run") == {"R": "complete"}
    assert await _hidden(client, "cusVehicle") == {"v-2": False}
    assert await _hidden(client, "cusServiceVisit") == await _hidden(client, "cusServicePart") == {}
    assert await _hidden(client, "cusDealer") == {"c-1": False}


async def test_deleting_a_parent_resource_deletes_its_children_hidden_ones_too(client: Client) -> None:
    await client.create(externalId="c-1")
    vehicle, _, _ = await _family(client)
    assert (await client.call("DELETE", vehicle["href"])).status == 200
    assert await _hidden(client, "cusServiceVisit") == await _hidden(client, "cusServicePart") == {}


async def test_without_cascade_children_stay_and_are_hidden(client: Client) -> None:
    vehicle = next(one for one in await client.control("GET", "resources") if one["name"] == "cusVehicle")
    kept = {**vehicle, "links": [{**link, "cascade": False} for link in vehicle["links"]]}
    await client.control("POST", "resources", kept)
    person = await client.create(externalId="c-1")
    await _family(client)
    await client.call("DELETE", person["href"])
    assert await _hidden(client, "cusVehicle") == {"v-1": True}
    assert await _hidden(client, "cusServicePart") == {"p-1": True}


async def test_faults_meet_one_resource(client: Client) -> None:
    await client.control("POST", "faults", {"fault": "refuse", "status": 429, "kind": "cusVehicle", "times": None})
    assert (await client.call("GET", VEHICLE)).status == 429
    assert (await client.call("GET", VISIT)).status == 200
    counters = await client.control("GET", "counters")
    assert counters["refused"] == {"cusVehicle GET list": 1}
    assert counters["kinds"] == {"cusServiceVisit GET list": 1}


async def test_a_timed_out_write_that_lands_after_its_parent_went_is_hidden(
    client: Client, clock: StoppedClock
) -> None:
    person = await client.create(externalId="c-1")
    fault = {"fault": "time-out", "kind": "cusVehicle POST", "hold_s": 5, "apply_after_s": 60}
    await client.control("POST", "faults", fault)
    late = asyncio.create_task(client.call("POST", VEHICLE, {"externalId": "v-1", "profileExternalId": "c-1"}))
    await clock.awaited()
    clock.advance(seconds=5)
    with pytest.raises(aiohttp.ClientError):
        await late
    await client.call("DELETE", person["href"])
    clock.advance(seconds=55)

    async def landed() -> bool:
        return not (await client.control("GET", "faults"))["late_writes"]

    await eventually(landed)
    assert await _hidden(client, "cusVehicle") == {"v-1": True}


async def test_an_unknown_resource_has_no_records_to_show(client: Client) -> None:
    answer = await client.call("GET", f"{client.campaign.url}/_sandbox/resources/cusShop")
    assert (answer.status, "cusShop" in answer.body["error"]) == (404, True)
