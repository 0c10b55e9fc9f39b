"""Engine calls, measured at the Campaign stand-in, in the life of a contact and of a custom record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable

import pytest

from sandbox.garage import VISITS, Garage
from sandbox.people import People
from sandbox.world import World
from shared.domain.change import RecordKey
from shared.stores.ledger_entity import address
from shared.stores.storage_calls import table_service
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package")]


async def cost(world: World, people: People, done: Awaitable[object]) -> Counter[str]:
    """The engine calls that follow, until everything is at rest."""
    assert await at_rest(world)
    before = Counter(await people.engine_calls())
    settled = sum(world.host.heard.reasons.values())
    await done
    assert await eventually(lambda: sum(world.host.heard.reasons.values()) > settled)
    assert await at_rest(world)
    return Counter(await people.engine_calls()) - before


async def forget(world: World, contact_id: str) -> None:
    """The ledger loses the contact's row."""
    async with table_service(world.settings["Storage"]) as service:
        partition, row = address(RecordKey("contact", contact_id))
        await service.get_table_client("ledger").delete_entity(partition, row)


async def test_the_life_of_a_contact(sandbox: World, people: People) -> None:
    row = {"firstname": "Cost", "lastname": "mcdonald", "emailaddress1": "cost@canary.test"}
    made: list[str] = []

    async def create() -> None:
        made.append(await people.create("contacts", row))

    assert await cost(sandbox, people, create()) == {"profile POST": 1}
    (contact_id,) = made
    assert (await people.profiles())[contact_id]["lastName"] == "Mcdonald", "Campaign's data policy rewrites it"
    assert await cost(sandbox, people, people.change(contact_id, firstname="Costs")) == {"profile PATCH": 1}
    assert await cost(sandbox, people, people.change(contact_id, firstname="Costs")) == {}, "unchanged"
    await forget(sandbox, contact_id)
    adopted = await cost(sandbox, people, people.change(contact_id, firstname="Known"))
    assert adopted == {"profile GET": 1, "profile PATCH": 1}, "one look more, once"
    assert await cost(sandbox, people, people.change(contact_id, firstname="Again")) == {"profile PATCH": 1}
    assert await cost(sandbox, people, people.delete(contact_id)) == {"profile GET": 1, "privacy POST": 1}


async def test_the_life_of_a_custom_record(sandbox: World, people: People) -> None:
    """Written by its handle only, so a change and a deletion look for it first."""
    garage, made = Garage(people), list[str]()
    vehicle = await garage.vehicle(await people.create("contacts", {"firstname": "Cost", "lastname": "Canary"}))

    async def visit() -> None:
        made.append(await garage.visit(vehicle))

    async def vehicle_is_there() -> bool:
        return vehicle in await people.records("cusVehicle")

    assert await eventually(vehicle_is_there)
    assert await cost(sandbox, people, visit()) == {"cusServiceVisit POST": 1}
    changed = await cost(sandbox, people, people.update(VISITS, made[0], {"new_cost": 9}))
    assert changed == {"cusServiceVisit GET list": 1, "cusServiceVisit PATCH": 1}
    assert await cost(sandbox, people, people.update(VISITS, made[0], {"new_cost": 9})) == {}, "unchanged"
    deleted = await cost(sandbox, people, people.remove(VISITS, made[0]))
    assert deleted == {"cusServiceVisit GET list": 1, "cusServiceVisit DELETE": 1}
