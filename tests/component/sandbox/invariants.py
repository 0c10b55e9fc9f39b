"""What must hold over the whole sandbox at rest: rows, records and the ledger say the same, and nothing is hidden."""

from __future__ import annotations

from sandbox.agreement import disagreements
from sandbox.people import People
from sandbox.world import World

NOTHING_HIDDEN: dict[str, dict[str, int]] = {"writes": {}, "made": {}}


async def broken(world: World, people: People) -> list[str]:
    """Empty when all is well."""
    hidden = await people.hidden()
    met = [] if hidden == NOTHING_HIDDEN else [f"hidden records were written or made: {hidden}"]
    return met + await disagreements(world, people)
