"""Each rule about parents and children taken away once: then a history goes wrong that is right with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.domain.change import RecordKey
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.mapping import DeleteMode
from shared.engine.alignment import Turn
from shared.engine.kin import Kin
from shared.flows.contact import Situation
from tests.simulation.faults import Fault, Scripted
from tests.simulation.kin_world import CONTACT, VEHICLE, VISIT, KinWorld, Variant
from tests.simulation.test_kin import key
from tests.simulation.virtual import play

OWNER, OTHER, CAR, OTHER_CAR = key(CONTACT, 1), key(CONTACT, 2), key(VEHICLE, 1), key(VEHICLE, 2)
VISITED = key(VISIT, 1)
SMALL = Variant(filters=Condition("val", Operator.LESS, 8))
HIDING = Variant(cascade=False)
KEEPING = replace(SMALL, entity_delete_mode=DeleteMode.IGNORE)
PLAIN = Variant()


def world(
    variant: Variant = PLAIN,
    delays: tuple[float, ...] = (),
    stalls: Mapping[str, float] | None = None,
    crash: str | None = None,
) -> KinWorld:
    """Announcements arrive after a second, the first ones as late as `delays` say.

    `stalls`: by step, once each. `crash`: the first worker that comes to that step dies there.
    """
    left = list(delays)
    faults = {where: Fault(stall_s=seconds) for where, seconds in (stalls or {}).items()}
    if crash is not None:
        faults[crash] = Fault(crash=True)
    plan = Scripted(
        fault=lambda _worker, where: faults.pop(where, None), webhooks=lambda: [left.pop(0) if left else 1.0]
    )
    return KinWorld(plan, variant)


async def family(made: KinWorld) -> None:
    """A contact, a vehicle and a visit, all in Campaign."""
    for record, parent in ((OWNER, None), (CAR, OWNER), (VISITED, CAR)):
        made.create(record, parent, 1)
        await asyncio.sleep(10)


async def child_announced_first() -> KinWorld:
    """The parent's announcement takes half a minute."""
    made = world(delays=(30,))
    made.create(OWNER, None, 1)
    made.create(CAR, OWNER, 1)
    await made.rest()
    return made


async def released_at_once() -> KinWorld:
    """A child that has waited for five minutes does not wait for its next look."""
    made = world(SMALL)
    made.create(OWNER, None, 9)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(300)
    made.change(OWNER, val=1)
    await asyncio.sleep(30)
    assert CAR in made.campaign.records
    await made.rest()
    return made


async def parent_goes_while_a_child_is_written() -> KinWorld:
    """The write stalls for most of its claim; meanwhile the contact is kept out, so nobody waits for its children."""
    made = world(SMALL, stalls={"POST cusVehicle 2000 send": 140})
    made.create(OWNER, None, 1)
    await asyncio.sleep(10)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(5)
    made.change(OWNER, val=9)
    await made.rest()
    return made


async def grandparent_goes_while_a_grandchild_is_written() -> KinWorld:
    """As above, two levels up."""
    made = world(SMALL, stalls={"POST cusVisit 3000 send": 140})
    await family(made)
    made.change(OWNER, val=9)
    await made.rest()
    return made


async def grandchild_announced_while_its_grandparent_goes() -> KinWorld:
    """The contact is claimed and about to go; the vehicle's row still says PRESENT."""
    made = world(SMALL, stalls={"DELETE @1 send": 40, "POST cusVisit 3000 send": 70})
    made.create(OWNER, None, 1)
    await asyncio.sleep(10)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(10)
    made.change(OWNER, val=9)
    await asyncio.sleep(6)
    made.create(VISITED, CAR, 1)
    await made.rest()
    return made


async def child_goes_while_its_parent_goes() -> KinWorld:
    """Campaign does not cascade: the child's deletion, announced late, would meet a hidden record."""
    stalls = {"DELETE @1 send": 40, "DELETE cusVehicle @2 send": 70}
    made = world(HIDING, delays=(1, 1, 320, 1), stalls=stalls)
    made.create(OWNER, None, 1)
    await asyncio.sleep(10)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(10)
    made.delete(OWNER)
    await made.rest()
    return made


