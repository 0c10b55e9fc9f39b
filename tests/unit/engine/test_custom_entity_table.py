"""docs/flows/custom_entity.md, "What happens when": every line of the table, played against the real engine."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.change import Why
from shared.domain.ledger import Absent, Unknown
from shared.domain.mapping import Mappings, WhenFilteredOut
from tests.unit.engine.conftest import Lines
from tests.unit.engine.small_garage import (
    DEALER,
    OTHER_PERSON,
    OTHER_VEHICLE,
    PARENT_WAIT,
    PERSON,
    VEHICLE,
    VIN,
    VISIT,
    Garage,
)

Play = Callable[[Garage], Awaitable[None]]
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "flows" / "custom_entity.md"
LINE = re.compile(r"\| ([^|]+) \| (none|[A-Z, ]+) \| (done|comes back|parked) \| `(\w+)` \|")
TABLE = [match.groups() for match in map(LINE.fullmatch, DOCUMENT.read_text().splitlines()) if match]
PLAYS: dict[str, Play] = {}


def situation(text: str) -> Callable[[Play], Play]:
    """Name a play as the table's first cell has it."""

    def register(play: Play) -> Play:
        PLAYS[text] = play
        return play

    return register


@pytest.mark.parametrize(("text", "calls", "ending", "reason"), TABLE, ids=[row[0] for row in TABLE])
async def test_what_happens_when(text: str, calls: str, ending: str, reason: str, lines: Lines) -> None:
    garage = Garage()
    await PLAYS[text](garage)
    said = lines("decision")[-1]
    ended = "parked" if said.get("parked") else "comes back" if "again_in_s" in said else "done"
    assert (", ".join(garage.shelf.calls) or "none", ended, said["reason"]) == (calls, ending, reason)


def test_every_play_stands_in_the_table() -> None:
    assert [row[0] for row in TABLE] == list(PLAYS)


async def test_a_child_that_waits_for_something_further_up_says_so(lines: Lines) -> None:
    """Its parent is known to whom would release it, though nobody announced it; no messages pile up meanwhile."""
    garage = Garage()
    garage.row(PERSON, active=False)
    for attempt in range(3):
        await garage.told(VISIT, attempt=attempt)
    waits = f"waits for {PERSON}: kept out by its filters, or without a parent itself"
    assert lines("decision")[-1]["detail"] == f"{VEHICLE}: {waits}"
    assert (garage.hinted(VEHICLE), garage.hinted(PERSON)) == (0, 0)
    garage.row(PERSON, active=True)
    await garage.arrive(PERSON)
    assert garage.hinted(VEHICLE) == 1
    await garage.arrive(VEHICLE)
    assert garage.hinted(VISIT) == 1


async def test_what_would_be_hidden_two_levels_below_goes_first_and_what_hides_it_next(lines: Lines) -> None:
    """Campaign deletes a vehicle with its contact, but only hides the visit of that vehicle."""
    garage = Garage()
    garage.hides_visits()
    contact = replace(garage.pairs.contact, when_filtered_out=WhenFilteredOut.DELETE)
    garage.pairs = Mappings(contact, garage.pairs.entities)
    await garage.arrive(PERSON, VEHICLE, VISIT)
    garage.row(PERSON, active=False)
    ended = []
    for record in (PERSON, VEHICLE, VISIT, VEHICLE, PERSON):
        await garage.told(record)
        ended.append((lines("decision")[-1]["reason"], garage.shelf.calls.count("DELETE")))
    waits, parts = ("children_first", 0), ("parent_missing", 1)
    assert ended == [waits, waits, parts, parts, ("written", 1)]
    assert (garage.hinted(VEHICLE), garage.hinted(VISIT)) == (1, 1), "the same hint twice is one"
    assert not garage.shelf.kept


