"""The sweep against everything that announcements can do wrong: all repaired, nothing asked of Campaign in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.domain.change import Lane, Why
from shared.domain.filters import Condition, Operator
from shared.domain.mapping import DeleteMode, Mappings, WhenFilteredOut
from shared.domain.sweep import Phase
from shared.errors import Reason, Retry
from shared.ports.sweep import FailedJob
from shared.stores.sweep_memory import MemoryTallies
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import delivery
from tests.unit.engine.sweep_world import TABLE, Killed, SweepWorld, contact_id

ONE, TWO, THREE, NEW = (contact_id(number) for number in (0, 1, 2, 99))
DAY = 86_400.0
Trouble = Callable[[SweepWorld], Awaitable[None]]


async def in_line(contacts: int = 7) -> SweepWorld:
    world = await SweepWorld(contacts).started()
    assert world.drift() == []
    world.marketing.calls.clear()
    world.steps.clear()
    return world


# -- what announcements do wrong ------------------------------------------------------------------------------------


async def lost(world: SweepWorld) -> None:
    await world.person(ONE, lost=True, first="Grace")
    await world.person(NEW, lost=True)
    await world.delete(TWO, lost=True)
    await world.person(THREE, lost=True, no_mail=True)


async def repeated(world: SweepWorld) -> None:
    await world.person(ONE, times=3, first="Grace")


async def delayed(world: SweepWorld) -> None:
    late = await world.person(ONE, lost=True, first="Grace")
    await world.sweep()
    await world.drain()
    await world.announce(late)


async def reordered(world: SweepWorld) -> None:
    first = await world.person(ONE, lost=True, first="Grace")
    second = await world.delete(ONE, lost=True)
    await world.announce(second)
    await world.announce(first)


async def deleted_and_restored(world: SweepWorld) -> None:
    await world.delete(ONE, lost=True)
    await world.person(ONE, lost=True, first="Back")


async def came_and_went(world: SweepWorld) -> None:
    await world.person(NEW, lost=True)
    await world.delete(NEW, lost=True)


async def opt_out_taken_back(world: SweepWorld) -> None:
    await world.person(ONE, no_mail=True)
    await world.drain()
    world.marketing.flags[ONE]["blackListEmail"] = False  # and Campaign heard it too
    await world.person(ONE, lost=True, no_mail=False)


TROUBLES: list[Trouble] = [
    lost,
    repeated,
    delayed,
    reordered,
    deleted_and_restored,
    came_and_went,
    opt_out_taken_back,
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
@pytest.mark.parametrize("silence_days", [0.01, 8])
async def test_whatever_announcements_do_both_systems_agree_after_the_next_sweep(
    trouble: Trouble, silence_days: float
) -> None:
    """Eight days are more than Dynamics remembers: then everything is compared."""
    world = await in_line()
    await trouble(world)
    world.clock.pass_(silence_days * DAY)
    await world.sweep_to_the_end()
    await world.drain()
    assert world.drift() == []
    await world.sweep_to_the_end()
    assert world.hinted() == []


@pytest.mark.parametrize("silence_days", [0.01, 8])
async def test_what_is_in_line_costs_no_engine_call_and_no_hint(silence_days: float) -> None:
    world = await in_line()
    await world.person(ONE, first="Grace")
    await world.person(TWO, no_mail=True)
    await world.drain()
    calls = len(world.marketing.calls)
    world.clock.pass_(silence_days * DAY)
    await world.sweep_to_the_end()
    assert world.hinted() == []
    await world.drain()
    assert len(world.marketing.calls) == calls


async def test_the_first_run_takes_a_token_and_hints_nothing(lines: Lines) -> None:
    """The first load is resync's; what changes while the table is read once is found by the next run."""
    world = SweepWorld()
    for number in range(7):
        await world.person(contact_id(number), lost=True)
    while (await world.positions.read("contact")).phase is Phase.BEGIN:
        await world.sweep(run_s=0.001)
        world.meanwhile = lambda where: world.clock.pass_(1) if where == "page read" else None
    assert world.hinted() == []
    world.meanwhile = lambda _where: None
    await world.person(ONE, lost=True, first="Grace")
    await world.sweep()
    assert world.hinted() == [(ONE, Why.UPSERT)]
    assert lines("counted")[-1] == {"what": "change_sweep", "tables": 1, "pages": 1, "rows": 1, "hints": 1}


