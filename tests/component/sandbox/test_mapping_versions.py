"""A new version of the mapping takes effect without a restart; a broken one never does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.waiting import at_rest, eventually

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "sandbox" / "mapping.yaml"
IN_FORCE_WITHIN_S = 30
pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]


async def apply(world: World, file: Path) -> tuple[int, str]:
    """Exit code and what was said."""
    words = ["mapping", "apply", str(file), "--yes", "--settings", str(world.host.settings_file)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode()


async def middle_name(people: People, contact_id: str) -> object:
    return (await people.profiles()).get(contact_id, {}).get("middleName")


async def shows(people: People, contact_id: str, value: str, number: list[int]) -> bool:
    """Touch the contact, and see whether its profile follows the version wanted."""
    number[0] += 1
    await people.change(contact_id, lastname=f"Versions {number[0]}")
    await asyncio.sleep(2)
    return await middle_name(people, contact_id) == value


async def test_a_version_comes_into_force_and_goes_again(sandbox: World, people: People, tmp_path: Path) -> None:
    row = {"firstname": "Maps", "middlename": "Middle", "jobtitle": "Engineer", "lastname": "Canary"}
    made = await people.create("contacts", row)
    assert await eventually(lambda: _is(people, made, "Middle"))
    changed = tmp_path / "changed.yaml"
    changed.write_text(SHIPPED.read_text().replace("dynamics: middlename", "dynamics: jobtitle"))
    code, said = await apply(sandbox, changed)
    assert code == 0, said
    number = [0]
    assert await eventually(lambda: shows(people, made, "Engineer", number), IN_FORCE_WITHIN_S)

    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(SHIPPED.read_text().replace("campaign: middleName", "campaign: noSuchField"))
    code, said = await apply(sandbox, faulty)
    assert code == 1
    assert "noSuchField" in said
    assert await shows(people, made, "Engineer", number), "the running version stays in force"

    code, said = await apply(sandbox, SHIPPED)
    assert code == 0, said
    assert await eventually(lambda: shows(people, made, "Middle", number), IN_FORCE_WITHIN_S)
    assert await at_rest(sandbox)
    assert [problem for problem in await broken(sandbox, people) if made in problem] == []


async def _is(people: People, contact_id: str, value: str) -> bool:
    return await middle_name(people, contact_id) == value