async def test_a_parent_waits_longer_than_a_worker_that_died_on_a_child_holds_its_claim(lines: Lines) -> None:
    garage = Garage()
    await garage.arrive(PERSON, VEHICLE, VISIT)
    del garage.rows[VEHICLE]
    claim_s = garage.ports.timings.claim_s
    for age_s, reason in ((claim_s + 60, "children_first"), (2 * claim_s + 1, "written")):
        await garage.told(VEHICLE, Why.DELETE, age=timedelta(seconds=age_s), attempt=9)
        assert lines("decision")[-1]["reason"] == reason


async def test_who_waits_for_a_claimed_parent_looks_less_and_less_often(lines: Lines) -> None:
    garage = Garage()
    await garage.arrive(PERSON)
    await garage.claim(PERSON, garage.known.clock.now() + timedelta(seconds=150))
    waits = []
    for attempt in (0, 3, 9):
        await garage.told(VEHICLE, attempt=attempt)
        waits.append(lines("decision")[-1]["again_in_s"])
    first, later, last = waits
    assert first < 10 < later < 25 < 150 < last


@situation("A new vehicle; its contact is in Campaign")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE)
    assert garage.ledger(VEHICLE).found_by == VIN
    assert garage.shelf.kept[VIN]["profileExternalId"] == PERSON.id
    assert garage.hinted(VEHICLE) == 0, "no opt-outs to look at"


@situation("A new vehicle; its contact is not in Campaign yet, and is hinted")
async def _(garage: Garage) -> None:
    await garage.told(VEHICLE)
    assert garage.hinted(PERSON) == 1


@situation("A waiting vehicle; its contact has been stored")
async def _(garage: Garage) -> None:
    await garage.arrive(VEHICLE, PERSON)
    assert garage.hinted(VEHICLE), "released"
    await garage.told(VEHICLE)


@situation("A waiting vehicle was changed; its contact has been stored")
async def _(garage: Garage) -> None:
    await garage.arrive(VEHICLE, PERSON)
    garage.row(VEHICLE, color="blue")
    await garage.told(VEHICLE)
    assert garage.shelf.kept[VIN]["color"] == "blue"


@situation("A waiting visit was deleted")
async def _(garage: Garage) -> None:
    await garage.arrive(VISIT)
    del garage.rows[VISIT]
    await garage.told(VISIT, Why.DELETE)
    assert isinstance(garage.ledger(VISIT).state, Absent)


@situation("A waiting vehicle was deleted, and with it the VIN that it would be found by")
async def _(garage: Garage) -> None:
    await garage.arrive(VEHICLE)
    del garage.rows[VEHICLE]
    await garage.told(VEHICLE, Why.DELETE)


@situation("A new visit; neither its vehicle nor the contact is there")
async def _(garage: Garage) -> None:
    await garage.told(VISIT)
    assert (garage.hinted(VEHICLE), garage.hinted(PERSON)) == (1, 0), "the vehicle will hint its contact"


@situation("A new vehicle; its contact is being worked on")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON)
    await garage.claim(PERSON, garage.known.clock.now() + timedelta(minutes=1))
    await garage.told(VEHICLE)


@situation("A new vehicle; the filters keep its contact out")
async def _(garage: Garage) -> None:
    garage.row(PERSON, active=False)
    await garage.told(VEHICLE)
    assert garage.hinted(PERSON) == 0


@situation("A new vehicle; Dynamics does not have its contact")
async def _(garage: Garage) -> None:
    del garage.rows[PERSON]
    await garage.told(VEHICLE)
    assert garage.hinted(PERSON) == 0


@situation("A vehicle that has waited for longer than `PARENT_MAX_WAIT_HOURS`")
async def _(garage: Garage) -> None:
    garage.row(PERSON, active=False)
    await garage.told(VEHICLE, age=PARENT_WAIT + timedelta(seconds=1), attempt=12)


@situation("A new vehicle; its dealer (`0 or 1`) is not in Campaign")
async def _(garage: Garage) -> None:
    del garage.rows[DEALER]
    await garage.arrive(PERSON, VEHICLE)