async def test_a_change_of_just_now_is_hinted_after_its_announcement_had_its_time() -> None:
    world = await in_line()
    await world.person(ONE, lost=True, first="Grace")
    await world.sweep(grace_s=60)
    (queued,) = world.known.bus.contents()[Lane.CONTACT_UPSERT]
    assert queued.visible_at == world.clock.now() + timedelta(seconds=60)


# -- dying ----------------------------------------------------------------------------------------------------------


async def steps_of(trouble: Trouble, silence_days: float) -> int:
    world = await in_line()
    await trouble(world)
    world.clock.pass_(silence_days * DAY)
    world.steps.clear()
    await world.sweep_to_the_end()
    return len(world.steps)


@pytest.mark.parametrize("silence_days", [0.01, 8])
async def test_killed_before_any_step_of_a_sweep_nothing_is_lost(silence_days: float) -> None:
    """Between reading a page, sending each hint, and storing the position; and the next run ends."""
    for number in range(1, await steps_of(lost, silence_days) + 1):
        world = await in_line()
        await lost(world)
        world.clock.pass_(silence_days * DAY)
        world.steps.clear()
        world.dies_at = number
        with pytest.raises(Killed):
            await world.sweep_to_the_end()
        world.dies_at = None
        await world.sweep_to_the_end()
        await world.drain()
        assert world.drift() == [], f"killed at {world.steps[number - 1]} ({number})"


async def test_a_run_that_ends_early_goes_on_at_its_page_and_reads_none_twice() -> None:
    world = await in_line(20)
    world.clock.pass_(8 * DAY)
    await world.sweep(run_s=0)  # no page at all
    world.steps.clear()
    world.meanwhile = lambda where: world.clock.pass_(10) if where == "page read" else None
    for _ in range(60):
        await world.sweep(run_s=5)
    assert (await world.positions.read("contact")).phase is Phase.FOLLOW
    rows_pages = 20 // world.org.page_size + 1
    assert world.steps.count("page read") <= 1 + rows_pages + 60
    world.clock.pass_(1)
    assert world.drift() == []


# -- two at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silence_days", [0.01, 8])
async def test_two_processes_at_once_repair_everything_and_one_of_them_gives_way(silence_days: float) -> None:
    world = await in_line()
    await lost(world)
    world.clock.pass_(silence_days * DAY)
    await asyncio.gather(world.sweep(), world.sweep())
    assert world.steps.count("position written") < world.steps.count("position write")  # both tried
    await world.sweep_to_the_end()
    await world.drain()
    assert world.drift() == []


async def test_a_slow_process_does_not_take_the_position_back() -> None:
    world = await in_line()
    slow = await world.positions.read("contact")
    await world.person(ONE, lost=True, first="Grace")
    await world.sweep()
    assert await world.positions.write(slow) is None
    assert (await world.positions.read("contact")).token != slow.token


# -- deletions ------------------------------------------------------------------------------------------------------


async def test_after_eight_days_a_row_that_may_not_be_seen_is_not_taken_for_deleted(lines: Lines) -> None:
    world = await in_line()
    world.org.hidden = {ONE}
    world.clock.pass_(8 * DAY)
    for _ in range(5):
        await world.sweep()
    assert world.hinted() == []
    assert Reason.DYNAMICS_CREDENTIALS.slug in {line["reason"] for line in lines("alarm")}
    assert ONE in world.marketing.kept


