"""Random histories of one contact from a seed: at rest, both systems agree, whatever went wrong on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from shared.domain.filters import Condition, Operator
from shared.domain.mapping import DeleteMode, WhenFilteredOut
from tests.simulation.faults import Plan, Storm
from tests.simulation.virtual import play
from tests.simulation.world import World

HISTORIES = 400
NOT_TWO = Condition("val", Operator.NOT_EQUALS, 2)
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"delete_mode": DeleteMode.PROFILE_DELETE},
    {"filters": NOT_TWO, "when_filtered_out": WhenFilteredOut.DELETE},
)


async def history(seed: int, plan: Plan) -> World:
    """People act at random for two minutes of virtual time; then everything comes to rest.

    Of three histories one deletes profiles plainly, and one keeps contacts with val 2 out and deletes their profiles.
    """
    random = Random(seed)
    world = World(plan)
    world.mapping = replace(world.mapping, **VARIANTS[seed % 3])
    world.privacy_s = random.choice([5, 20, 120, 900])
    world.edit(val=0, stop=random.random() < 0.3)
    for value in range(1, random.randint(2, 7)):
        await asyncio.sleep(random.choice([0.2, 2, 20, 100]) * random.random())
        act(world, random, value)
    await world.rest()
    return world


def act(world: World, random: Random, value: int) -> None:
    """One thing that a person does."""
    roll = random.random()
    if roll < 0.2:
        world.delete()
    elif roll < 0.35:
        world.edit(stop=True)
    elif roll < 0.5:
        world.opt_out_in_campaign()
    else:
        world.edit(val=value)


@pytest.mark.parametrize("block", range(4))
def test_any_history_with_bounded_faults_ends_in_agreement(block: int) -> None:
    for seed in range(block * HISTORIES, (block + 1) * HISTORIES):
        world = play(history(seed, Storm(Random(seed))))
        assert not world.violations(), f"seed {seed}: {world.violations()}\n" + "\n".join(world.log)


def test_without_faults_every_history_ends_in_agreement() -> None:
    for seed in range(HISTORIES):
        world = play(history(seed, Plan(Random(seed))))
        assert not world.violations(), f"seed {seed}: {world.violations()}\n" + "\n".join(world.log)


def test_a_stalled_worker_whose_late_write_lands_after_it_lost_the_record() -> None:
    """Its verify hint must wait until the write has landed; its own message's copy is a duplicate of another's."""
    seed = 2008933
    world = play(history(seed, Storm(Random(seed), stalls=0.02, crashes=0.02, lates=0.1, lying=0.03)))
    assert not world.violations(), "\n".join(world.log)
