"""The sandbox registers the bridge's webhook for any tables, as often as it is asked to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.dataverse import Dataverse
from sandbox.people import People, Refused
from sandbox.registration import register
from sandbox.tls import Tls
from tests.contract.dataverse import vehicles
from tests.contract.dataverse.conftest import Client, Receiver, until

TABLES = {"new_vehicle": ("new_name", "new_contactid"), "new_servicevisit": ("new_cost",)}


@pytest.fixture
def world(dataverse: Dataverse, tls: Tls, receiver: Receiver) -> Any:
    """As much of a running sandbox as registering needs; the receiver stands for the Functions host."""
    authority = f"{dataverse.url}/{dataverse.org.config.tenant_id}"
    return SimpleNamespace(
        tls=tls,
        dataverse=dataverse,
        campaign=SimpleNamespace(url="http://127.0.0.1:9"),
        host=SimpleNamespace(url=receiver.url.removesuffix("/api/dataverse")),
        settings={
            "DYNAMICS_AUTHORITY": authority,
            "WEBHOOK_SECRETS": "new,old",
            "MAPPING_FILE": "sandbox/mapping.yaml",
        },
    )


@pytest.fixture
async def people(world: Any) -> AsyncIterator[People]:
    async with People(world) as found:
        yield found


async def steps(people: People) -> dict[str, str | None]:
    found = await people.rows("sdkmessageprocessingsteps")
    return {step["name"].removeprefix("Dynamics-Campaign bridge: "): step["filteringattributes"] for step in found}


async def test_every_mapped_table_comes_with_its_columns_and_is_tracked(world: Any, people: People, admin: Client):
    assert await register(world, people) is True
    assert await register(world, people) is False
    found = await steps(people)
    tables = ("contact", "new_dealer", "new_vehicle", "new_servicevisit", "new_servicepart")
    assert set(found) == {f"{message} of {table}" for table in tables for message in ("Create", "Update", "Delete")}
    assert "donotbulkemail" in (found["Update of contact"] or "").split(",")
    assert {"new_contactid", "new_dealerid", "new_vin"} <= set((found["Update of new_vehicle"] or "").split(","))
    definitions = await admin.get("EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true")
    assert {one["LogicalName"] for one in definitions.json["value"]} >= set(tables)


async def test_tables_are_added_to_those_that_are_there(world: Any, people: People):
    await register(world, people, {"contact": ("firstname",)})
    assert await register(world, people, TABLES) is True
    assert await register(world, people, TABLES) is False
    found = await steps(people)
    assert len(found) == 9
    assert found["Update of new_vehicle"] == "new_name,new_contactid"
    assert found["Delete of new_vehicle"] is None
    assert len(await people.rows("serviceendpoints")) == 1


async def test_other_columns_and_another_address_are_corrected(world: Any, people: People):
    await register(world, people, TABLES)
    assert await register(world, people, {"new_vehicle": ()}) is True
    assert (await steps(people))["Update of new_vehicle"] is None, "no columns: every update is announced"
    world.host.url = "http://127.0.0.1:9"
    assert await register(world, people, {"new_vehicle": ()}) is True
    (endpoint,) = await people.rows("serviceendpoints")
    assert endpoint["url"] == "http://127.0.0.1:9/api/dataverse"


async def test_what_was_registered_fires(world: Any, people: People, admin: Client, receiver: Receiver):
    await register(world, people, TABLES)
    van = await vehicles.vehicle(admin)
    seen = await vehicles.visit(admin, van)
    await admin.patch(f"new_servicevisits({seen})", {"new_kind": 100000000})
    await admin.delete(f"new_vehicles({van})")
    await until(lambda: len(receiver.calls) == 4)
    told = {(body["PrimaryEntityName"], body["MessageName"]) for body in receiver.bodies}
    assert told == {(table, message) for table in TABLES for message in ("Create", "Delete")}
    assert {headers["x-bridge-key"] for headers, _, _ in receiver.calls} == {"new"}


async def test_tables_and_columns_that_are_not_there(world: Any, people: People):
    with pytest.raises(ValueError, match="Dynamics has no table new_boat"):
        await register(world, people, {"new_boat": ()})
    with pytest.raises(Refused, match="new_wheels"):
        await register(world, people, {"new_vehicle": ("new_wheels",)})
