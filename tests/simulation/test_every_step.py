"""One fault at each step of a life in turn: a crash, a stall within the claim, a stall beyond it with the lock lost."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.faults import AtStep, Fault
from tests.simulation.virtual import play
from tests.simulation.world import World

FAULTS = {
    "crash": Fault(crash=True),
    "stall within the claim": Fault(stall_s=45),
    "stall beyond the claim, lock lost": Fault(stall_s=200, lose_lock=True),
    "stall, then crash": Fault(stall_s=100, crash=True),
}


async def life(plan: AtStep) -> World:
    """Created with an opt-out, changed, opted out in Campaign, deleted, restored, changed again."""
    world = World(plan)
    world.edit(val=1, stop=True)
    await asyncio.sleep(15)
    world.edit(val=2, stop=False)
    await asyncio.sleep(15)
    world.opt_out_in_campaign()
    await asyncio.sleep(70)
    world.delete()
    await asyncio.sleep(15)
    world.edit(val=4)
    await asyncio.sleep(60)
    world.edit(val=5)
    await world.rest()
    return world


def plan(step: int, fault: Fault) -> AtStep:
    return AtStep(Random(7), step, fault)


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_anywhere_changes_nothing_in_the_end(name: str) -> None:
    steps = play(life(plan(-1, FAULTS[name]))).steps
    assert steps > 40
    for step in range(steps):
        world = play(life(plan(step, FAULTS[name])))
        story = f"{name} at step {step}: {world.violations()}\n" + "\n".join(world.log)
        assert any("FAULT" in line for line in world.log), story
        assert not world.violations(), story
        assert world.row is not None, story
        assert world.row["val"] == 5, story


def test_engine_calls_of_a_life_without_faults() -> None:
    """Insert 1, changed 1, unchanged 0, deleted 1 and one look."""

    async def history() -> World:
        world = World(plan(-1, Fault()))
        world.edit(val=1)
        await world.run(20)
        assert world.calls == ["POST"]
        world.edit(val=1)
        await world.run(20)
        assert world.calls == ["POST"]
        world.edit(val=2)
        await world.run(20)
        assert world.calls == ["POST", "PATCH"]
        world.delete()
        await world.run(20)
        assert world.calls[:4] == ["POST", "PATCH", "GET", "PRIVACY"]
        await world.rest()
        return world

    world = play(history())
    assert not world.violations()
    assert world.calls.count("PRIVACY") == 1