async def parent_waits_for_its_children() -> KinWorld:
    """The child's move is announced after the parent's deletion: the record stays, and what Campaign knows of it."""
    made = world(delays=(1, 1, 1, 20, 1))
    made.create(OWNER, None, 1)
    made.create(OTHER, None, 1)
    await asyncio.sleep(10)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(10)
    record = made.campaign.records[CAR].handle
    made.change(CAR, parent=OTHER.id)
    made.delete(OWNER)
    await made.rest()
    assert made.campaign.records[CAR].handle == record, "made anew"
    return made


async def moved_by_a_worker_that_dies() -> KinWorld:
    """Its claim outlasts two minutes; Campaign, which does not cascade, would hide the vehicle for ever."""
    made = world(HIDING, crash="GET cusVehicle 2000 answer")
    made.create(OWNER, None, 1)
    made.create(OTHER, None, 1)
    await asyncio.sleep(10)
    made.create(CAR, OWNER, 1)
    await asyncio.sleep(10)
    made.change(CAR, parent=OTHER.id)
    await asyncio.sleep(2)
    made.delete(OWNER)
    await made.rest()
    return made


async def looks_after_a_worker_that_dies() -> KinWorld:
    """The claim of the worker outlasts many looks of the parent, and the child's messages do not pile up behind it."""
    made = await moved_by_a_worker_that_dies()
    assert made.broker.workers < 80, "messages multiply"
    return made


async def kept_out_and_back() -> KinWorld:
    """The contact is kept out for a while; Campaign deletes what hangs on it; then all of it comes back."""
    made = world(SMALL)
    await family(made)
    made.change(OWNER, val=9)
    await asyncio.sleep(300)
    made.change(OWNER, val=2)
    await made.rest()
    return made


async def moved_away_from_what_was_kept_out() -> KinWorld:
    """Campaign does not cascade: a visit that it hid with its vehicle could be moved to no other any more."""
    made = world(HIDING)
    await family(made)
    made.create(OTHER_CAR, OWNER, 1)
    await asyncio.sleep(10)
    made.change(CAR, parent=None)
    await asyncio.sleep(60)
    assert made.ledger.rows[CAR].state == made.ledger.rows[VISITED].state == Absent(), "the visit went before it"
    made.change(VISITED, parent=OTHER_CAR.id)
    await made.rest()
    return made


async def kept_out_for_good() -> KinWorld:
    """The mapping leaves the vehicles of contacts that are kept out, but Campaign deletes them with the profile."""
    made = world(KEEPING)
    await family(made)
    made.change(OWNER, val=9)
    await made.rest()
    return made


async def given_to_somebody_who_is_kept_out() -> KinWorld:
    """The vehicle must not stay under its former owner."""
    made = world(SMALL)
    await family(made)
    made.create(OTHER, None, 9)
    made.change(CAR, parent=OTHER.id)
    await made.rest()
    return made


async def given_to_a_vehicle_of_somebody_who_is_kept_out() -> KinWorld:
    """The visit must not stay under its former vehicle, though nothing speaks against the new one itself."""
    made = world(SMALL)
    await family(made)
    made.create(OTHER, None, 9)
    made.create(OTHER_CAR, OTHER, 1)
    made.change(VISITED, parent=OTHER_CAR.id)
    await made.rest()
    return made


async def stalled_after_its_write() -> KinWorld:
    """A person deletes the contact in Campaign, and with it what a grandchild's worker has just written there."""
    made = world(stalls={"POST cusVisit 3000 answer": 100})
    await family(made)
    made.campaign.lose(OWNER)
    made.change(OWNER, val=2)
    await made.rest()
    return made


Play = Callable[[], Coroutine[Any, Any, KinWorld]]


@dataclass(frozen=True)
class Rule:
    """`removed` takes the rule away; `history` shows what that does."""

    removed: tuple[type, str, Callable[..., Any]]
    history: Play


