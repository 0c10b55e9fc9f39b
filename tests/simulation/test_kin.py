"""Three linked tables in any order of arrival: no child before its parent, none hidden, all as in Dynamics at rest."""

from __future__ import annotations

import asyncio
from random import Random
from uuid import UUID

import pytest

from shared.domain.change import RecordKey
from shared.domain.filters import Condition, Operator
from shared.domain.mapping import DeleteMode
from tests.simulation.faults import Plan, Storm
from tests.simulation.kin_world import CONTACT, PARENT_TABLE, VEHICLE, VISIT, KinWorld, Variant
from tests.simulation.virtual import play

HISTORIES = 100
TABLES = (CONTACT, VEHICLE, VISIT)
VARIANTS = (
    Variant(),
    Variant(DeleteMode.PRIVACY_REQUEST),
    Variant(filters=Condition("val", Operator.LESS, 8)),
    Variant(cascade=False),
)


def key(table: str, number: int) -> RecordKey:
    return RecordKey(table, str(UUID(int=(TABLES.index(table) + 1) << 124 | number)))


async def history(seed: int, plan: Plan) -> KinWorld:
    """People act at random for some minutes of virtual time; then everything comes to rest."""
    random = Random(seed)
    world = KinWorld(plan, VARIANTS[seed % 4])
    world.privacy_s = random.choice([5, 60, 600])
    for value in range(random.randint(4, 14)):
        act(world, random, value)
        await asyncio.sleep(random.choice([0, 1, 20, 120]) * random.random())
    await world.rest()
    return world


def act(world: KinWorld, random: Random, value: int) -> None:
    """One thing that a person does; what is impossible now is not done."""
    record = key(random.choice(TABLES), random.randint(1, 2))
    parents = [one for one in world.rows if one.table == PARENT_TABLE.get(record.table)]
    if record not in world.rows:
        if record.table == CONTACT or parents:
            world.create(record, random.choice(parents) if parents else None, value)
    elif random.random() < 0.2:
        world.delete(record)
    elif parents and random.random() < 0.4:
        world.change(record, parent=random.choice([*(parent.id for parent in parents), None]))
    else:
        world.change(record, val=value)


def told(seed: int, world: KinWorld) -> str:
    return f"seed {seed}: {world.violations()}\n" + "\n".join(world.broker.log)


@pytest.mark.parametrize("block", range(2))
def test_any_history_with_faults_ends_as_in_dynamics(block: int) -> None:
    for seed in range(block * HISTORIES, (block + 1) * HISTORIES):
        world = play(history(seed, Storm(Random(seed), stalls=0.003, crashes=0.004, lates=0.03, lying=0.005)))
        assert not world.violations(), told(seed, world)


def test_without_faults_every_history_ends_as_in_dynamics() -> None:
    for seed in range(HISTORIES):
        world = play(history(seed, Plan(Random(seed))))
        assert not world.violations(), told(seed, world)
