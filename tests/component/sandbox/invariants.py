"""What must hold over the whole sandbox at rest: rows, records and the ledger say the same, and nothing is hidden."""

from __future__ import annotations

from sandbox.agreement import disagreements
from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.waiting import at_rest

NOTHING_HIDDEN: dict[str, dict[str, int]] = {"writes": {}, "made": {}}


async def broken(world: World, people: People) -> list[str]:
    """Empty when all is well. A claim may be a timer's check, begun just now: that is looked at again at rest."""
    for _ in range(3):
        found = await _found(world, people)
        if not found or not all(line.endswith("still claimed") for line in found):
            break
        await at_rest(world)
    return found


async def _found(world: World, people: People) -> list[str]:
    hidden = await people.hidden()
    met = [] if hidden == NOTHING_HIDDEN else [f"hidden records were written or made: {hidden}"]
    return met + await disagreements(world, people)
