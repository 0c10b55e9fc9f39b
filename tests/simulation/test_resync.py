"""A resync killed again and again goes on where it was: no row is lost, none is written twice, few are read twice."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from shared.domain.resync import LEAST_TRIED, Ending, RunState, Scope, totals
from shared.engine.page_rows import ROWS_AT_ONCE
from tests.simulation.resync_world import World
from tests.simulation.virtual import play

# 100,000 with RESYNC_ROWS=100000.
ROWS = int(os.environ.get("RESYNC_ROWS", "10000"))


async def resynced(world: World, *kills_at_s: float) -> World:
    await world.start()
    await world.run_to_the_end(kills_at_s)
    return world


def read_more_than_once(world: World) -> int:
    """Rows on pages that were read again."""
    return world.table.paged.total() - len(world.table.rows)


def test_a_resync_killed_three_times_continues_where_it_was() -> None:
    moments = [ROWS / 500 * number + 62 * (number - 1) for number in (1, 2, 3)]
    world = play(resynced(World(ROWS), *moments))
    assert not world.violations()[:5]
    assert world.kills == 3
    assert sum(world.profiles.writes.values()) == ROWS * 4 // 10, "the rows that were not in line, each once"
    assert 0 < read_more_than_once(world) <= 3 * world.wanted_partitions * world.page_rows
    assert len(world.table.looked) == ROWS * 4 // 10, "a row in line is read by its page alone"


def test_without_a_kill_no_row_is_read_by_two_pages_and_each_row_is_counted_once() -> None:
    world = play(resynced(World(2000, page_rows=100)))
    assert not world.violations()[:5]
    assert read_more_than_once(world) == 0
    done = totals(list(world.runs.kept_partitions.values()))
    assert done.counts == {(Ending.SETTLED, "unchanged"): 1200, (Ending.SETTLED, "written"): 800}
    assert world.profiles.looks.total() == 400, "Campaign is asked only of those whom the ledger does not know"


def test_a_second_resync_finds_everything_in_line_and_costs_nothing() -> None:
    async def twice(world: World) -> World:
        await resynced(world)
        world.runs.kept_runs.clear()
        world.runs.kept_partitions.clear()
        await world.broker.clock.sleep(7200)
        world.profiles.writes.clear()
        world.profiles.looks.clear()
        world.table.looked.clear()
        return await resynced(world)

    world = play(twice(World(1000, page_rows=100)))
    assert (world.profiles.writes.total(), world.profiles.looks.total(), world.table.looked.total()) == (0, 0, 0)


NEW, WITHOUT_US = 9, 8


def test_a_first_load_costs_one_call_a_row() -> None:
    world = play(resynced(World(2000, page_rows=100, create_first=True, all_of=NEW)))
    assert not world.violations()[:5]
    assert (world.profiles.looks.total(), world.profiles.writes.total()) == (0, 2000)
    assert totals(list(world.runs.kept_partitions.values())).counts == {(Ending.SETTLED, "written"): 2000}


def test_a_first_load_over_profiles_adopts_them_and_soon_looks_first() -> None:
    world = play(resynced(World(2000, page_rows=100, create_first=True, all_of=WITHOUT_US)))
    assert not world.violations()[:5]
    assert len(world.profiles.held) == 2000
    assert world.profiles.refused.total() < world.wanted_partitions * (LEAST_TRIED + ROWS_AT_ONCE)
    assert all(part.looks_first for part in world.runs.kept_partitions.values())
    assert world.profiles.looks.total() == world.profiles.writes.total() == 2000


def test_a_first_load_that_meets_few_profiles_goes_on_creating() -> None:
    world = World(2000, page_rows=100, create_first=True, all_of=NEW)
    world.profiles.held |= {key: {"lastName": "Former"} for key in list(world.table.rows)[::10]}
    play(resynced(world))
    assert not world.violations()[:5]
    assert (world.profiles.refused.total(), world.profiles.looks.total()) == (200, 200)


@pytest.mark.parametrize("seed", range(6))
def test_a_first_load_killed_at_random_moments(seed: int) -> None:
    random = Random(seed)
    moments = sorted(random.uniform(0, 25) + 62 * number for number in range(random.randint(1, 6)))
    kind = random.choice([None, NEW, WITHOUT_US])
    world = World(300, page_rows=25, partitions=3, seed=seed, create_first=True, all_of=kind)
    assert not play(resynced(world, *moments)).violations()


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_random_moments(seed: int) -> None:
    random = Random(seed)
    moments = sorted(random.uniform(0, 25) + 62 * number for number in range(random.randint(1, 6)))
    world = play(resynced(World(300, page_rows=25, partitions=3, seed=seed), *moments))
    assert not world.violations()


def test_paused_it_stands_still_and_resumed_it_goes_on_where_it_was() -> None:
    async def story(world: World) -> World:
        await world.start()
        await world.broker.clock.sleep(4)
        await world.resync.pause("r1")
        await world.broker.clock.sleep(300)
        paged = world.table.paged.total()
        assert 0 < paged < len(world.table.rows)
        await world.broker.clock.sleep(3600)
        assert world.table.paged.total() == paged
        await world.resync.resume("r1")
        await world.run_to_the_end()
        return world

    world = play(story(World(1000, page_rows=50)))
    assert not world.violations()
    assert read_more_than_once(world) == 0


def test_cancelled_it_ends_after_the_pages_under_way() -> None:
    async def story(world: World) -> RunState:
        await world.start()
        await world.broker.clock.sleep(3)
        await world.resync.cancel("r1")
        await world.run_to_the_end()
        return await world.state()

    world = World(1000, page_rows=50)
    assert play(story(world)) is RunState.CANCELLED
    assert world.table.paged.total() < 1000


def test_resumed_while_it_runs_it_does_nothing_twice() -> None:
    async def story(world: World) -> World:
        await world.start()
        await world.broker.clock.sleep(3)
        await world.resync.resume("r1")
        await world.run_to_the_end()
        return world

    assert not play(story(World(600, page_rows=50))).violations()


def test_a_run_whose_last_word_was_lost_is_ended_by_resume_and_reads_nothing_again() -> None:
    async def story(world: World) -> World:
        await resynced(world)
        run = world.runs.kept_runs["r1"]
        world.runs.kept_runs["r1"] = replace(run, state=RunState.RUNNING, ended_at=None)
        await world.resync.resume("r1")
        await world.run_to_the_end()
        return world

    world = play(story(World(100, page_rows=50)))
    assert world.runs.kept_runs["r1"].state is RunState.FINISHED
    assert read_more_than_once(world) == 0


def test_no_more_rows_a_second_than_asked_for_however_small_the_pages() -> None:
    async def story(world: World) -> float:
        await world.start(per_second=2)
        began = world.broker.clock.now()
        await world.run_to_the_end()
        return (world.broker.clock.now() - began).total_seconds()

    world = World(400, page_rows=5, partitions=2)
    assert play(story(world)) >= 160 / 2 * 0.95, "of 400 rows 160 are not in line"
    assert not world.violations()


def test_by_ids_each_row_is_read_by_one_page() -> None:
    async def story(world: World) -> World:
        ids = list(world.table.rows)[:250]
        await world.start(Scope("contact", ids=len(ids)), ids)
        await world.run_to_the_end()
        return world

    world = play(story(World(300, page_rows=40)))
    assert (world.table.paged.total(), max(world.table.paged.values())) == (250, 1)
    assert totals(list(world.runs.kept_partitions.values())).rows == 250


def test_killed_at_every_moment_of_a_small_resync() -> None:
    """Every tenth of a second: between any two steps, or in the middle of one."""
    undisturbed = play(resynced(World(30, page_rows=5, partitions=2)))
    assert not undisturbed.violations()
    for number in range(60):
        world = play(resynced(World(30, page_rows=5, partitions=2), number / 10))
        assert not world.violations(), f"killed after {number / 10:.1f} s"
        assert read_more_than_once(world) <= world.wanted_partitions * world.page_rows