async def nothing(*_: Any) -> None: ...


async def all_there(self: Kin, row: LedgerRow, desired: Any) -> bool:
    return await AT_REST(self, row, desired) if desired is not None else True


async def only_direct_parents(self: Kin, parent: RecordKey) -> None:
    row = await self.ports.ledger.get(parent)
    if not isinstance(row.state, Present):
        raise self._missing(parent, "not there")


async def only_direct_children(self: Kin, parent: RecordKey) -> AsyncIterator[RecordKey]:
    async for child in self._children():
        if parent == self.record:
            await self._doubt(await self.ports.ledger.get(child))
            yield child


async def only_work_on_children(self: Kin, parent: RecordKey) -> None:
    if parent == self.record:
        await NO_DESCENDANT(replace_mappings(self), parent)


def replace_mappings(self: Kin) -> Kin:
    """The same, as if nothing hung on children."""
    mappings = replace(self.mappings, entities=self.mappings.entities[:1])
    return Kin(self.ports, mappings, self.hint, self.token)


async def doubted_only_if_present(self: Kin, row: LedgerRow) -> None:
    if isinstance(row.state, Present):
        await DOUBT(self, row)


async def only_lost_parents(self: Kin, parents: Collection[RecordKey]) -> tuple[RecordKey, str] | None:
    whys = [(parent, (await self._why_not(parent))[0]) for parent in sorted(parents)]
    return next(((parent, why) for parent, why in whys if why is not None), None)


async def no_orphans(_self: Turn, s: Situation) -> Situation:
    return s


AT_REST, NO_DESCENDANT, DOUBT = Kin.at_rest, Kin._no_descendant_at_work, Kin._doubt
RULES = {
    "a child waits for its parent": Rule((Kin, "_await_parents", nothing), child_announced_first),
    "and for what is above that": Rule(
        (Kin, "_await", only_direct_parents), grandchild_announced_while_its_grandparent_goes
    ),
    "a stored parent releases its children": Rule((Kin, "release_children", nothing), released_at_once),
    "a parent waits for a child's write": Rule(
        (Kin, "_no_descendant_at_work", nothing), parent_goes_while_a_child_is_written
    ),
    "and for a grandchild's": Rule(
        (Kin, "_no_descendant_at_work", only_work_on_children), grandparent_goes_while_a_grandchild_is_written
    ),
    "a child's deletion waits for work on its parent": Rule(
        (Kin, "at_rest", all_there), child_goes_while_its_parent_goes
    ),
    "children go before their parent": Rule((Kin, "_children_first", nothing), parent_waits_for_its_children),
    "and do not hint each at every look": Rule(
        (Kin, "_minute", lambda self: int(self.ports.clock.now().timestamp() // 10)), looks_after_a_worker_that_dies
    ),
    "what Campaign would hide goes before its parent": Rule(
        (Kin, "_hidden_first", nothing), moved_away_from_what_was_kept_out
    ),
    "what went with its parent is doubted": Rule((Kin, "doubt_children", nothing), kept_out_and_back),
    "and what hung on that": Rule((Kin, "_descendants", only_direct_children), kept_out_for_good),
    "a stalled worker loses its ETag": Rule((Kin, "_doubt", doubted_only_if_present), stalled_after_its_write),
    "what has no parent to come goes": Rule((Turn, "_without_orphans", no_orphans), given_to_somebody_who_is_kept_out),
    "and what has none further up": Rule(
        (Kin, "_lost", only_lost_parents), given_to_a_vehicle_of_somebody_who_is_kept_out
    ),
}


def goes_wrong(history: Play) -> list[str]:
    try:
        return play(history()).violations()
    except AssertionError as error:
        return [str(error).partition("\n")[0] or "asserted"]


@pytest.mark.parametrize("name", RULES)
def test_without_the_rule_the_history_goes_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = RULES[name]
    assert not goes_wrong(rule.history), "with the rule it is right"
    monkeypatch.setattr(*rule.removed)
    assert goes_wrong(rule.history)