async def test_deletions_that_a_compare_finds_are_under_the_hourly_limit(lines: Lines) -> None:
    world = await SweepWorld(7, replace(TABLE, deletes_per_hour=3)).started()
    for number in range(6):
        await world.delete(contact_id(number), lost=True)
    world.clock.pass_(8 * DAY)
    await world.sweep_to_the_end()
    assert [why for _, why in world.hinted()] == [Why.DELETE] * 6
    for _ in range(6):
        message = world.known.bus.take(Lane.CONTACT_DELETE)
        if message is not None:
            await world.engine.record(delivery(message.body, Lane.CONTACT_DELETE))
    assert len(world.marketing.kept) == 4
    assert Reason.DELETE_LIMIT.slug in {line["reason"] for line in lines("alarm")}


async def test_a_mapping_that_ignores_deletions_gets_no_hint_of_one() -> None:
    world = await SweepWorld(2, replace(TABLE, delete_mode=DeleteMode.IGNORE)).started()
    await world.delete(ONE, lost=True)
    await world.sweep()
    assert world.hinted() == []


async def test_a_row_that_the_filters_leave_alone_gets_no_hint() -> None:
    kept_out = replace(TABLE, filters=Condition("town", Operator.EQUALS, "London"))
    for rule, hints in ((WhenFilteredOut.LEAVE, []), (WhenFilteredOut.DELETE, [(ONE, Why.UPSERT)])):
        world = await SweepWorld(2, replace(kept_out, when_filtered_out=rule)).started()
        await world.person(ONE, lost=True, town="Paris")
        await world.sweep()
        assert world.hinted() == hints


# -- failing --------------------------------------------------------------------------------------------------------


async def test_hints_that_are_not_durable_leave_the_position(lines: Lines) -> None:
    world = await in_line()
    before = await world.positions.read("contact")
    await world.person(ONE, lost=True, first="Grace")
    world.known.bus.refusing = True
    await world.sweep()
    assert await world.positions.read("contact") == before
    assert lines("counted")[-1]["what"] == "change_sweep_cut_short"
    world.known.bus.refusing = False
    await world.sweep()
    assert world.hinted() == [(ONE, Why.UPSERT)]


async def test_a_table_that_fails_holds_up_no_other_and_the_run_counts_as_cut_short(lines: Lines) -> None:
    world = await in_line()
    world.pairs = Mappings(TABLE, (replace(TABLE, table="vehicle", opt_outs=()),))
    world.org.untracked = frozenset({"contact"})
    await world.sweep()
    (alarm,) = lines("alarm")
    assert (alarm["where"], alarm["reason"]) == ("change_sweep", "not_tracked")
    cut_short = lines("counted")[-1]
    assert cut_short == {
        "what": "change_sweep_cut_short",
        "reason": "not_tracked",
        "table": "contact",
        "detail": "contact",
    }
    assert (await world.positions.read("vehicle")).at_rest


async def test_a_run_sends_so_many_hints_and_the_next_goes_on() -> None:
    world = await in_line(12)
    for number in range(12):
        await world.person(contact_id(number), lost=True, first="Grace")
    sent = []
    for _ in range(4):
        await world.sweep(most_hints=4)
        sent.append(len(world.hinted()))
    assert sent == [6, 12, 12, 12]  # a page of three is sent whole


async def test_a_table_with_much_to_do_leaves_the_others_their_turn() -> None:
    world = await in_line(20)
    world.pairs = Mappings(TABLE, (replace(TABLE, table="vehicle", opt_outs=()),))
    world.clock.pass_(8 * DAY)
    world.meanwhile = lambda where: world.clock.pass_(1) if where == "page read" else None
    await world.sweep(run_s=3)
    assert (await world.positions.read("vehicle")).at_rest
    assert not (await world.positions.read("contact")).at_rest


