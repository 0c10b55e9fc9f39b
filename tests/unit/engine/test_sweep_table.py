"""docs/flows/sweep.md, "What happens when": every line of the table, played against the real engine and sweep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.engine.sweep_world import SweepWorld, contact_id

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "flows" / "sweep.md"
ONE, NEW = contact_id(0), contact_id(99)
Deed = Callable[[SweepWorld, bool], Awaitable[None]]


async def nothing(world: SweepWorld, lost: bool) -> None:
    pass


async def created(world: SweepWorld, lost: bool) -> None:
    await world.person(NEW, lost=lost)


async def changed(world: SweepWorld, lost: bool) -> None:
    await world.person(ONE, lost=lost, first="Grace")


async def unmapped(world: SweepWorld, lost: bool) -> None:
    await world.person(ONE, lost=lost, fax="1")


async def opted_out(world: SweepWorld, lost: bool) -> None:
    await world.person(ONE, lost=lost, no_mail=True)


async def hesitated(world: SweepWorld, lost: bool) -> None:
    await world.person(ONE, lost=lost, no_mail=True)
    await world.person(ONE, lost=lost, no_mail=False)


async def deleted(world: SweepWorld, lost: bool) -> None:
    await world.delete(ONE, lost=lost)


async def came_and_went(world: SweepWorld, lost: bool) -> None:
    await world.person(NEW, lost=lost)
    await world.delete(NEW, lost=lost)


async def restored(world: SweepWorld, lost: bool) -> None:
    first = world.org.rows[ONE].columns["first"]
    await world.delete(ONE, lost=lost)
    await world.person(ONE, lost=lost, first=first)


DEEDS: dict[str, Deed] = {
    "nothing happens": nothing,
    "a contact is created": created,
    "a mapped column is changed": changed,
    "another column is changed": unmapped,
    "an opt-out is set": opted_out,
    "an opt-out is set and taken back": hesitated,
    "a contact is deleted": deleted,
    "a contact is created and deleted": came_and_went,
    "a contact is deleted and restored": restored,
}


def table() -> list[tuple[str, ...]]:
    chapter = DOCUMENT.read_text(encoding="utf-8").partition("## What happens when")[2].partition("\n## ")[0]
    lines = [line for line in chapter.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[1:]]


LINES = table()


def test_every_deed_is_in_the_table() -> None:
    assert {line[0] for line in LINES} == DEEDS.keys()


@pytest.mark.parametrize("days", [0.01, 8])
@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]} {line[1]}")
async def test_a_line_of_the_table(line: tuple[str, ...], days: float) -> None:
    deed, announcement, soon, late, calls = line
    world = await SweepWorld(3).started()
    await DEEDS[deed](world, announcement == "lost")
    await world.drain()
    world.marketing.calls.clear()
    world.clock.pass_(days * 86_400)
    await world.sweep_to_the_end()
    hints = [str(why) for _, why in world.hinted()] or ["nothing"]
    assert hints == [soon if days < 1 else late]
    await world.drain()
    wanted = [int(number) for number in calls.split(",")]
    assert len(world.marketing.calls) == wanted[0 if days < 1 else -1]
    assert world.drift() == []
