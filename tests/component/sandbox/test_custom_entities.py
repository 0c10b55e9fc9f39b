"""Three linked tables, whatever order their announcements arrive in: never a child before its parent."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from sandbox.garage import PARTS, VEHICLES, VISITS, Garage, Lineage, owned_by, visit_of
from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_bad_input import changed, post
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(600),
]
TABLES = ("contact", "new_vehicle", "new_servicevisit", "new_servicepart")
REFUSED = {"fault": "refuse", "status": 503, "retry_after_s": 1, "times": None, "method": "POST", "kind": "profile"}


async def customer(people: People) -> str:
    return await people.create("contacts", {"firstname": "Bertha", "lastname": "Canary"})


async def announce(world: World, table: str, record_id: str, copy: int) -> None:
    """A creation, as Dynamics would; `copy` makes the bytes differ, so that the broker takes it for another one."""
    body = changed(MessageName="Create", PrimaryEntityName=table, PrimaryEntityId=record_id, OperationId=str(copy))
    assert (await post(world, body))[0] == 202


async def shown(people: People, *lineages: Lineage) -> list[bool]:
    """Of each of the lineages' three, whether Campaign shows it."""
    records = {**await people.records("cusVehicle"), **await people.records("cusServiceVisit")}
    records |= await people.records("cusServicePart")
    ids = [one for lineage in lineages for one in (lineage.vehicle, lineage.visit, lineage.part)]
    return [one in records and not records[one]["hidden"] for one in ids]


async def here(people: People, *lineages: Lineage) -> bool:
    """All of them."""
    return all(await shown(people, *lineages))


async def gone(people: People, lineage: Lineage) -> bool:
    """None of them."""
    return not any(await shown(people, lineage))


async def whole(people: People) -> tuple[str, Lineage]:
    """A contact with a vehicle, a visit and a part, all in Campaign."""
    contact = await customer(people)
    lineage = await Garage(people).lineage(contact)
    assert await eventually(lambda: here(people, lineage), 240)
    return contact, lineage


async def test_every_order_of_arrival_with_duplicates_and_with_losses(sandbox: World, people: People) -> None:
    """24 orders, each a lineage's; every second one hears nothing of the contact, which the children ask for."""
    await people.dynamics_fault({"target": "webhook", "effect": "lose", "message": "Create"})

    async def arrive(number: int, order: tuple[int, ...]) -> Lineage:
        contact = await customer(people)
        lineage = await Garage(people).lineage(contact)
        rows = (contact, lineage.vehicle, lineage.visit, lineage.part)
        for place in order:
            if place or number % 2:
                copies = (announce(sandbox, TABLES[place], rows[place], copy) for copy in range(1 + number % 3))
                await asyncio.gather(*copies)
            await asyncio.sleep(0.2)
        return lineage

    lineages = await asyncio.gather(*(arrive(n, order) for n, order in enumerate(permutations(range(4)))))
    assert await eventually(lambda: here(people, *lineages), 300)
    assert await at_rest(sandbox, 300)
    assert await broken(sandbox, people) == []
    assert sandbox.broker.counts()["parked"]["active"] == 0


async def test_updates_and_deletes_of_a_waiting_child_count(sandbox: World, people: People) -> None:
    """Campaign takes no profiles for a while; the last state of the children is what arrives."""
    await people.marketing("faults", REFUSED)
    garage, contact = Garage(people), await customer(people)
    stays, goes = await garage.lineage(contact), await garage.lineage(contact)
    waiting = sandbox.host.heard.reasons["custom-entity", "parent_missing"]
    assert await eventually(lambda: sandbox.host.heard.reasons["custom-entity", "parent_missing"] > waiting + 2)
    await people.update(VEHICLES, stays.vehicle, {"new_name": "Truck"})
    await people.update(VISITS, stays.visit, {"new_cost": 7.25})
    await people.remove(PARTS, stays.part)
    await people.remove(VEHICLES, goes.vehicle)
    await asyncio.sleep(1)
    assert stays.vehicle not in await people.records("cusVehicle"), "it waits"
    await people.end_faults()

    async def arrived() -> bool:
        visit = (await people.records("cusServiceVisit")).get(stays.visit)
        return visit is not None and visit["cost"] == 7.25

    assert await eventually(arrived, 240)
    assert (await people.records("cusVehicle"))[stays.vehicle]["vehicleName"] == "Truck"
    assert await at_rest(sandbox, 300)
    assert await gone(people, goes)
    assert stays.part not in await people.records("cusServicePart")
    assert await broken(sandbox, people) == []