async def test_a_new_profiles_opt_outs_are_noted_as_agreed() -> None:
    world = await in_line()
    await world.person(NEW, no_mail=True)
    await world.drain()
    assert world.marketing.flags[NEW]["blackListEmail"]
    await world.sweep()
    assert world.hinted() == []


async def test_a_repair_that_cannot_be_counted_is_a_repair_all_the_same(lines: Lines) -> None:
    class Away(MemoryTallies):
        async def add(self, what: str, table: str, day: date) -> None:
            raise Retry(Reason.LEDGER_UNREACHABLE)

    world = await in_line()
    world.engine.ports = replace(world.ports, tallies=Away())
    await world.person(ONE, lost=True, first="Grace")
    await world.sweep()
    await world.drain()
    assert world.drift() == []
    assert lines("counted")[-1] == {"what": "repair_not_counted", "reason": "ledger_unreachable"}


async def test_an_old_token_is_an_alarm_long_before_it_is_refused(lines: Lines) -> None:
    world = await in_line()
    world.clock.pass_(3 * DAY)
    world.org.failure = Retry(Reason.DYNAMICS_UNREACHABLE)
    await world.sweep()
    assert [line["reason"] for line in lines("alarm")] == ["token_stale"]


async def test_a_refused_token_is_an_alarm(lines: Lines) -> None:
    world = await in_line()
    world.clock.pass_(8 * DAY)
    await world.sweep_to_the_end()
    assert [line["reason"] for line in lines("alarm")] == ["token_refused"]


# -- what is told ---------------------------------------------------------------------------------------------------


async def test_what_only_the_sweep_found_is_counted_by_table() -> None:
    world = await in_line()
    await world.person(ONE, lost=True, first="Grace")
    await world.person(TWO, first="Grace")
    await world.sweep(grace_s=60)
    await world.drain()
    (tally,) = await world.tallies.since("repaired", world.clock.now().date() - timedelta(days=1))
    assert (tally.table, tally.count) == ("contact", 1)


async def test_a_failed_announcement_is_told_once(lines: Lines) -> None:
    world = await in_line()
    world.org.jobs = [FailedJob(f"j{n}", "contact", "Update", "-1", world.clock.now()) for n in range(3)]
    for _ in range(3):
        await world.sweep()
        world.clock.pass_(300)
    late = FailedJob("late", "contact", "Delete", "-1", world.clock.now() - timedelta(seconds=900))
    world.org.jobs.append(late)
    await world.sweep()
    told = [line for line in lines("counted") if line["what"] == "failed_job"]
    assert [line["job"] for line in told] == ["j0", "j1", "j2", "late"]
    assert told[0]["reason"] == "announcement_failed"
    (tally,) = await world.tallies.since("failed_job", world.clock.now().date() - timedelta(days=1))
    assert tally.count == 4


async def test_more_failed_announcements_than_one_answer_holds_are_all_told(
    monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setattr("shared.engine.failed_jobs.MOST", 2)
    world = await in_line()
    now = world.clock.now()
    world.org.jobs = [FailedJob(f"j{n}", "contact", "Update", "-1", now + timedelta(seconds=n)) for n in range(5)]
    await world.sweep()
    told = [line["job"] for line in lines("counted") if line["what"] == "failed_job"]
    assert told == ["j0", "j1", "j2", "j3", "j4"]


async def test_a_compare_that_takes_for_days_is_an_alarm_too(lines: Lines) -> None:
    world = await in_line(20)
    world.clock.pass_(8 * DAY)
    world.meanwhile = lambda where: world.clock.pass_(1) if where == "page read" else None
    await world.sweep(run_s=2)
    assert (await world.positions.read("contact")).phase is Phase.ROWS
    assert [line["reason"] for line in lines("alarm")] == ["token_refused"]
    world.clock.pass_(3 * DAY)
    await world.sweep(run_s=1)
    assert [line["reason"] for line in lines("alarm")][1:] == ["token_stale"]