@situation("A vehicle announced again, unchanged")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VEHICLE)


@situation("A vehicle was changed")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE)
    garage.row(VEHICLE, color="blue")
    await garage.told(VEHICLE)
    assert garage.shelf.kept[VIN]["color"] == "blue"


@situation("A vehicle was given to another contact, who is in Campaign")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, OTHER_PERSON, VEHICLE)
    garage.row(VEHICLE, owner=OTHER_PERSON.id)
    await garage.told(VEHICLE)
    assert garage.ledger(VEHICLE).parents == {OTHER_PERSON}
    assert [child async for child in garage.ports.family.children(PERSON)] == []


@situation("A vehicle was given to another contact, who is not in Campaign yet")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE)
    garage.row(VEHICLE, owner=OTHER_PERSON.id)
    await garage.told(VEHICLE)
    assert garage.hinted(OTHER_PERSON)
    assert garage.shelf.kept[VIN]["profileExternalId"] == PERSON.id, "until then it stays where it is"


@situation("A vehicle was given to another contact, whom the filters keep out; its visit is in Campaign")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    garage.row(OTHER_PERSON, active=False)
    garage.row(VEHICLE, owner=OTHER_PERSON.id)
    await garage.told(VEHICLE)
    assert VIN not in garage.shelf.kept, "it does not stay under its former owner"
    assert isinstance(garage.ledger(VEHICLE).state, Absent)
    assert isinstance(garage.ledger(VISIT).state, Unknown), "doubted"
    assert [child async for child in garage.ports.family.children(OTHER_PERSON)] == [VEHICLE], "who would release it"


@situation("A visit was moved to another vehicle, whose contact the filters keep out")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    garage.row(OTHER_PERSON, active=False)
    garage.row(OTHER_VEHICLE, vin="WBA-2", owner=OTHER_PERSON.id)
    garage.row(VISIT, vehicle=OTHER_VEHICLE.id)
    await garage.told(VISIT)
    assert isinstance(garage.ledger(VISIT).state, Absent), "it does not stay under its former vehicle"


@situation("A vehicle lost its contact; its visit is in Campaign")
async def _(garage: Garage) -> None:
    """The visit's row is still there, so nobody waits for it to go."""
    await garage.arrive(PERSON, VEHICLE, VISIT)
    garage.row(VEHICLE, owner=None)
    await garage.told(VEHICLE)
    assert isinstance(garage.ledger(VISIT).state, Unknown), "doubted"


async def lost_its_contact_before_its_visit(garage: Garage, age: timedelta = timedelta(0)) -> None:
    garage.hides_visits()
    await garage.arrive(PERSON, VEHICLE, VISIT)
    garage.row(VEHICLE, owner=None)
    await garage.told(VEHICLE, age=age)


@situation(
    "A vehicle lost its contact; its visit in Campaign, which would only be hidden (`cascade: false`), is hinted"
)
async def _(garage: Garage) -> None:
    await lost_its_contact_before_its_visit(garage)
    assert garage.hinted(VISIT)


@situation("That visit then")
async def _(garage: Garage) -> None:
    await lost_its_contact_before_its_visit(garage)
    await garage.told(VISIT)
    assert isinstance(garage.ledger(VISIT).state, Absent), "shown and deleted, so it is not only hidden"


@situation("That vehicle, after its visit")
async def _(garage: Garage) -> None:
    await lost_its_contact_before_its_visit(garage)
    await garage.told(VISIT)
    await garage.told(VEHICLE)
    assert not garage.shelf.kept.keys() & {VIN, VISIT.id}


@situation("That vehicle, when after five minutes its visit is still there")
async def _(garage: Garage) -> None:
    await lost_its_contact_before_its_visit(garage)
    await garage.told(VEHICLE, age=timedelta(minutes=6))


