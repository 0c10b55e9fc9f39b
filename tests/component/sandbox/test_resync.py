"""`bridge resync` through the real host: contacts that nobody announced are brought over, and once only."""

from __future__ import annotations

from collections import Counter

import pytest

from sandbox.people import People
from sandbox.world import World
from shared.domain.resync import LEAST_TRIED
from shared.engine.page_rows import ROWS_AT_ONCE
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_engine_calls import forget
from tests.component.sandbox.test_parked import bridge
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]
MARK = '{column: lastname, is: begins_with, value: "Resync"}'


async def test_rows_that_nobody_announced_are_brought_over(sandbox: World, people: People) -> None:
    await people.dynamics_fault({"target": "webhook", "effect": "lose"})
    made = [
        await people.create("contacts", {"firstname": f"N{number}", "lastname": f"Resync {number}"})
        for number in range(7)
    ]
    await people.end_faults()
    assert not set(made) & (await people.profiles()).keys()

    before = Counter(await people.engine_calls())
    done = await bridge(sandbox, "resync", "contact", "--filter", MARK, "--partitions", "2", "--yes")
    asked = Counter(await people.engine_calls()) - before
    assert (done["state"], done["rows"]) == ("finished", 7)
    assert {(one["reason"], one["rows"]) for one in done["counts"]} == {("written", 7)}
    assert done["create_first"], "neither side knew any row of the sample"
    assert asked["profile POST"] == 7
    most = asked["profile POST"] + asked["profile GET"]  # the forecast's looks
    assert 7 <= done["engine_calls"] <= most, "a creation each, and a look more where a lock was lost"
    profiles = await people.profiles()
    assert {profiles[key]["lastName"] for key in made} == {f"Resync {number}" for number in range(7)}

    before = Counter(await people.engine_calls())
    again = await bridge(sandbox, "resync", "contact", "--filter", MARK, "--yes")
    assert {(one["reason"], one["rows"]) for one in again["counts"]} == {("unchanged", 7)}
    assert Counter(await people.engine_calls()) == before, "in line: no engine call"
    listed = await bridge(sandbox, "resync", "list")
    assert [one["run"] for one in listed[:2]] == [again["run"], done["run"]]
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []


async def test_a_first_load_over_profiles_adopts_them_doubles_none_and_soon_looks_first(
    sandbox: World, people: People
) -> None:
    rows = [{"firstname": f"N{number}", "lastname": f"Adopted {number}"} for number in range(40)]
    made = [await people.create("contacts", row) for row in rows]

    async def all_there() -> bool:
        return set(made) <= (await people.profiles()).keys()

    assert await eventually(all_there)
    assert await at_rest(sandbox)
    for contact_id in made:
        await forget(sandbox, contact_id)
    of_these = '{column: lastname, is: begins_with, value: "Adopted"}'
    words = ("--filter", of_these, "--partitions", "1", "--sample", "0", "--yes")
    before = Counter(await people.engine_calls())
    done = await bridge(sandbox, "resync", "contact", "--create-first", *words)
    asked = Counter(await people.engine_calls()) - before
    assert (done["state"], done["rows"], done["looking_again"]) == ("finished", 40, 1)
    assert {(one["reason"], one["rows"]) for one in done["counts"]} == {("unchanged", 40)}
    assert LEAST_TRIED <= asked["profile POST"] < LEAST_TRIED + ROWS_AT_ONCE, "refused, all of them"
    assert len([key for key in await people.profiles() if key in made]) == 40
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []
