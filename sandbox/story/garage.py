"""The chapters of the garage: custom tables three levels deep, and never a child in Campaign before its parent."""

from __future__ import annotations

from collections.abc import Awaitable

from sandbox.garage import PARTS, VEHICLES, VISITS, Garage, Lineage, owned_by, sold_by
from sandbox.story.book import Book

LATE_S = {"contact": 3, "new_vehicle": 2, "new_servicevisit": 1}
WAITING = ("custom-entity", "parent_missing")
RESOURCES = {VEHICLES: "cusVehicle", VISITS: "cusServiceVisit", PARTS: "cusServicePart"}


async def serviced(book: Book) -> None:
    """Two new customers; Dynamics announces the parts first, then the visits, the vehicles, and the people last."""
    book.open("Vehicles, visits and parts of new customers are announced before what they belong to")
    for table, seconds in LATE_S.items():
        late = {"target": "webhook", "effect": "delay", "table": table, "message": "Create", "seconds": seconds}
        await book.people.dynamics_fault(late)
    garage = Garage(book.people)
    for number in (20, 21):
        contact = await book.people.create("contacts", {"firstname": "Bertha", "lastname": f"Benz {number}"})
        book.contacts.append(contact)
        book.lineages.append(await garage.lineage(contact))
    await book.expect("parts wait for their visits", lambda: book.world.host.heard.reasons[WAITING] >= 2)
    await book.expect("2 vehicles, 2 visits and 2 parts arrive", lambda: _records(book, 2))
    await book.people.end_faults()
    await book.expect("everything is at rest", book.at_rest)
    await book.expect("Campaign had nothing to hide", lambda: _nothing_hidden(book))


async def sold(book: Book) -> None:
    """A vehicle changes hands, and gets a dealer that Campaign does not require."""
    book.open("A vehicle is sold")
    dealer = await Garage(book.people).dealer()
    vehicle = book.lineages[1].vehicle
    await book.people.update(VEHICLES, vehicle, owned_by(book.contacts[0]) | sold_by(dealer))
    await book.expect("Campaign shows it with its new owner", lambda: _is_of(book, vehicle, book.contacts[0]))
    await book.expect("everything is at rest", book.at_rest)


async def priced(book: Book) -> None:
    """What one record of a custom table costs, counted at Campaign."""
    book.open("What a record of a custom table costs")
    garage, people, vehicle = Garage(book.people), book.people, book.lineages[1].vehicle
    made: list[str] = []

    async def insert() -> None:
        made.append(await garage.visit(vehicle))

    insertion = await _cost(book, insert())
    change = await _cost(book, people.update(VISITS, made[0], {"new_cost": 99}))
    nothing = await _cost(book, people.update(VISITS, made[0], {"new_cost": 99}))
    deletion = await _cost(book, people.remove(VISITS, made[0]))
    names = ("created", "changed", "announced and unchanged", "deleted")
    for name, calls in zip(names, (insertion, change, nothing, deletion), strict=True):
        book.costs[f"engine calls for a visit {name}"] = calls
    await book.expect(
        "1 created; 2 changed, 0 unchanged, 2 deleted: a record is looked up before it is written",
        lambda: [insertion, change, nothing, deletion] == [1, 2, 0, 2],
    )


async def inherited(book: Book) -> None:
    """Called when the last three contacts are deleted: a lineage goes with its contact, a sold vehicle does not."""
    first, second = book.lineages
    await book.expect("a deleted contact's vehicle, visit and part are gone from both", lambda: _gone(book, first))
    await book.expect("the sold vehicle, its visit and its part are still there", lambda: _there(book, second))
    await book.expect("Campaign had nothing to hide", lambda: _nothing_hidden(book))


async def _cost(book: Book, done: Awaitable[object]) -> int:
    """The engine calls that follow, until everything is at rest."""
    await book.until(book.at_rest)
    calls, settled = await _engine_calls(book), sum(book.world.host.heard.reasons.values())
    await done
    await book.until(lambda: sum(book.world.host.heard.reasons.values()) > settled)
    await book.until(book.at_rest)
    return await _engine_calls(book) - calls


async def _engine_calls(book: Book) -> int:
    return sum((await book.people.engine_calls()).values())


async def _records(book: Book, count: int) -> bool:
    return all([len(await book.people.records(resource)) == count for resource in RESOURCES.values()])


async def _is_of(book: Book, vehicle: str, contact: str) -> bool:
    record = (await book.people.records(RESOURCES[VEHICLES]))[vehicle]
    return bool(record["profileExternalId"] == contact)


async def _gone(book: Book, lineage: Lineage) -> bool:
    return not await _found(book, lineage)


async def _there(book: Book, lineage: Lineage) -> bool:
    return len(await _found(book, lineage)) == 2 * len(RESOURCES)


async def _found(book: Book, lineage: Lineage) -> list[str]:
    """Of the lineage's three, in Dynamics and in Campaign."""
    found = list[str]()
    for entity_set, resource in RESOURCES.items():
        found += [row[f"{entity_set.removesuffix('s')}id"] for row in await book.people.rows(entity_set)]
        found += await book.people.records(resource)
    return [one for one in found if one in (lineage.vehicle, lineage.visit, lineage.part)]


async def _nothing_hidden(book: Book) -> bool:
    return not any((await book.people.hidden()).values())