@situation("A vehicle lost its contact an hour ago, in an outage; its visit, which would be hidden, is hinted")
async def _(garage: Garage) -> None:
    await lost_its_contact_before_its_visit(garage, age=timedelta(hours=1))
    assert garage.hinted(VISIT)


@situation("A visit was deleted")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    del garage.rows[VISIT]
    await garage.told(VISIT, Why.DELETE)
    assert isinstance(garage.ledger(VISIT).state, Absent)


@situation("A dealer was deleted; `delete_mode: ignore`")
async def _(garage: Garage) -> None:
    await garage.arrive(DEALER)
    del garage.rows[DEALER]
    await garage.told(DEALER, Why.DELETE)


async def _vehicle_gone(garage: Garage, age: timedelta = timedelta(0), attempt: int = 0) -> None:
    del garage.rows[VEHICLE]
    await garage.told(VEHICLE, Why.DELETE, age=age, attempt=attempt)


@situation("A vehicle was deleted; its visit is still in Campaign")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    hinted = garage.hinted(VISIT)
    await _vehicle_gone(garage)
    assert VIN in garage.shelf.kept
    assert garage.hinted(VISIT) == hinted, "Dynamics is about to announce it"


@situation("A vehicle was deleted; at the second look its visit is still in Campaign, and is hinted")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    hinted = garage.hinted(VISIT)
    await _vehicle_gone(garage, attempt=1)
    assert garage.hinted(VISIT) == hinted + 1


@situation("A vehicle was deleted, and its visit before it")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    del garage.rows[VISIT]
    await garage.told(VISIT, Why.DELETE)
    await _vehicle_gone(garage)


@situation("A vehicle was deleted; after five minutes its visit is still in Campaign")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    await _vehicle_gone(garage, timedelta(minutes=6))
    assert isinstance(garage.ledger(VISIT).state, Unknown), "doubted"
    assert garage.hinted(VISIT)


@situation("A vehicle was deleted; after five minutes its visit is being worked on")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE, VISIT)
    await garage.claim(VISIT, garage.known.clock.now() + timedelta(minutes=1))
    await _vehicle_gone(garage, timedelta(minutes=6))


@situation("A contact was deleted in Campaign by a person, and has changed")
async def _(garage: Garage) -> None:
    """Campaign has deleted the vehicle with it: nobody told, and so it is looked at again."""
    await garage.arrive(PERSON, VEHICLE)
    garage.shelf.kept.clear()
    garage.row(PERSON, first="Berta")
    await garage.told(PERSON)
    assert isinstance(garage.ledger(VEHICLE).state, Unknown), "doubted"
    assert garage.hinted(VEHICLE)


@situation("A vehicle's VIN was changed")
async def _(garage: Garage) -> None:
    await garage.arrive(PERSON, VEHICLE)
    garage.row(VEHICLE, vin="WBA-2")
    await garage.told(VEHICLE)
    assert list(garage.shelf.kept) == [PERSON.id, VIN]


@situation("A new vehicle without a VIN")
async def _(garage: Garage) -> None:
    garage.row(VEHICLE, vin=None)
    await garage.arrive(PERSON, VEHICLE)


async def _hidden(garage: Garage, attempt: int) -> None:
    await garage.arrive(PERSON)
    garage.shelf.kept[VIN] = {}
    garage.shelf.hidden.add(VIN)
    await garage.told(VEHICLE, attempt=attempt, announced=False)


@situation("Campaign hides the vehicle under a former contact, first look")
async def _(garage: Garage) -> None:
    await _hidden(garage, attempt=0)


@situation("Campaign hides the vehicle under a former contact, a later look")
async def _(garage: Garage) -> None:
    await _hidden(garage, attempt=1)


@situation("A vehicle, of which the mapping says nothing any more")
async def _(garage: Garage) -> None:
    garage.pairs = Mappings(garage.pairs.contact)
    await garage.told(VEHICLE)