async def test_a_child_moves_to_another_parent_that_is_not_there_yet(sandbox: World, people: People) -> None:
    contact, lineage = await whole(people)
    await people.dynamics_fault({"target": "webhook", "effect": "lose", "table": "contact"})
    other = await customer(people)
    vehicle = await Garage(people).vehicle(other)
    await people.update(VEHICLES, lineage.vehicle, owned_by(other))
    await people.update(VISITS, lineage.visit, visit_of(vehicle))

    async def moved() -> bool:
        vehicles, visits = await people.records("cusVehicle"), await people.records("cusServiceVisit")
        owner, of = vehicles[lineage.vehicle]["profileExternalId"], visits[lineage.visit]["vehicleExternalId"]
        return bool((owner, of) == (other, vehicle))

    assert await eventually(moved, 240)
    await people.end_faults()
    await people.delete(contact)
    assert await at_rest(sandbox, 300)
    assert await here(people, lineage), "nothing goes with a parent that it has left"
    assert await broken(sandbox, people) == []


async def test_a_deleted_contact_takes_everything_below_it_along(sandbox: World, people: People) -> None:
    contact, lineage = await whole(people)
    await people.delete(contact)
    assert await eventually(lambda: gone(people, lineage), 240)
    assert await at_rest(sandbox, 300)
    assert await broken(sandbox, people) == []


async def test_a_vehicle_that_loses_its_contact_is_shown_no_more(sandbox: World, people: People) -> None:
    """Without its required parent Campaign would hide it: it goes, with what is below it, and comes back with one."""
    contact, lineage = await whole(people)
    await people.update(VEHICLES, lineage.vehicle, {"new_ContactId@odata.bind": None})
    assert await eventually(lambda: gone(people, lineage), 240)
    await people.update(VEHICLES, lineage.vehicle, owned_by(contact))
    assert await eventually(lambda: here(people, lineage), 240)
    assert await at_rest(sandbox, 300)
    assert await broken(sandbox, people) == []


async def test_what_a_person_deletes_in_campaign_comes_back_with_all_below_it(sandbox: World, people: People) -> None:
    contact, lineage = await whole(people)
    assert await at_rest(sandbox, 300)
    await people.marketing("person/delete", {"externalId": contact})
    assert await gone(people, lineage), "Campaign cascades"
    await people.change(contact, firstname="Again")
    assert await eventually(lambda: here(people, lineage), 240)
    assert await at_rest(sandbox, 300)
    assert await broken(sandbox, people) == []


async def test_the_host_is_killed_while_three_levels_are_under_way(sandbox: World, people: People) -> None:
    _, old = await whole(people)
    await people.marketing("faults", {"fault": "slow", "seconds": 1, "times": 30})
    garage = Garage(people)
    lineages = [await garage.lineage(await customer(people)) for _ in range(3)]
    await people.update(VISITS, old.visit, {"new_cost": 1})
    await people.remove(PARTS, old.part)
    assert await eventually(lambda: sandbox.broker.counts()["custom-entity"]["locked"] > 0)
    assert await eventually(lambda: _announced(people))
    await sandbox.host.kill()
    await sandbox.host.start()
    assert await eventually(lambda: here(people, *lineages), 300)
    await people.end_faults()
    assert await eventually(lambda: _checked(sandbox, people), 120), await broken(sandbox, people)
    assert old.part not in await people.records("cusServicePart")


async def _checked(sandbox: World, people: People) -> bool:
    """A claim that died with the host, and its message with a lock that was lost, is for the timer to find."""
    await sandbox.host.fire("ledger_checks")
    return await at_rest(sandbox, 300) and await broken(sandbox, people) == []


async def _announced(people: People) -> bool:
    return not await people.webhooks_waiting()
